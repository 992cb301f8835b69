"""A model that answers when a test lets it, for what has to be seen before it has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.bridge import PATIENCE_SECONDS, wait_for


class Gate:
    """A model container whose output is its input; while it is `closed`, it takes inferences and answers none."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self._taken: list[bytes] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Gate:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Holds every answer back until the end of the block."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def wait_for(self, payload: bytes) -> None:
        """Until an inference with this payload has begun."""
        wait_for(lambda: payload in self._taken, PATIENCE_SECONDS, f"the inference of {payload!r}")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """`/ping`: in service."""
                self.answer(b"")

            def do_POST(self) -> None:
                """One inference."""
                payload = self.rfile.read(int(self.headers["content-length"]))
                gate._taken.append(payload)
                gate._open.wait()
                self.answer(payload)

            def answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", self.headers.get("content-type") or "application/octet-stream")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
