"""Sends requests in events that nobody waits for: objects put into S3, events of EventBridge, messages of SNS."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from chaos.ledger import EVENT, S3, SNS
from chaos.requests import Sending, request_key
from chaos.stack import ChaosStack
from local.bridge import message_attribute
from local.sources import EVENT_SOURCE, REQUEST_TOPIC


class EventSenders:
    """A sender for each way. What names no inference id is known by the id that AWS gives it."""

    def __init__(self, stack: ChaosStack) -> None:
        self.stack = stack
        self._events = stack.client("events")
        self.by_way: Mapping[str, Callable[[Sending], None]] = {
            S3: self.by_s3,
            EVENT: self.by_eventbridge,
            SNS: self.by_sns,
        }

    def by_s3(self, sending: Sending) -> None:
        """An object under `requests/`."""
        self.stack.s3.put_object(Bucket=self.stack.bucket, Key=request_key(sending), Body=sending.body)

    def by_eventbridge(self, sending: Sending) -> None:
        """An event whose detail is a request as by direct invocation."""
        detail = json.dumps({"Body": sending.body.decode(), **sending.attributes})
        event = {"Source": EVENT_SOURCE, "DetailType": "Order Placed", "Detail": detail}
        answer = self._events.put_events(Entries=[event])
        if answer["FailedEntryCount"]:
            raise RuntimeError(f"the local EventBridge refused a request: {answer['Entries'][0]}")
        identify(sending, answer["Entries"][0]["EventId"])

    def by_sns(self, sending: Sending) -> None:
        """A message with attributes."""
        attributes = {name: message_attribute(value) for name, value in sending.attributes.items()}
        published = self.stack.sns.publish(
            TopicArn=REQUEST_TOPIC, Message=sending.body.decode(), MessageAttributes=attributes
        )
        identify(sending, published["MessageId"])


def identify(sending: Sending, given: str) -> None:
    """Notes the id that AWS gave a request, if that becomes its inference id."""
    if "InferenceId" not in sending.attributes:
        sending.record.id = given
