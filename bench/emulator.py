"""How many invocations the emulator takes, how soon they have ended, whether one was lost, and in how much memory.

    make bench                                 # builds what this needs, and runs it after the functions' figures
    .venv/local/bin/python bench/emulator.py

The load comes from one process on the same machine, over keep-alive connections: HTTP without an SDK, so that the
figures are the emulator's and not boto3's. With --embedded the outputs' S3 is the same process too, so that its work is
part of every figure.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/sagemaker-async-emulator"
INVOCATIONS = 10_000
CONNECTIONS = 32
PAYLOAD_BYTES = 2_000
ENDED_TIMEOUT_SECONDS = 300
LARGE_BYTES = 100_000_000
LARGE_AT_ONCE = 4


class Emulator:
    """A running emulator: address and process id."""

    def __init__(self, port: int, pid: int) -> None:
        self.port, self.pid = port, pid

    def endpoint(self, name: str) -> dict:
        """What it tells of an endpoint."""
        url = f"http://127.0.0.1:{self.port}/_emulator/endpoints"
        with urllib.request.urlopen(url, timeout=30) as answer:
            endpoints = json.load(answer)["endpoints"]
        return next(endpoint for endpoint in endpoints if endpoint["endpointName"] == name)

    def peak_megabytes(self) -> float:
        """Largest resident set so far."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1000

    def stored(self) -> int:
        """Objects under the output location."""
        count, token = 0, ""
        while True:
            query = f"list-type=2&prefix=output/{token}"
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/sagemaker?{query}", timeout=60) as answer:
                text = answer.read().decode()
            count += text.count("<Key>")
            following = re.search(r"<NextContinuationToken>(.*?)</NextContinuationToken>", text)
            if following is None:
                return count
            token = f"&continuation-token={following[1]}"


@contextmanager
def emulator(*arguments: str, place: str = "memory") -> Iterator[Emulator]:
    """An emulator with an S3 of its own, in memory or in a directory."""
    command = [str(BINARY), "--listen", "127.0.0.1:0", "--embedded", place, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            line = process.stdout.readline()
            yield Emulator(int(line.rsplit(":", 1)[1]), process.pid)
        finally:
            process.terminate()


def invoke(port: int, endpoint: str, count: int) -> float:
    """Invokes an endpoint `count` times over all connections in turn; seconds until the last one was accepted."""
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    for connection in connections:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = (
        f"POST /endpoints/{endpoint}/async-invocations HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"X-Amzn-SageMaker-Content-Type: application/json\r\nContent-Length: {PAYLOAD_BYTES}\r\n\r\n"
    ).encode() + b"x" * PAYLOAD_BYTES
    begun = time.perf_counter()
    for first in range(0, count, CONNECTIONS):
        used = connections[: count - first]
        for connection in used:
            connection.sendall(request)
        for connection in used:
            expect_accepted(connection)
    seconds = time.perf_counter() - begun
    for connection in connections:
        connection.close()
    return seconds


def expect_accepted(connection: socket.socket) -> None:
    """Reads an answer, which has to be 202."""
    answer = connection.recv(65536)
    # An answer's body is one small JSON object.
    while not answer.endswith(b"}"):
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("closed without an answer")
        answer += more
    if not answer.startswith(b"HTTP/1.1 202 "):
        raise RuntimeError(answer.decode(errors="replace"))


def throughput(place: str = "memory") -> None:
    """Accepts, runs and stores all of them."""
    at_once = ("--max-concurrent-invocations-per-instance", "32")
    with emulator("--endpoint", "demo=echo", *at_once, place=place) as running:
        begun = time.perf_counter()
        accepting = invoke(running.port, "demo", INVOCATIONS)
        demo = until_ended(running, begun)
        ended = time.perf_counter() - begun
        lost = INVOCATIONS - running.stored()
        print(f"  accepted           {INVOCATIONS / accepting:8,.0f} per second")
        print(f"  accepted and ended {INVOCATIONS / ended:8,.0f} per second, with the outputs in S3")
        print(f"  completed {demo['completed']:,}, lost {lost:,}; peak memory {running.peak_megabytes():.0f} MB")


def backlog(place: str = "memory") -> None:
    """Accepts all of them without an instance that would run them."""
    with emulator("--endpoint", "cold=echo", "--cold-start", "3600", place=place) as running:
        before = running.peak_megabytes()
        accepting = invoke(running.port, "cold", INVOCATIONS)
        queued = running.endpoint("cold")["queued"]
        after = running.peak_megabytes()
        print(f"  accepted           {INVOCATIONS / accepting:8,.0f} per second")
        print(f"  queued {queued:,}; peak memory {after:.0f} MB, {before:.0f} MB before")


def large() -> None:
    """Runs large inputs by their location, all of them at once."""
    with emulator("--endpoint", "demo=echo") as running:
        url = f"http://127.0.0.1:{running.port}"
        put = urllib.request.Request(f"{url}/sagemaker/in", data=bytes(LARGE_BYTES), method="PUT")
        urllib.request.urlopen(put, timeout=60).close()
        before = running.peak_megabytes()
        begun = time.perf_counter()
        for _ in range(LARGE_AT_ONCE):
            headers = {"X-Amzn-SageMaker-InputLocation": "s3://sagemaker/in"}
            call = f"{url}/endpoints/demo/async-invocations"
            urllib.request.urlopen(urllib.request.Request(call, b"", headers, method="POST"), timeout=60).close()
        demo = until_ended(running, begun)
        seconds = time.perf_counter() - begun
        after = running.peak_megabytes()
        print(f"  completed {demo['completed']} in {seconds:.1f} s; peak memory {after:.0f} MB, {before:.0f} MB before")


def until_ended(running: Emulator, begun: float) -> dict:
    """The endpoint `demo` once it has nothing to do."""
    while (demo := running.endpoint("demo"))["queued"] or demo["inProgress"]:
        if time.perf_counter() - begun > ENDED_TIMEOUT_SECONDS:
            raise TimeoutError(f"still at work: {demo}")
        time.sleep(0.02)
    return demo


def main() -> int:
    """Prints the figures."""
    if not BINARY.exists():
        print(f"not there: {BINARY}. Build it with: cargo build --release --package sagemaker-async-emulator")
        return 1
    payloads = f"{INVOCATIONS:,} invocations of {PAYLOAD_BYTES:,} bytes over {CONNECTIONS} connections"
    print(f"\nEmulator, {os.cpu_count()} cores shared with the load: {payloads}, model echo")
    throughput()
    print("without an instance, so that everything waits in the queue")
    backlog()
    with TemporaryDirectory() as directory:
        print("the same two in a directory, which keeps the queue")
        throughput(f"{directory}/running")
        backlog(f"{directory}/waiting")
    print(f"{LARGE_AT_ONCE} inputs of {LARGE_BYTES:,} bytes at once, by their location")
    large()
    return 0


if __name__ == "__main__":
    sys.exit(main())
