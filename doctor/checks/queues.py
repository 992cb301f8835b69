"""The queues are there, and what fails again and again leaves them for their dead-letter queues."""

from __future__ import annotations

import json
from collections.abc import Iterator

from botocore.exceptions import ClientError

from doctor.commands import aws
from doctor.faults import is_missing
from doctor.finding import Finding, findings_of, ok, wrong
from doctor.queue_commands import DEAD_LETTER_QUEUES, recreate_commands, redrive_policy
from doctor.stack import Stack


def check(stack: Stack) -> Iterator[Finding]:
    """Every queue that the stack has."""
    for logical_id in ("RequestQueue", "S3RequestQueue", "NotificationQueue", "ResultsQueue"):
        if logical_id in stack.resources:
            yield from findings_of(logical_id, queue, stack, logical_id)


def queue(stack: Stack, logical_id: str) -> Iterator[Finding]:
    """One queue and its redrive policy."""
    try:
        attributes = stack.queue_attributes(stack.resources[logical_id])
    except ClientError as error:
        if not is_missing(error):
            raise
        yield wrong(logical_id, "it does not exist", *recreate_commands(stack, logical_id))
        return
    waiting = f"{attributes.get('ApproximateNumberOfMessages', '?')} messages"
    dead_letters = DEAD_LETTER_QUEUES.get(logical_id)
    if dead_letters is None:
        yield ok(logical_id, waiting)
        return
    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    wanted = stack.queue_arn(dead_letters)
    if policy.get("deadLetterTargetArn") == wanted:
        yield ok(logical_id, f"{waiting}, {dead_letters} after {policy['maxReceiveCount']} receipts")
        return
    none = "it has no redrive policy: a message that keeps failing comes back until it expires"
    words = f"its dead-letter queue is {policy['deadLetterTargetArn']}, not {dead_letters}" if policy else none
    mend = aws(
        "sqs set-queue-attributes",
        queue_url=stack.resources[logical_id],
        attributes={"RedrivePolicy": redrive_policy(stack, logical_id)},
    )
    yield wrong(logical_id, words, mend)
