"""Release binaries against the Python functions that users write instead, in one run on the same events.

Both run under the same stand-in of Lambda's runtime API and call the same backend without latency, in turn. What
counts are the ratios: the machine may be noisy, and the stand-ins, written in Python, take their share of every
invocation.
"""

from __future__ import annotations

import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import IO, Any

from backend import Server, serve

ROOT = Path(__file__).resolve().parent.parent
RUNS = 7
FUNCTION_TIMEOUT_SECONDS = 60
NOTIFICATION = {
    "awsRegion": "us-east-1",
    "invocationStatus": "Completed",
    "requestParameters": {"endpointName": "bench"},
    "responseParameters": {"contentType": "application/json", "outputLocation": "s3://bucket/output/x.out"},
    "inferenceId": "i",
}


def sqs(count: int, size_bytes: int) -> dict[str, Any]:
    """A batch of `count` messages of `size_bytes`."""
    source = {"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:0:q", "messageAttributes": {}}
    return {
        "Records": [{**source, "messageId": f"m-{n}", "attributes": {}, "body": "x" * size_bytes} for n in range(count)]
    }


SNS = {"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "m", "Message": json.dumps(NOTIFICATION)}}]}
# Function, name, first event, how often it comes again.
CASES = [
    ("submit", "1 message of 2 KB", sqs(1, 2_000), 100),
    ("submit", "10 messages of 2 KB", sqs(10, 2_000), 20),
    ("submit", "1 message of 200 KB, by S3", sqs(1, 200_000), 20),
    ("collect", "1 result of 2 KB", SNS, 100),
]


@dataclass(frozen=True)
class Run:
    """What one process did: times in ms, memory in MB."""

    init: float
    first: float
    warm: float
    memory: float

    def figures(self) -> tuple[float, ...]:
        """In the order of `FIGURES`."""
        return (self.init, self.first, self.warm, self.memory)


FIGURES = ("init ms", "first invocation ms", "warm invocation ms", "peak memory MB")


class Output:
    """What a function writes, read as it comes, so that its pipe never fills."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.lines: list[bytes] = []
        threading.Thread(target=lambda: self.lines.extend(stream), daemon=True).start()

    def find(self, text: str) -> dict[str, Any]:
        """The first JSON line with `text` in it, once it is there."""
        deadline = time.monotonic() + FUNCTION_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            for line in list(self.lines):
                if text.encode() in line:
                    return json.loads(line)
            time.sleep(0.01)
        raise RuntimeError(f"no line with {text}")


@dataclass(frozen=True)
class Function:
    """A function that has started."""

    api: RuntimeApi
    pid: int
    init_ms: float
    output: Output


class RuntimeApi:
    """Lambda's runtime API for one function process, an invocation at a time."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.events: queue.Queue[bytes] = queue.Queue()
        self.answers: queue.Queue[tuple[float, str, bytes]] = queue.Queue()
        self.first_next = 0.0
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                if not api.ready.is_set():
                    api.first_next = time.perf_counter()
                    api.ready.set()
                event = api.events.get()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "00000000-0000-4000-8000-000000000000")
                self.send_header(
                    "Lambda-Runtime-Deadline-Ms", str(int((time.time() + FUNCTION_TIMEOUT_SECONDS) * 1000))
                )
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:0:function:bench")
                self.send_header("Lambda-Runtime-Trace-Id", "Root=1-0-0")
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(event)))
                self.end_headers()
                self.wfile.write(event)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                api.answers.put((time.perf_counter(), self.path, body))
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

        self.server = Server(Handler)

    def invoke(self, event: bytes) -> float:
        """One invocation; its time in ms. A function that fails makes the figures worthless, so that ends the run."""
        start = time.perf_counter()
        self.events.put(event)
        end, path, body = self.answers.get(timeout=FUNCTION_TIMEOUT_SECONDS)
        if not path.endswith("/response") or b"itemIdentifier" in body:
            raise RuntimeError(f"the function failed: {path} {body[:500]!r}")
        return (end - start) * 1000


@contextmanager
def running(server: Server) -> Iterator[str]:
    """Serves in the background; gives host and port."""
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def environment(api: str, backend: str) -> dict[str, str]:
    """What Lambda would give the function, and the bridge's variables."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": api,
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_STREAM_NAME": "s",
        "AWS_LAMBDA_LOG_GROUP_NAME": "g",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "BRIDGE_ENDPOINT_NAME": "bench",
        "BRIDGE_INPUT_LOCATION": "s3://bucket/input/",
        "BRIDGE_RESULTS_QUEUE_URL": f"http://{backend}/0/results",
        **({"AWS_ENDPOINT_URL": f"http://{backend}"} if backend else {}),
    }


@contextmanager
def function(command: Sequence[str], backend: str, **more: str) -> Iterator[Function]:
    """A function's process from its start until it has asked for work; it is killed in the end."""
    api = RuntimeApi()
    with running(api.server) as address:
        start = time.perf_counter()
        with subprocess.Popen(command, env=environment(address, backend) | more, stdout=subprocess.PIPE) as process:
            try:
                output = Output(process.stdout)
                if not api.ready.wait(FUNCTION_TIMEOUT_SECONDS):
                    raise RuntimeError(f"{command[0]} did not start")
                yield Function(api, process.pid, (api.first_next - start) * 1000, output)
            finally:
                process.kill()


def run(command: Sequence[str], backend: str, event: dict[str, Any], repeats: int) -> Run:
    """Starts a function and has it handle `event` once and then `repeats` times."""
    payload = json.dumps(event).encode()
    with function(command, backend) as started:
        first = started.api.invoke(payload)
        warm = statistics.median(started.api.invoke(payload) for _ in range(repeats))
        return Run(started.init_ms, first, warm, peak_memory_mb(started.pid))


def init_ms(command: Sequence[str], backend: str) -> float:
    """Time from the process's start to its first question for work."""
    with function(command, backend) as started:
        return started.init_ms


def client_built_us(command: Sequence[str], backend: str, event: dict[str, Any], service: str) -> float:
    """How long a client took to build, by the function's own log, in an invocation that used it."""
    with function(command, backend, RUST_LOG="debug") as started:
        started.api.invoke(json.dumps(event).encode())
        return started.output.find(f'"service":"{service}"')["duration_us"]


def peak_memory_mb(pid: int) -> float:
    """The process's peak resident set."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def commands(name: str) -> tuple[list[str], list[str]]:
    """The release binary, and the Python function under its loop."""
    baseline = [sys.executable, str(ROOT / "bench/baseline/bootstrap.py"), name]
    return [str(ROOT / "target/release" / name)], baseline


def compare(backend: str) -> None:
    """Prints a row a figure of each case: medians of both and their ratio, Python to Rust."""
    print(f"| function | event | figure | Rust | Python | ratio |\n|{'---|' * 6}")
    for binary, name, event, repeats in CASES:
        rust, python = commands(binary)
        pairs = [(run(rust, backend, event, repeats), run(python, backend, event, repeats)) for _ in range(RUNS)]
        for index, figure in enumerate(FIGURES):
            mine = statistics.median(pair[0].figures()[index] for pair in pairs)
            theirs = statistics.median(pair[1].figures()[index] for pair in pairs)
            ratio = statistics.median(pair[1].figures()[index] / pair[0].figures()[index] for pair in pairs)
            print(f"| {binary} | {name} | {figure} | {mine:.1f} | {theirs:.1f} | {ratio:.1f} |", flush=True)


def unused(backend: str) -> None:
    """Prints what is not paid for where it is not used: root certificates without TLS, the S3 client without S3."""
    for name in ("submit", "collect"):
        rust, _ = commands(name)
        pairs = [(init_ms(rust, backend), init_ms(rust, "")) for _ in range(RUNS * 3)]
        plain, tls = (statistics.median(pair[index] for pair in pairs) for index in (0, 1))
        print(f"{name}: init {plain:.1f} ms where every endpoint is plain HTTP, {tls:.1f} ms with TLS set up")
    rust, _ = commands("submit")
    builds = [client_built_us(rust, backend, sqs(1, 200_000), "s3") for _ in range(RUNS)]
    print(f"submit: S3 client {statistics.median(builds):.0f} us, built by the first payload that needs it")


def main() -> None:
    """Everything, after each other."""
    with running(serve()) as backend:
        compare(backend)
        unused(backend)
    sizes = ", ".join(
        f"{name} {(ROOT / 'target/release' / name).stat().st_size / 1e6:.1f} MB" for name in ("submit", "collect")
    )
    print(f"binaries: {sizes}; medians of {RUNS} runs, Rust and Python in turn")


if __name__ == "__main__":
    main()
