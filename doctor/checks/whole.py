"""The stack itself: it is deployed to its end, with all its resources and outputs."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.commands import aws
from doctor.finding import Finding, ok, wrong
from doctor.stack import NEEDED_OUTPUTS, Stack

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
COMPLETE = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    # The stack as it was before an update that failed.
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}
# Nothing of it has ever worked, or somebody meant to delete it: it can only be deleted.
NEVER_DEPLOYED = {"REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}
ROLLED_BACK_BY = {"UPDATE_FAILED": "rollback-stack", "UPDATE_ROLLBACK_FAILED": "continue-update-rollback"}
DEPLOY = "make deploy"


def check(stack: Stack) -> Iterator[Finding]:
    """Status, resources and outputs."""
    subject = f"stack {stack.name}"
    if stack.status not in COMPLETE:
        reason = f": {stack.status_reason}" if stack.status_reason else ""
        yield wrong(subject, f"{stack.status}{reason}", *commands(stack))
        return
    unfinished = [
        f"{entry['LogicalResourceId']} is {entry['ResourceStatus']}"
        for entry in stack.resource_list
        if not entry["ResourceStatus"].endswith("_COMPLETE") or entry["ResourceStatus"] == "DELETE_COMPLETE"
    ]
    missing = [f"no output {name}" for name in NEEDED_OUTPUTS if name not in stack.outputs]
    if unfinished or missing:
        yield wrong(subject, "; ".join(unfinished + missing), DEPLOY)
        return
    yield ok(subject, f"{stack.status}, {len(stack.resource_list)} resources, {stack.region}, account {stack.account}")


def commands(stack: Stack) -> list[str]:
    """What ends each state that is none to stay in."""
    name = {"stack_name": stack.name}
    if stack.status in NEVER_DEPLOYED:
        return [
            aws("cloudformation delete-stack", **name),
            aws("cloudformation wait stack-delete-complete", **name),
            DEPLOY,
        ]
    if stack.status in ROLLED_BACK_BY:
        rollback = aws(f"cloudformation {ROLLED_BACK_BY[stack.status]}", **name)
        return [rollback, aws("cloudformation wait stack-rollback-complete", **name), DEPLOY]
    if stack.status.endswith("_IN_PROGRESS"):
        kind = "rollback" if "ROLLBACK" in stack.status else stack.status.split("_")[0].lower()
        return [aws(f"cloudformation wait stack-{kind}-complete", **name)]
    return [DEPLOY]
