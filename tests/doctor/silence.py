"""A service that takes connections and does not answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from local.bridge import PATIENCE_SECONDS, wait_for


class Silence:
    """Says nothing until `release`, then hangs up."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._released = threading.Event()
        self.calls = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def wait_for_call(self) -> None:
        """Returns when there was one: its caller may have given up before it was seen here."""
        wait_for(lambda: self.calls, PATIENCE_SECONDS, "a call")

    def release(self) -> None:
        self._released.set()

    def close(self) -> None:
        self.release()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._hold, args=(connection,), daemon=True).start()

    def _hold(self, connection: socket.socket) -> None:
        with connection:
            if connection.recv(1):
                self.calls += 1
            self._released.wait()


@contextmanager
def silence() -> Iterator[Silence]:
    service = Silence()
    try:
        yield service
    finally:
        service.close()
