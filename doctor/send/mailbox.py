"""A queue that others take from too: own messages are taken, all others are given back at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from doctor.faults import in_words, raise_if_fatal

# As long as it takes to give a message back. If that is not allowed, or the doctor is killed, others wait for so long.
VISIBILITY_SECONDS = 10


class Mailbox:
    """A queue's URL, and the inference ids whose messages are taken. `problem`: why nothing can be taken from it."""

    def __init__(self, sqs: Any, url: str, inference_ids: Iterable[str], problem: str | None = None) -> None:
        self._sqs = sqs
        self.url = url
        self._inference_ids = set(inference_ids)
        self.problem = problem
        self.others = 0

    def take(self, wait_seconds: int) -> list[dict[str, Any]]:
        """Own messages, which are deleted. What was received of others is visible again when this returns."""
        if self.problem is not None:
            return []
        taken: list[dict[str, Any]] = []
        try:
            received = self._sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=VISIBILITY_SECONDS,
                WaitTimeSeconds=wait_seconds,
                MessageAttributeNames=["All"],
            )
            for message in received.get("Messages", []):
                taken += self._settled(message)
        except (BotoCoreError, ClientError) as error:
            raise_if_fatal(error)
            self.problem = in_words(error)
        return taken

    def _settled(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """The message if it is an own one."""
        handle = {"QueueUrl": self.url, "ReceiptHandle": message["ReceiptHandle"]}
        if attribute(message, "InferenceId") in self._inference_ids:
            self._sqs.delete_message(**handle)
            return [message]
        self.others += 1
        self._sqs.change_message_visibility(**handle, VisibilityTimeout=0)
        return []


def attribute(message: dict[str, Any], name: str) -> str | None:
    """A message attribute's text."""
    return message.get("MessageAttributes", {}).get(name, {}).get("StringValue")
