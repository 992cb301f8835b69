#!/usr/bin/env python3
"""Takes results from the results queue and writes their outputs into a directory.

    python3 consumer.py "$RESULTS_QUEUE_URL" --table results-handled --directory outputs

Needs boto3. Replace `Directory` with what is to be done with a result; docs/consumers.md says what else to decide.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import threading
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from results import Completed, Failed, Notification, Result
from store import DynamoDBStore, Store, Taken

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

BATCH_LIMIT_MESSAGES = 10
WAIT_SECONDS = 20
FETCH_LIMIT_SECONDS = 30
FETCH_LIMIT_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
# S3 answers within a second or not at all. A fetch that hangs must end long before its message becomes visible again.
S3_CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2, "mode": "standard"})

log = logging.getLogger("consumer")


class Consumer:
    """Handles up to `concurrency` results at once, each by itself: one that hangs or fails holds up no other."""

    def __init__(
        self,
        sqs: SQSClient,
        s3: S3Client,
        store: Store,
        handle: Callable[[Result], None],
        *,
        queue_url: str,
        visibility_seconds: int = 120,
        concurrency: int = BATCH_LIMIT_MESSAGES,
    ) -> None:
        """`visibility_seconds`: longer than a fetch and `handle` take together. What fails comes back after it."""
        self._sqs, self._s3, self._store, self._handle = sqs, s3, store, handle
        self._queue_url, self._visibility_seconds, self._concurrency = queue_url, visibility_seconds, concurrency

    def run(self, stop: threading.Event) -> None:
        """Goes on until `stop` is set; ends when everything that was received has been handled."""
        running: set[Future[None]] = set()
        with ThreadPoolExecutor(self._concurrency) as pool:
            while not stop.is_set():
                if len(running) == self._concurrency:
                    wait(running, return_when=FIRST_COMPLETED)
                running = {future for future in running if not future.done()}
                messages = self._receive(self._concurrency - len(running))
                running |= {pool.submit(self._process, message) for message in messages}

    def _receive(self, free: int) -> list[MessageTypeDef]:
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=min(free, BATCH_LIMIT_MESSAGES),
            WaitTimeSeconds=WAIT_SECONDS,
            VisibilityTimeout=self._visibility_seconds,
        )
        return answer.get("Messages", [])

    def _process(self, message: MessageTypeDef) -> None:
        """Handles a message and deletes it, or leaves it to come back."""
        try:
            if self._is_handled(Notification(message["Body"], message["MessageId"])):
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
        except Exception:
            log.exception("message %s not handled, it comes back", message["MessageId"])

    def _is_handled(self, notification: Notification) -> bool:
        token = self._store.begin(notification.key)
        if isinstance(token, Taken):
            log.info("%s of %s: %s", notification.status, notification.inference_id, token.value)
            return token is Taken.DONE
        try:
            self._handle(notification.result(self._fetch))
        except BaseException:
            self._store.abandon(notification.key, token)
            raise
        self._store.finish(notification.key, token)
        return True

    def _fetch(self, bucket: str, key: str) -> bytes:
        """An output of at most FETCH_LIMIT_BYTES, within FETCH_LIMIT_SECONDS."""
        deadline = time.monotonic() + FETCH_LIMIT_SECONDS
        answer = self._s3.get_object(Bucket=bucket, Key=key)
        if answer["ContentLength"] > FETCH_LIMIT_BYTES:
            raise ValueError(f"the output has more than {FETCH_LIMIT_BYTES} bytes: stream it")
        output = bytearray()
        for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
            output += chunk
            if time.monotonic() > deadline:
                raise TimeoutError(f"the output did not come within {FETCH_LIMIT_SECONDS} s")
        return bytes(output)


class Directory:
    """Writes what the model said into a file and prints a line for each result. Doing so twice changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, result: Result) -> None:
        """Handles a result."""
        line: dict[str, str | None] = {
            "result": type(result).__name__,
            "inferenceId": result.inference_id,
            "endpointName": result.endpoint_name,
        }
        match result:
            case Completed(output=output):
                line["file"] = self._write(f"{result.inference_id}.out", output)
            case Failed(failure_output=output):
                line |= {"status": result.status, "reason": result.reason}
                if output is not None:
                    line["file"] = self._write(f"{result.inference_id}.failure", output)
            case _:
                line["reason"] = result.reason
        print(json.dumps(line), flush=True)

    def _write(self, name: str, content: bytes) -> str:
        # An inference id may have any character, `/` too.
        path = self._path / urllib.parse.quote(name, safe="")
        path.write_bytes(content)
        return str(path)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description="Takes results from the results queue.")
    parser.add_argument("queue_url", help="the stack's output ResultsQueueUrl")
    parser.add_argument("--table", required=True, help="DynamoDB table that remembers what is handled")
    parser.add_argument("--directory", type=Path, required=True, help="where outputs are written")
    parser.add_argument("--visibility-seconds", type=int, default=120, help="how long a result may take")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    store = DynamoDBStore(boto3.client("dynamodb"), options.table, lease_seconds=options.visibility_seconds)
    consumer = Consumer(
        boto3.client("sqs"),
        boto3.client("s3", config=S3_CONFIG),
        store,
        Directory(options.directory),
        queue_url=options.queue_url,
        visibility_seconds=options.visibility_seconds,
    )
    consumer.run(stop)


if __name__ == "__main__":
    main()
