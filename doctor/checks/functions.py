"""The functions can run: active, up to date, and built for the processor that they are configured for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from doctor.commands import Shell, aws
from doctor.faults import is_missing
from doctor.finding import Finding, cannot_tell, findings_of, ok, wrong
from doctor.package import MACHINES, PackageError, architecture
from doctor.stack import Stack

FUNCTIONS = ("SubmitFunction", "CollectFunction")


def check(stack: Stack) -> Iterator[Finding]:
    """Both functions."""
    for logical_id in FUNCTIONS:
        yield from findings_of(logical_id, function, stack, logical_id)


def function(stack: Stack, logical_id: str) -> Iterator[Finding]:
    """One function: its state, then its package."""
    try:
        answer = stack.function(logical_id)
    except ClientError as error:
        if not is_missing(error):
            raise
        yield wrong(logical_id, "it does not exist", "make deploy")
        return
    state = state_finding(answer["Configuration"], logical_id)
    yield state or ok(logical_id, f"Active, last update Successful, {answer['Configuration'].get('MemorySize')} MB")
    yield from findings_of(f"package of {logical_id}", package, stack, logical_id, answer)


def state_finding(configuration: dict[str, Any], subject: str) -> Finding | None:
    """What keeps the function from running; None if nothing does.

    https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
    """
    name = configuration["FunctionName"]
    state, update = configuration.get("State", "Active"), configuration.get("LastUpdateStatus", "Successful")
    if state == "Pending" or update == "InProgress":
        waiter = "function-active-v2" if state == "Pending" else "function-updated-v2"
        words = f"{state}, last update {update}: {configuration.get('StateReason', '')}".rstrip(": ")
        return wrong(subject, words, aws(f"lambda wait {waiter}", function_name=name))
    if state == "Inactive":
        # The next invocation fails, and wakes it.
        wake = aws("lambda invoke", function_name=name)
        wait = aws("lambda wait function-active-v2", function_name=name)
        return wrong(subject, "Inactive: idle for weeks", f"{wake} /dev/null || true", wait)
    reason = configuration.get("StateReason") if state != "Active" else configuration.get("LastUpdateStatusReason")
    if state != "Active" or update != "Successful":
        return wrong(subject, f"{state}, last update {update}: {reason or 'no reason given'}", "make deploy")
    return None


def package(stack: Stack, logical_id: str, answer: dict[str, Any]) -> Iterator[Finding]:
    """Whether the program in the package runs on the configured processor."""
    subject = f"package of {logical_id}"
    configured = answer["Configuration"].get("Architectures", ["x86_64"])[0]
    location = answer.get("Code", {}).get("Location")
    if location is None:
        yield cannot_tell(subject, "Lambda gives no address of it: it is not a ZIP package")
        return
    try:
        built = architecture(location, stack.aws.call_limits.read_seconds)
    except PackageError as error:
        yield wrong(subject, str(error), "make deploy")
        return
    if built == configured:
        yield ok(subject, f"built for {built}, as configured")
        return
    words = f"built for {built}, but the function is configured for {configured}: it cannot start"
    if built not in MACHINES.values():
        yield wrong(subject, words, "make deploy")
        return
    yield wrong(subject, words, *architecture_commands(answer["Configuration"]["FunctionName"], built))


def architecture_commands(name: str, built: str) -> list[str]:
    """Commands that give the function the processor that its package was built for. Lambda takes one only with code."""
    location = aws("lambda get-function", function_name=name, query="Code.Location", output="text")
    package = Shell('"fileb://$PACKAGE"')
    return [
        'PACKAGE="$(mktemp)"',
        f'curl --silent --show-error --fail --output "$PACKAGE" "$({location})"',
        aws("lambda update-function-code", function_name=name, architectures=[built], zip_file=package),
        aws("lambda wait function-updated-v2", function_name=name),
        f"# and answer the parameter Architecture with {built} at the next deployment",
    ]
