"""The dead-letter queues are empty, else how much lies there, since when, and why.

To know why, up to ten messages are received with a visibility timeout of 0: they stay visible, and nobody is kept from
them. What changes is their receive count, which no redrive policy of these queues looks at. No payload is shown.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from doctor.commands import aws
from doctor.faults import in_words, is_missing
from doctor.finding import Finding, findings_of, ok, wrong
from doctor.queue_commands import DEAD_LETTER_QUEUES, recreate_commands
from doctor.reasons import reason
from doctor.stack import Stack

LOOKED_AT = 10
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


def check(stack: Stack) -> Iterator[Finding]:
    """Each queue."""
    for logical_id in DEAD_LETTER_QUEUES.values():
        if logical_id not in stack.resources:
            continue
        yield from findings_of(logical_id, dead_letters, stack, logical_id)


def dead_letters(stack: Stack, logical_id: str) -> Iterator[Finding]:
    """One dead-letter queue."""
    url = stack.resources[logical_id]
    try:
        attributes = stack.queue_attributes(url)
    except ClientError as error:
        if not is_missing(error):
            raise
        yield wrong(logical_id, "it does not exist", *recreate_commands(stack, logical_id))
        return
    count = count_of(attributes)
    if count == 0:
        yield ok(logical_id, "empty")
        return
    yield wrong(logical_id, f"{count} messages{age_and_reasons(stack, url)}", *move_commands(stack, logical_id))


def count_of(attributes: dict[str, str]) -> int:
    """Messages in a queue, visible or not."""
    return sum(int(attributes.get(name, "0")) for name in COUNTS)


def age_and_reasons(stack: Stack, url: str) -> str:
    """Age and reasons of those messages that can be looked at."""
    try:
        messages = stack.aws.call(
            "sqs",
            "receive_message",
            QueueUrl=url,
            MaxNumberOfMessages=LOOKED_AT,
            VisibilityTimeout=0,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["SentTimestamp", "DeadLetterQueueSourceArn"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
    except (BotoCoreError, ClientError) as error:
        return f"; the reasons are unknown: {in_words(error)}"
    if not messages:
        return ", none of them visible just now"
    # The first send counts, also for what another queue handed on.
    oldest = min(int(message["Attributes"]["SentTimestamp"]) for message in messages) / 1000
    reasons = Counter(map(reason, messages)).most_common()
    since = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(oldest))
    why = "; ".join(f"{words} ({count})" for words, count in reasons)
    return f"; of the {len(messages)} looked at, the oldest was sent {since}; reasons: {why}"


def move_commands(stack: Stack, logical_id: str) -> list[str]:
    """Commands that give the messages back for another try."""
    purge = aws("sqs purge-queue", queue_url=stack.resources[logical_id]).replace(" \\\n ", "")
    return [
        "# first see to the reasons, or they come back",
        f"make redrive STACK={stack.name} QUEUE={logical_id} RUN=1",
        f"# or, if nobody needs them: {purge}",
    ]
