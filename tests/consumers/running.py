"""Consumers of examples/consumers/ as running programs, and an S3 that hangs for them."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.bridge import REGION, ROOT_KEY, wait_for
from local.stack import LocalStack

TIMEOUT_SECONDS = 240
# Seconds that a result may take when a test does not want it to come back.
LONG = 600
STORE = "results-handled"
NUDGE = "nudge-"

# The command of a consumer for a stack; the queue's URL, --directory and --visibility-seconds are added.
Program = Callable[[LocalStack], list[str]]


class Consumer:
    """A running consumer: what it printed, line by line, and where it writes outputs."""

    def __init__(self, command: list[str], environment: dict[str, str], directory: Path) -> None:
        self.directory = directory
        self.lines: list[dict[str, Any]] = []
        self.log_file = directory.with_suffix(".log")
        with self.log_file.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in map(json.loads, self.process.stdout):
            if not line["inferenceId"].startswith(NUDGE):
                self.lines.append(line)

    @property
    def log(self) -> str:
        """What it wrote to stderr."""
        return self.log_file.read_text(encoding="utf-8")

    def of(self, inference_id: str) -> list[dict[str, Any]]:
        """The lines of an inference."""
        return [line for line in self.lines if line["inferenceId"] == inference_id]

    def wait_for(self, inference_id: str) -> dict[str, Any]:
        """The line of an inference."""

        def arrived() -> bool:
            assert self.process.poll() is None, self.log
            return bool(self.of(inference_id))

        wait_for(arrived, TIMEOUT_SECONDS, f"{inference_id} handled: {self.log}")
        return self.of(inference_id)[0]

    def _listens(self) -> bool:
        """Whether it catches SIGTERM, or has ended. Where there is no /proc, nobody can tell: it is taken to."""
        status = Path(f"/proc/{self.process.pid}/status")
        if self.process.poll() is not None or not status.exists():
            return True
        caught = re.search(r"^SigCgt:\s*(\w+)$", status.read_text(), re.MULTILINE)
        return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)

    def kill(self) -> None:
        """Ends it at once."""
        self.process.kill()
        self.process.wait(TIMEOUT_SECONDS)
        self._reader.join(TIMEOUT_SECONDS)

    def stop(self, nudge: Callable[[], object]) -> int:
        """Ends it as its platform would, and gives its exit code. `nudge` ends the wait for messages that is under way.

        A request that waits for messages outlives a client that was killed: it would take messages of the next test.
        """
        # One that has only just started does not hear it yet.
        wait_for(self._listens, TIMEOUT_SECONDS, f"its start: {self.log}")
        self.process.terminate()

        def ended() -> bool:
            nudge()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.3)
            return self.process.poll() is not None

        try:
            wait_for(ended, TIMEOUT_SECONDS, f"its end: {self.log}")
        finally:
            self.kill()
        return self.process.returncode


def variables(stack: LocalStack, key: str = ROOT_KEY, secret: str = ROOT_KEY) -> dict[str, str]:
    """The environment in which a program finds the stack's AWS."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "AWS_ENDPOINT_URL": stack.url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
    }


@cache
def consumers_key(stack: LocalStack) -> tuple[str, str]:
    """A key with no other rights than those that docs/consumers.md asks for."""
    iam = stack.client("iam")
    bucket = f"arn:aws:s3:::{stack.bucket}"
    url = stack.outputs["ResultsQueueUrl"]
    queue = stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rights = {
        queue: ["sqs:ReceiveMessage", "sqs:DeleteMessage"],
        f"{bucket}/output/*": ["s3:GetObject"],
        f"{bucket}/failure/*": ["s3:GetObject"],
        f"{bucket}/handled/*": ["s3:GetObject", "s3:PutObject"],
        bucket: ["s3:ListBucket"],
        f"arn:aws:dynamodb:{REGION}:000000000000:table/{STORE}": [
            f"dynamodb:{action}" for action in ("PutItem", "UpdateItem", "DeleteItem")
        ],
    }
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": arn} for arn, actions in rights.items()],
    }
    iam.create_user(UserName="consumer")
    iam.put_user_policy(UserName="consumer", PolicyName="consume", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="consumer")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


@contextmanager
def running(
    program: Program, stack: LocalStack, directory: Path, *, visibility_seconds: int = LONG, **environment: str
) -> Iterator[Consumer]:
    """A consumer of a stack's results. `environment`: more variables for it."""
    directory.mkdir(exist_ok=True)
    arguments = [stack.outputs["ResultsQueueUrl"], "--directory", str(directory)]
    command = [*program(stack), *arguments, "--visibility-seconds", str(visibility_seconds)]
    consumer = Consumer(command, variables(stack, *consumers_key(stack)) | environment, directory)
    try:
        yield consumer
        assert consumer.process.poll() is not None or consumer.stop(lambda: nudge(stack)) == 0, consumer.log
    finally:
        consumer.kill()


def nudge(stack: LocalStack) -> None:
    """Puts a result into the queue that is of no test."""
    result = {"invocationStatus": "Rejected", "inferenceId": f"{NUDGE}{uuid.uuid4()}", "failureReason": "a nudge"}
    stack.sqs.send_message(QueueUrl=stack.outputs["ResultsQueueUrl"], MessageBody=json.dumps(result))


def make_table(stack: LocalStack) -> str:
    """The table that the consumers in Python and TypeScript remember results in."""
    dynamodb = stack.client("dynamodb")
    if STORE not in dynamodb.list_tables()["TableNames"]:
        dynamodb.create_table(
            TableName=STORE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.update_time_to_live(
            TableName=STORE, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
        )
    return STORE


class HangingS3:
    """S3 behind a proxy that answers a GET of a key with `hangs` in it only when it is let go on."""

    def __init__(self, target_port: int) -> None:
        self.go_on, self.is_hanging = threading.Event(), threading.Event()
        hanging = self

        class Proxy(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.command == "GET" and "hangs" in self.path and not hanging.go_on.is_set():
                    hanging.is_hanging.set()
                    hanging.go_on.wait()
                connection = http.client.HTTPConnection("127.0.0.1", target_port)
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_HEAD = do_DELETE = forward  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> HangingS3:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()


def messages_left(stack: LocalStack) -> int:
    """How many messages the results queue holds, visible or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = stack.outputs["ResultsQueueUrl"]
    counts = stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, counts.values()))
