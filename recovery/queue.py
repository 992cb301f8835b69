"""A queue whose messages are looked at one by one, without losing any."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from doctor.aws import Aws
from doctor.faults import in_words

# Answers why a message was not taken, None if it was.
HandOver = Callable[[dict[str, Any]], str | None]

# Longer than a batch takes: eight at once, ten in all, and a run of `collect` may take a minute.
HIDDEN_SECONDS = 900
# What AWS tells the time in.
CLOCK_SECONDS = 1
# The most that SQS gives, and takes, at once.
BATCH = 10
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
EVERYTHING = ["All"]


class Queue:
    """What lies in a queue now. At the end of its `with`, whatever was not deleted is visible again.

    Messages are hidden meanwhile, so that each is met once. Their receive count rises by one.
    """

    def __init__(self, aws: Aws, url: str) -> None:
        """Asks for the number of messages, and for AWS's own time."""
        self.aws, self.url = aws, url
        answer = aws.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=list(COUNTS))
        self.count = sum(int(answer["Attributes"].get(name, "0")) for name in COUNTS)
        # In whole seconds: what comes a second later came after it.
        began = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        self._until_ms = (began.timestamp() + CLOCK_SECONDS) * 1000
        self._hidden: dict[str, str] = {}
        self._undeletable: str | None = None

    def __enter__(self) -> Queue:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
            for number, handle in enumerate(self._hidden.values())
        ]
        for start in range(0, len(entries), BATCH):
            self.aws.call(
                "sqs", "change_message_visibility_batch", QueueUrl=self.url, Entries=entries[start : start + BATCH]
            )

    def batches(self) -> Iterator[list[dict[str, Any]]]:
        """The messages that lie there from the beginning on. What comes back while others are sent is left alone."""
        is_first = True
        while messages := self._received():
            if is_first:
                is_first = False
                time.sleep(CLOCK_SECONDS)
            known = self._hidden.keys() & {message["MessageId"] for message in messages}
            self._hidden |= {message["MessageId"]: message["ReceiptHandle"] for message in messages}
            if len(known) == len(messages):
                return
            yield [
                message
                for message in messages
                if message["MessageId"] not in known and int(message["Attributes"]["SentTimestamp"]) < self._until_ms
            ]

    def hand_over(self, message: dict[str, Any], hand_over: HandOver) -> str | None:
        """Why a message stays; None if it was handed over, and then deleted."""
        if self._undeletable is not None:
            return f"not tried, since none could be deleted: {self._undeletable}"
        problem = hand_over(message)
        if problem is not None:
            return problem
        try:
            self.aws.call("sqs", "delete_message", QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        except (BotoCoreError, ClientError) as error:
            self._undeletable = in_words(error)
            return f"it was handed over, and will be once more: {self._undeletable}"
        self._hidden.pop(message["MessageId"])
        return None

    def _received(self) -> list[dict[str, Any]]:
        return self.aws.call(
            "sqs",
            "receive_message",
            QueueUrl=self.url,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=EVERYTHING,
            MessageAttributeNames=EVERYTHING,
        ).get("Messages", [])
