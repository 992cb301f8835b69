"""SQS with StartMessageMoveTask, which ministack 1.5.33 does not know. Every other call is ministack's."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.stack import LocalStack

PASSED_ON = ("content-type", "x-amzn-query-error", "x-amzn-errortype")
TARGET = "AmazonSQS.StartMessageMoveTask"


@contextmanager
def moving_messages(local: LocalStack) -> Iterator[str]:
    """The URL of such an SQS."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(local))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def handler(local: LocalStack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("x-amz-target") == TARGET:
                answer = move(local, json.loads(body))
                self.answer(200, json.dumps(answer).encode(), {"content-type": "application/x-amz-json-1.0"})
                return
            request = urllib.request.Request(local.url + self.path, body, dict(self.headers.items()))
            try:
                answer = urllib.request.urlopen(request)
            except urllib.error.HTTPError as refusal:
                answer = refusal
            with answer:
                passed_on = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
                self.answer(answer.status, answer.read(), passed_on)

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def move(local: LocalStack, task: dict[str, Any]) -> dict[str, str]:
    """Everything from the one queue to the other. Without a destination it would go to the queue it came from, which a
    message that was sent to the dead-letter queue itself does not have."""
    source, destination = (queue_url(local, task[name]) for name in ("SourceArn", "DestinationArn"))
    while messages := local.sqs.receive_message(
        QueueUrl=source, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages", []):
        for message in messages:
            attributes = message.get("MessageAttributes", {})
            local.sqs.send_message(QueueUrl=destination, MessageBody=message["Body"], MessageAttributes=attributes)
            local.sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
    return {"TaskHandle": "done"}


def queue_url(local: LocalStack, arn: str) -> str:
    return local.sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]
