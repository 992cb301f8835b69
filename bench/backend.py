"""AWS without latency: takes every invocation, object and message, and answers what an SDK needs to be content."""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OUTPUT = b'{"summary":"' + b"x" * 2_000 + b'"}'


class Backend(BaseHTTPRequestHandler):
    """SageMaker's runtime, S3 and SQS by path and method."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Nothing: a line a request would be measured with the rest."""

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def do_PUT(self) -> None:
        """S3 takes an object."""
        self._body()
        self._answer(200, etag='"0"')

    def do_GET(self) -> None:
        """S3 gives an object."""
        self._answer(200, OUTPUT, content_type="application/json")

    def do_POST(self) -> None:
        """SageMaker accepts an invocation, SQS messages."""
        body = self._body()
        if self.path.endswith("/async-invocations"):
            answer = json.dumps({"InferenceId": self.headers.get("x-amzn-sagemaker-inference-id", "i")}).encode()
            self._answer(202, answer, x_amzn_sagemaker_outputlocation="s3://bucket/output/x.out")
            return
        request = json.loads(body)
        sent = [
            {"Id": entry.get("Id", "0"), "MessageId": "m", "MD5OfMessageBody": md5(entry["MessageBody"])}
            for entry in request.get("Entries", [request])
        ]
        answer = {"Successful": sent} if "Entries" in request else sent[0]
        self._answer(200, json.dumps(answer).encode(), content_type="application/x-amz-json-1.0")


def md5(text: str) -> str:
    """The digest that boto3 checks SQS's answer by."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class Server(ThreadingHTTPServer):
    """A server on a free port that takes a killed client for what it is: the end of a run."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, *_: object) -> None:
        """Nothing: a function's failure shows in what it answers."""


def serve() -> Server:
    """A backend on a free port; the caller runs and closes it."""
    return Server(Backend)
