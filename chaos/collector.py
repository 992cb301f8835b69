"""Takes results and dead letters for the ledger, and knows when nothing is under way any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from chaos.dead_letters import dead_events, dead_notification, dead_request
from chaos.evidence import SWEPT_EVENTS, of_notification
from chaos.ledger import Collected, Request, Result, digest
from chaos.stack import ChaosStack, exchange
from local.cases import decoded, read_location
from local.destinations import CALLBACK, INBOXES, NOBODY, TASK, Destinations, result_in

# Delayed notifications and batches that Lambda holds are in no queue: so long must it be quiet.
QUIET_SECONDS = 4.0
# And found so as often: a look that has taken long, because somebody got no turn, tells little of that time.
QUIET_LOOKS = 16
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


class Collector:
    """Empties the queues in which results end all the time; `end` empties the dead-letter queues too."""

    def __init__(self, stack: ChaosStack, destinations: Destinations) -> None:
        self.stack = stack
        self.destinations = destinations
        self.results: dict[str, Result] = {}
        self._end = threading.Event()
        self._error: Exception | None = None
        self._given_up: list[str] | None = None
        self._threads = [threading.Thread(target=self._run, args=(way,)) for way in INBOXES]
        for thread in self._threads:
            thread.start()

    def wait_until_quiet(self, timeout_seconds: float) -> bool:
        """Waits until every queue and the endpoints are empty and stay so; False when that takes too long."""
        deadline = time.monotonic() + timeout_seconds
        quiet_since, looks = time.monotonic(), 0
        while time.monotonic() - quiet_since < QUIET_SECONDS or looks < QUIET_LOOKS:
            if time.monotonic() > deadline:
                return False
            looks += 1
            if self._error or self.under_way():
                quiet_since, looks = time.monotonic(), 0
            time.sleep(0.25)
        return True

    def under_way(self) -> int:
        """Messages in the queues and invocations at the endpoints."""
        queues = (
            self.stack.outputs["RequestQueueUrl"],
            self.stack.resource("S3RequestQueue"),
            self.stack.resource("NotificationQueue"),
            *(self.stack.outputs[inbox] for inbox in INBOXES.values()),
        )
        endpoints = exchange(f"{self.stack.emulator_url}/_emulator/endpoints", None)["endpoints"]
        return sum(self.length(queue) for queue in queues) + sum(
            endpoint["queued"] + endpoint["inProgress"] for endpoint in endpoints
        )

    def length(self, queue_url: str) -> int:
        """Messages in a queue, also those that somebody holds."""
        attributes = self.stack.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(COUNTS))["Attributes"]
        return sum(int(attributes.get(name, 0)) for name in COUNTS)

    def end(self, requests: Iterable[Request]) -> Collected:
        """Everything; notes in requests whose task or callback has timed out."""
        self.stop()
        if self._error:
            raise self._error
        results = list(self.results.values())
        for request in requests:
            if request.to in (TASK, CALLBACK):
                results += self.ended(request)
            elif request.to == NOBODY:
                results += self.polled(request)
        for result in results:
            # Too large for a message: it lies where the result says.
            if result.status == "Completed" and result.output is None and result.location:
                result.output = self.stored(result.location)
        return Collected(
            results,
            [dead_request(message) for message in self._all("RequestDeadLetterQueueUrl")],
            [dead_notification(message) for message in self._all("NotificationDeadLetterQueueUrl")],
            [letter for message in self._all("EventDeadLetterQueueUrl") for letter in dead_events(message)],
        )

    def ended(self, request: Request) -> list[Result]:
        """The result that a task or a callback has, if it has one."""
        end = self.destinations.end_of(request.to, request.token)
        request.timed_out = end is not None and end.is_timed_out
        return [result_of(end.result, request.to, request.token)] if end and end.result else []

    def polled(self, request: Request) -> list[Result]:
        """The output that a sender finds by its name."""
        key = f"output/{request.token}"
        if not self.stack.s3.list_objects_v2(Bucket=self.stack.bucket, Prefix=key)["KeyCount"]:
            return self.given_up(request)
        location = f"s3://{self.stack.bucket}/{key}"
        return [Result(request.id, "Completed", location, self.stored(location), NOBODY)]

    def given_up(self, request: Request) -> list[Result]:
        """What `GET /invocations/{token}` tells a sender of a request that the sweep has given up."""
        if self._given_up is None:
            pages = self.stack.s3.get_paginator("list_objects_v2")
            listed = pages.paginate(Bucket=self.stack.bucket, Prefix="pending/unanswered/")
            keys = [entry["Key"] for page in listed for entry in page.get("Contents", [])]
            objects = (self.stack.s3.get_object(Bucket=self.stack.bucket, Key=key) for key in keys)
            self._given_up = [entry["Body"].read().decode() for entry in objects]
        location = f"s3://{self.stack.bucket}/output/{request.token}"
        is_given_up = any(location in reason for reason in self._given_up)
        return [Result(request.id, "Unanswered", location, None, NOBODY, swept=True)] if is_given_up else []

    def stop(self) -> None:
        """Takes no more results."""
        self._end.set()
        for thread in self._threads:
            thread.join()

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

    def _run(self, way: str) -> None:
        try:
            while not self._end.is_set():
                for message in self.stack.receive(INBOXES[way], 1):
                    self.results[message["MessageId"]] = result_of(result_in(way, message), way)
        except Exception as error:
            self._error = error


def result_of(body: Mapping[str, Any], way: str, token: str = "") -> Result:
    """What a result says that came by this way."""
    inference_id, location = of_notification(body)
    response = body.get("responseBody")
    output = digest(decoded(response)) if response else None
    swept = body.get("eventName") in SWEPT_EVENTS
    return Result(inference_id, body["invocationStatus"], location, output, way, token, swept)
