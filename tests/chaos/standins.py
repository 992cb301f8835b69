"""Lambda's runtime API and AWS in miniature, for the real binaries: who was told what, and when."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.stack import BINARIES

ANSWER_TIMEOUT_SECONDS = 180


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A function that was killed left its connections behind."""


@contextmanager
def serving(handler: type[Handler]) -> Iterator[str]:
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class Aws:
    """SageMaker's runtime and SQS. What `hangs` says of an inference id is taken, and answered after `go_on` alone."""

    def __init__(self, hangs: Callable[[str], bool] = lambda _id: False) -> None:
        self.taken: list[str] = []
        self.go_on = threading.Event()
        aws = self

        class Calls(Handler):
            def do_POST(self) -> None:
                body = self.body()
                if self.path.endswith("/async-invocations"):
                    inference_id = self.headers["x-amzn-sagemaker-inference-id"]
                    aws.taken.append(inference_id)
                    if hangs(inference_id):
                        aws.go_on.wait()
                    location = f"s3://b/output/{inference_id}.out"
                    answer = json.dumps({"InferenceId": inference_id}).encode()
                    self.answer(202, answer, x_amzn_sagemaker_outputlocation=location)
                    return
                entries = json.loads(body)["Entries"]
                ids = [entry["MessageAttributes"]["InferenceId"]["StringValue"] for entry in entries]
                aws.taken.extend(ids)
                if any(map(hangs, ids)):
                    aws.go_on.wait()
                sent = [{"Id": e["Id"], "MessageId": "m", "MD5OfMessageBody": md5(e["MessageBody"])} for e in entries]
                answer = json.dumps({"Successful": sent}).encode()
                self.answer(200, answer, content_type="application/x-amz-json-1.0")

        self.handler = Calls


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class Function:
    """A function's process under a runtime API of its own."""

    def __init__(self, process: subprocess.Popen, events: queue.Queue, answers: queue.Queue, log: Path) -> None:
        self.process = process
        self._events = events
        self.answers: queue.Queue[tuple[str, Any]] = answers
        self._log = log

    def give(self, event: Any, seconds: float = ANSWER_TIMEOUT_SECONDS) -> None:
        """Hands the function an event, and `seconds` until its deadline."""
        self._events.put((json.dumps(event).encode(), seconds))

    def invoke(self, event: Any, seconds: float = ANSWER_TIMEOUT_SECONDS) -> Any:
        """What the function answers."""
        self.give(event, seconds)
        path, answer = self.answers.get(timeout=ANSWER_TIMEOUT_SECONDS)
        assert path.endswith("/response"), (path, answer)
        return answer

    def logged(self, message: str) -> list[str]:
        """The messages' ids of all lines with this message."""
        lines = [line for line in self._log.read_text(encoding="utf-8").splitlines() if f'"{message}"' in line]
        found = [re.search(r'"(?:sqs\.)?message_id":"([^"]+)"', line) for line in lines]
        return sorted(match.group(1) for match in found if match)


@contextmanager
def function(name: str, aws: str, log: Path) -> Iterator[Function]:
    """The real binary; killed in the end."""
    events: queue.Queue[tuple[bytes, float]] = queue.Queue()
    answers: queue.Queue[tuple[str, Any]] = queue.Queue()

    class RuntimeApi(Handler):
        def do_GET(self) -> None:
            event, seconds = events.get()
            self.answer(
                200,
                event,
                Lambda_Runtime_Aws_Request_Id="00000000-0000-4000-8000-000000000000",
                Lambda_Runtime_Deadline_Ms=str(int((time.time() + seconds) * 1000)),
                Lambda_Runtime_Invoked_Function_Arn=f"arn:aws:lambda:us-east-1:0:function:{name}",
                Lambda_Runtime_Trace_Id="Root=1-0-0",
                content_type="application/json",
            )

        def do_POST(self) -> None:
            answers.put((self.path, json.loads(self.body())))
            self.answer(202)

    with serving(RuntimeApi) as api, log.open("wb") as output:
        process = subprocess.Popen([BINARIES / name], env=environment(api, aws), stdout=output, stderr=output)
        try:
            yield Function(process, events, answers, log)
        finally:
            process.kill()
            process.wait()


def environment(api: str, aws: str) -> dict[str, str]:
    """What Lambda gives a function, and the bridge's variables."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": api,
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_STREAM_NAME": "s",
        "AWS_LAMBDA_LOG_GROUP_NAME": "g",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": f"http://{aws}",
        "BRIDGE_ENDPOINT_NAME": "e",
        "BRIDGE_INPUT_LOCATION": "s3://bucket/input/",
        "BRIDGE_RESULT_BODY_LIMIT_BYTES": "1000000",
        "BRIDGE_RESULTS_QUEUE_URL": f"http://{aws}/0/results",
    }


def batch(bodies: dict[str, str], receipt: int = 1) -> dict[str, Any]:
    """An event of SQS: message id to body."""
    source = {"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:0:q", "messageAttributes": {}}
    attributes = {"ApproximateReceiveCount": str(receipt)}
    return {"Records": [{**source, "messageId": i, "attributes": attributes, "body": b} for i, b in bodies.items()]}


def failed(answer: dict[str, Any]) -> list[str]:
    """The messages that an answer gives back."""
    return sorted(failure["itemIdentifier"] for failure in answer["batchItemFailures"])
