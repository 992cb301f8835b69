"""Lambda takes messages from the queues: the event source mappings are there, enabled, and answer in part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from doctor.commands import aws
from doctor.finding import Finding, cannot_tell, findings_of, ok, wrong
from doctor.stack import Stack

IN_PART = "ReportBatchItemFailures"
ON_THEIR_WAY = {"Creating", "Enabling", "Updating"}
# Batch size and window as in the template.
MAPPED = {
    "RequestQueue": ("SubmitFunction", 10, 0),
    "S3RequestQueue": ("SubmitFunction", 10, 0),
    "NotificationQueue": ("CollectFunction", 100, 1),
}
DEFAULT_CONCURRENCY = 10


def check(stack: Stack) -> Iterator[Finding]:
    """One mapping for each queue in front of a function."""
    for queue, (function, _, _) in MAPPED.items():
        if queue in stack.resources:
            yield from findings_of(f"mapping of {queue}", mapping, stack, queue, function)


def mapping(stack: Stack, queue: str, function: str) -> Iterator[Finding]:
    """The mapping of one queue."""
    subject = f"mapping of {queue}"
    found = stack.mappings(function, queue)
    if not found:
        yield wrong(subject, f"{function} has no event source mapping for it", create_command(stack, queue, function))
        return
    yield mapping_finding(found[0], subject)


def mapping_finding(entry: dict[str, Any], subject: str) -> Finding:
    """What one mapping says of itself."""
    state, uuid = entry["State"], entry["UUID"]
    if state in ON_THEIR_WAY:
        return cannot_tell(subject, f"{state}: look again in a minute")
    if state != "Enabled":
        return wrong(subject, state, aws("lambda update-event-source-mapping", uuid=uuid, enabled=True))
    if IN_PART not in entry.get("FunctionResponseTypes", []):
        words = f"{IN_PART} is off: messages that failed are deleted with their batch"
        mend = aws("lambda update-event-source-mapping", uuid=uuid, function_response_types=[IN_PART])
        return wrong(subject, words, mend)
    last = entry.get("LastProcessingResult", "nothing processed yet")
    return ok(subject, f"Enabled, batches of {entry.get('BatchSize')}, last: {last}")


def create_command(stack: Stack, queue: str, function: str) -> str:
    """The command that creates the mapping as the template does."""
    _, batch_size, window = MAPPED[queue]
    concurrency = int(stack.parameters.get("MaxConcurrency") or DEFAULT_CONCURRENCY)
    return aws(
        "lambda create-event-source-mapping",
        function_name=stack.resources[function],
        event_source_arn=stack.queue_arn(queue),
        function_response_types=[IN_PART],
        batch_size=str(batch_size),
        maximum_batching_window_in_seconds=str(window),
        scaling_config={"MaximumConcurrency": concurrency},
    )
