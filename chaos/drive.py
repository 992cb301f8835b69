"""Sends the requests of a run at a steady rate, and notes what their senders learn."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import BotoCoreError, ClientError

from chaos.events import EventSenders, identify
from chaos.faults import fraction
from chaos.ledger import ACCEPTED, DIRECT, HTTP, HTTP_KEY, SQS, TURNED_DOWN, UNKNOWN
from chaos.requests import Sending, complete, pointer_key
from chaos.stack import ECHO, ChaosStack
from local.bridge import message_attribute
from local.destinations import CALLBACK, TASK, Destinations
from local.sources import HEADERS

# What says that a request was accepted: its place, its output, or its failure.
ACCEPTING = (200, 202, 303, 424)
# What a caller with an Idempotency-Key asks again after.
AGAIN = (409, 429, 500, 502, 503, 504)
TRIES = 8
PAUSE_SECONDS = 0.5
SQS_BATCH_MESSAGES, SQS_BATCH_BYTES = 10, 900_000
SENDERS = 12
# Tasks and callbacks that are begun at once.
ADDRESSING = 4
# What a direct invocation is told: that the same request never will, or may be accepted.
FINAL_ERRORS = ("ValidationError", "AccessDeniedException", "PayloadTooLarge")
PASSING_ERRORS = ("ThrottlingException", "ServiceUnavailable", "InternalFailure")
# Of requests by HTTP, which ask for the output in the same call.
WAITING = 0.1


class Driver:
    """Sends requests; `done` once all have been sent and answered."""

    def __init__(self, stack: ChaosStack, destinations: Destinations, seed: int, rate: float) -> None:
        self.stack = stack
        self.destinations = destinations
        self._lambda = stack.client("lambda")
        self._senders = {
            **EventSenders(stack).by_way,
            HTTP: self.by_http,
            HTTP_KEY: self.by_http,
            DIRECT: self.directly,
        }
        self.seed = seed
        self.rate = rate
        self.done = threading.Event()
        self.sent = 0

    def run(self, sendings: Iterable[Sending]) -> list[Sending]:
        """Sends all of them; gives them back with their records completed."""
        begun = time.monotonic()
        everything: list[Sending] = []
        with ThreadPoolExecutor(SENDERS) as senders, ThreadPoolExecutor(ADDRESSING) as addressing:
            waiting = []
            for batch in batches(sendings, SQS_BATCH_MESSAGES):
                for sending, address in zip(batch, addressing.map(self.address, batch), strict=True):
                    complete(sending, self.stack.bucket, address)
                self.upload(batch)
                for sending in batch:
                    if sending.record.way != SQS:
                        waiting.append(senders.submit(self._senders[sending.record.way], sending))
                self.by_sqs([sending for sending in batch if sending.record.way == SQS])
                everything += batch
                self.sent = len(everything)
                time.sleep(max(begun + self.sent / self.rate - time.monotonic(), 0))
            for answer in waiting:
                answer.result()
        self.done.set()
        return everything

    def address(self, sending: Sending) -> dict[str, str]:
        """The return address; a new task or callback, where one is to wait for the result."""
        record = sending.record
        if record.to in (TASK, CALLBACK):
            record.token = record.id
        return self.destinations.address(record.to, record.id, hasty=sending.is_hasty)

    def upload(self, batch: list[Sending]) -> None:
        """Puts the objects of pointers into their place."""
        for sending in batch:
            if sending.upload is not None:
                self.stack.s3.put_object(Bucket=self.stack.bucket, Key=pointer_key(sending), Body=sending.upload)

    def by_sqs(self, batch: list[Sending]) -> None:
        """Sends messages in as few calls as SQS's limit on bytes allows."""
        part: list[Sending] = []
        for sending in batch:
            if part and sum(len(other.body) for other in part) + len(sending.body) > SQS_BATCH_BYTES:
                self.send_batch(part)
                part = []
            part.append(sending)
        if part:
            self.send_batch(part)

    def send_batch(self, batch: list[Sending]) -> None:
        """One call; a message without an inference id is known by the id that SQS gives it."""
        entries = [
            {
                "Id": str(index),
                "MessageBody": sending.body.decode(),
                "MessageAttributes": {name: message_attribute(value) for name, value in sending.attributes.items()},
            }
            for index, sending in enumerate(batch)
        ]
        queue = self.stack.outputs["RequestQueueUrl"]
        answer = self.stack.sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        if answer.get("Failed"):
            raise RuntimeError(f"the local SQS refused a request: {answer['Failed'][0]}")
        for entry in answer["Successful"]:
            identify(batch[int(entry["Id"])], entry["MessageId"])

    def by_http(self, sending: Sending) -> None:
        """Asks once, or with an Idempotency-Key until there is an answer that stays."""
        record = sending.record
        with_key = record.way == HTTP_KEY
        tries = TRIES if with_key else 1
        for record.tries in range(1, tries + 1):
            record.status, retry_after = self.post(sending, with_key)
            if record.status in ACCEPTING:
                record.sent = ACCEPTED
                return
            record.sent = TURNED_DOWN if record.status else UNKNOWN
            if record.tries == tries or (record.status and record.status not in AGAIN):
                return
            time.sleep(max(PAUSE_SECONDS * record.tries, retry_after))

    def directly(self, sending: Sending) -> None:
        """Invokes the function until it has an answer that stays, as `Retry` of a state machine would."""
        record = sending.record
        body = {} if "InputLocation" in sending.attributes else {"Body": sending.body.decode()}
        event = json.dumps(body | sending.attributes).encode()
        for record.tries in range(1, TRIES + 1):
            try:
                answer = self._lambda.invoke(FunctionName=self.stack.outputs["SubmitFunctionArn"], Payload=event)
                told = json.loads(answer["Payload"].read())
            except (BotoCoreError, ClientError, ValueError):
                answer, told = {"FunctionError": "Unhandled"}, {}
            if not answer.get("FunctionError"):
                record.sent, record.status = ACCEPTED, 200
                return
            error = told.get("errorType")
            record.sent = TURNED_DOWN if error in (*FINAL_ERRORS, *PASSING_ERRORS) else UNKNOWN
            if error in FINAL_ERRORS:
                return
            time.sleep(PAUSE_SECONDS * record.tries)

    def post(self, sending: Sending, with_key: bool) -> tuple[int, int]:
        """The status of the answer, 0 for none, and after how many seconds to ask again."""
        path = "/invocations" if sending.endpoint == ECHO else f"/endpoints/{sending.endpoint}/async-invocations"
        headers = {"Content-Type": "application/json", "X-Amzn-SageMaker-Inference-Id": sending.record.id}
        for name in ("ReplyTo", "Filename", "RequestTTLSeconds", "InvocationTimeoutSeconds"):
            if name in sending.attributes:
                headers[HEADERS[name]] = str(sending.attributes[name])
        if with_key:
            headers["Idempotency-Key"] = f"key-{sending.record.id}"
        if fraction(self.seed, "wait", sending.record.id) < WAITING:
            headers["Prefer"] = "wait=2"
        try:
            answer = self.stack.http("POST", path, sending.body, sign=False, headers=headers)
        except (OSError, http.client.HTTPException):
            return 0, 0
        return answer.status, int(answer.headers.get("retry-after", 0))


def batches(sendings: Iterable[Sending], size: int) -> Iterable[list[Sending]]:
    """In groups of up to `size`."""
    iterator = iter(sendings)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
