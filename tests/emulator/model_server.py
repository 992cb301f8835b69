"""A model for the tests of commands: it serves as a container does, and does what its input says.

With READY_WHEN it is ready once that file is there, and from then on. `hold DIRECTORY` writes a file into the directory
and is done once it has another one, `go`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BASE = Path(os.environ["SAGEMAKER_BASE_DIR"])
READY_WHEN = os.environ.get("READY_WHEN")
POLL_SECONDS = 0.02


class Handler(BaseHTTPRequestHandler):
    """`GET /ping` and `POST /invocations`."""

    is_ready = READY_WHEN is None

    def do_GET(self) -> None:
        silenced = (BASE / "silent").exists()
        time.sleep(600 if silenced else 0)
        if READY_WHEN and Path(READY_WHEN).exists():
            Handler.is_ready = True
        self.answer(200 if Handler.is_ready else 503, b"")

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        word, _, argument = text.partition(" ")
        if word == "sleep":
            time.sleep(float(argument))
        elif word == "hold":
            Path(argument, str(uuid.uuid4())).touch()
            while not Path(argument, "go").exists():
                time.sleep(POLL_SECONDS)
        elif word == "crash":
            # Unless it was told to leave something behind, its group has no other process.
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == "child":
            subprocess.Popen(["sleep", "600"])
        elif word == "silence":
            (BASE / "silent").touch()
        elif word == "fail":
            self.answer(500, b"it failed")
            return
        told = {"pid": os.getpid(), "input": text, "environment": dict(os.environ), "model": self.model()}
        self.answer(200, json.dumps(told).encode())

    def model(self) -> dict[str, str]:
        directory = Path(os.environ["SM_MODEL_DIR"])
        files = (path for path in sorted(directory.rglob("*")) if path.is_file())
        return {str(path.relative_to(directory)): path.read_text() for path in files}

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not a line for each request."""


def main() -> None:
    port = int(os.environ["SAGEMAKER_BIND_TO_PORT"])
    print(f"serving on port {port}", flush=True)
    print("a word of complaint", file=sys.stderr, flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
