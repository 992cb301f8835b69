"""Takes results and dead letters for the ledger, and knows when nothing is under way any more."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from chaos.evidence import of_notification
from chaos.ledger import REASON, DeadLetter, Result, digest, whole
from chaos.stack import ChaosStack, exchange
from local.cases import decoded, read_location

# Delayed notifications and batches that Lambda holds are in no queue: so long must it be quiet.
QUIET_SECONDS = 4.0
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


class Collector:
    """Empties the results queue all the time; `end` empties the dead-letter queues too."""

    def __init__(self, stack: ChaosStack) -> None:
        self.stack = stack
        self.results: dict[str, Result] = {}
        self._end = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def wait_until_quiet(self, timeout_seconds: float) -> bool:
        """Waits until every queue and the endpoints are empty and stay so; False when that takes too long."""
        deadline = time.monotonic() + timeout_seconds
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < QUIET_SECONDS:
            if time.monotonic() > deadline:
                return False
            if self._error or self.under_way():
                quiet_since = time.monotonic()
            time.sleep(0.25)
        return True

    def under_way(self) -> int:
        """Messages in the queues and invocations at the endpoints."""
        queues = (
            self.stack.outputs["RequestQueueUrl"],
            self.stack.resource("NotificationQueue"),
            self.stack.outputs["ResultsQueueUrl"],
        )
        endpoints = exchange(f"{self.stack.emulator_url}/_emulator/endpoints", None)["endpoints"]
        return sum(self.length(queue) for queue in queues) + sum(
            endpoint["queued"] + endpoint["inProgress"] for endpoint in endpoints
        )

    def length(self, queue_url: str) -> int:
        """Messages in a queue, also those that somebody holds."""
        attributes = self.stack.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(COUNTS))["Attributes"]
        return sum(int(attributes.get(name, 0)) for name in COUNTS)

    def end(self) -> tuple[list[Result], list[DeadLetter], list[DeadLetter]]:
        """Results, dead requests, dead notifications."""
        self.stop()
        if self._error:
            raise self._error
        for result in self.results.values():
            # Too large for a message: it lies where the result says.
            if result.status == "Completed" and result.output is None and result.location:
                result.output = self.stored(result.location)
        requests = [dead_request(message) for message in self._all("RequestDeadLetterQueueUrl")]
        notifications = [dead_notification(message) for message in self._all("NotificationDeadLetterQueueUrl")]
        return list(self.results.values()), requests, notifications

    def stop(self) -> None:
        """Takes no more results."""
        self._end.set()
        self._thread.join()

    def stored(self, location: str) -> str:
        """Digest of an output in S3."""
        try:
            return digest(read_location(self.stack, location))
        except ClientError as error:
            return f"not there: {error.response['Error']['Code']}"

    def _all(self, output: str) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        while more := self.stack.receive(output):
            messages += more
        return messages

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                for message in self.stack.receive("ResultsQueueUrl", 1):
                    self.results[message["MessageId"]] = result_of(message)
        except Exception as error:
            self._error = error


def result_of(message: Mapping[str, Any]) -> Result:
    """What a message of the results queue says."""
    body = json.loads(message["Body"])
    inference_id, location = of_notification(body)
    response = body.get("responseBody")
    output = digest(decoded(response)) if response else None
    return Result(inference_id, body["invocationStatus"], location, output)


def dead_request(message: Mapping[str, Any]) -> DeadLetter:
    """A request as it lies in its dead-letter queue."""
    attributes = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
    inference_id = attributes.get("InferenceId", message["MessageId"])
    return DeadLetter(inference_id, whole(message["Body"], attributes), reason=attributes.get(REASON))


def dead_notification(message: Mapping[str, Any]) -> DeadLetter:
    """A notification as it lies in its dead-letter queue: whole while it says which result is where."""
    return quietly(lambda: _notification(json.loads(message["Body"])), DeadLetter("", ""))


def _notification(body: Mapping[str, Any]) -> DeadLetter:
    inference_id, location = of_notification(body)
    return DeadLetter(inference_id, "whole" if inference_id and location else "", location)


def quietly(read: Callable[[], DeadLetter], otherwise: DeadLetter) -> DeadLetter:
    """What cannot be read is not whole."""
    try:
        return read()
    except (ValueError, AttributeError, TypeError):
        return otherwise
