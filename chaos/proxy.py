"""A proxy between the bridge and AWS that makes a share of the calls fail, and writes down what became of each.

    python -m chaos.proxy --control PORT --log FILE SERVICE=PORT=HOST:PORT …

`PUT /` on the control port takes a plan: {"seed": 1, "services": {"s3": {"throttled": 0.1, …}}, "delay-seconds": 2};
`GET /` gives how many calls met which fault. The Host header goes on as it came, because SigV4 signs it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from chaos.evidence import LOCATION_HEADERS, SDK_CALL_HEADER, SENDS, is_swept, results_of, subjects
from chaos.faults import DELAYED, DROPPED_AFTER, DROPPED_BEFORE, REFUSALS, check_plan, lot, refusal

DEFAULT_DELAY_SECONDS = 2.0
HEAD_LIMIT_BYTES = 1 << 20


@dataclass
class Message:
    """A request or an answer: its first line, its headers by names in lower case, all as it came."""

    first: str
    headers: dict[str, str]
    head: bytes
    body: bytes

    @property
    def raw(self) -> bytes:
        """As it came."""
        return self.head + self.body


@dataclass
class State:
    """The plan in force, and what happened under it."""

    log: IO[str]
    plan: dict[str, Any] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    injected: Counter[str] = field(default_factory=Counter)

    def draw(self, service: str) -> str | None:
        """The fault of a service's next call."""
        self.calls[service] += 1
        rates = self.plan.get("services", {}).get(service, {})
        fault = lot(self.plan.get("seed", 0), service, self.calls[service], rates)
        if fault:
            self.injected[f"{service} {fault}"] += 1
        return fault

    def write(self, **call: Any) -> None:
        """A line of evidence."""
        self.log.write(json.dumps(call) + "\n")
        self.log.flush()


async def read_message(reader: asyncio.StreamReader, *, answers_to: str = "") -> Message | None:
    """The next message; None where the other side has closed. `answers_to`: the method, if it is an answer."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:] if line)
    headers = {name.lower().strip(): value.strip() for name, _, value in pairs}
    has_no_body = answers_to == "HEAD" or (answers_to and lines[0].split()[1] in ("204", "304"))
    body = b""
    if has_no_body:
        pass
    elif "chunked" in headers.get("transfer-encoding", "").lower():
        body = await read_chunks(reader)
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif answers_to:
        body = await reader.read()
    return Message(lines[0], headers, head, body)


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    """A chunked body, as it came."""
    raw = b""
    while True:
        size = await reader.readuntil(b"\r\n")
        chunk = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
        raw += size + chunk
        if chunk == b"\r\n":
            return raw


async def forward(address: str, request: Message) -> Message | None:
    """Passes a request on; None when the other side closed without an answer.

    Each call has a connection of its own: one that was kept might turn out to be closed, and to send a call twice on
    its own account is the last thing that this proxy may do.
    """
    host, _, port = address.rpartition(":")
    writer = None
    try:
        reader, writer = await asyncio.open_connection(host, int(port), limit=HEAD_LIMIT_BYTES)
        writer.write(request.raw)
        await writer.drain()
        method = request.first.split(" ", 1)[0]
        answer = await read_message(reader, answers_to=method)
        while answer and answer.first.split()[1] == "100":
            answer = await read_message(reader, answers_to=method)
    except (ConnectionError, asyncio.IncompleteReadError):
        return None
    finally:
        if writer:
            writer.close()
    return answer


async def pass_on(
    state: State, service: str, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Serves a client's connection until either side closes it."""
    try:
        while request := await read_message(reader):
            answer = await answer_to(state, service, address, request)
            if answer is None:
                break
            writer.write(answer)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def answer_to(state: State, service: str, address: str, request: Message) -> bytes | None:
    """What the client gets, after its call has met its fault; None: its connection is closed."""
    fault = state.draw(service)
    method, path, _version = request.first.split(" ", 2)
    operation, ids = subjects(service, method, request.headers, request.body, path)
    call = {
        "at": time.time(),
        "service": service,
        "operation": operation,
        "sdkCall": request.headers.get(SDK_CALL_HEADER, ""),
        "subjects": ids,
        "fault": fault,
        "swept": operation in SENDS and is_swept(request.body),
        "results": results_of(service, operation, request.body),
    }
    if fault in REFUSALS:
        status, headers, body = refusal(service, fault)
        state.write(**call, forwarded=False, status=status)
        lines = [f"HTTP/1.1 {status} On Purpose", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        # An answer to HEAD has the headers of one to GET, and no body.
        return "\r\n".join([*lines, "", ""]).encode() + (b"" if method == "HEAD" else body)
    if fault == DROPPED_BEFORE:
        state.write(**call, forwarded=False, status=None)
        return None
    if fault == DELAYED:
        await asyncio.sleep(state.plan.get("delay-seconds", DEFAULT_DELAY_SECONDS))
    answer = await forward(address, request)
    status = int(answer.first.split()[1]) if answer else None
    if answer and (locations := [answer.headers[name] for name in LOCATION_HEADERS if name in answer.headers]):
        call["subjects"] = [(ids[0][0], location) for location in locations]
    state.write(**call, forwarded=True, status=status)
    return answer.raw if answer and fault != DROPPED_AFTER else None


async def control(state: State, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers one request of the control port."""
    request = await read_message(reader)
    status = 200
    if request and request.first.startswith("PUT "):
        try:
            plan = json.loads(request.body)
            check_plan(plan)
            state.plan = plan
        except ValueError as error:
            status, problem = 400, str(error)
    answer = {"plan": state.plan, "calls": state.calls, "injected": state.injected} if status == 200 else problem
    body = json.dumps(answer).encode()
    writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
    await writer.drain()
    writer.close()


async def listen(
    port: int, handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]
) -> asyncio.Server:
    """A server whose connections are held on to: asyncio itself only has weak references to what it runs.

    A call that is forgotten while AWS is at work on it would have an effect that no log tells of.
    """
    running: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(handle(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    return await asyncio.start_server(connected, "127.0.0.1", port, limit=HEAD_LIMIT_BYTES)


async def serve(state: State, control_port: int, ways: list[tuple[str, int, str]]) -> None:
    """Listens until it is ended."""
    servers = [await listen(port, partial(pass_on, state, service, address)) for service, port, address in ways]
    servers.append(await listen(control_port, partial(control, state)))
    print("listening", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


def way(text: str) -> tuple[str, int, str]:
    """SERVICE=PORT=HOST:PORT."""
    service, port, address = text.split("=")
    return service, int(port), address


def main() -> None:
    """Runs until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("ways", nargs="+", type=way)
    options = parser.parse_args()
    with options.log.open("w", encoding="utf-8") as log:
        asyncio.run(serve(State(log), options.control, options.ways))


if __name__ == "__main__":
    main()
