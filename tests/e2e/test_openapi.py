"""openapi.yaml against the deployed bridge: requests made up from it find no 5xx and no undocumented answer."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local.gateway import REQUEST_TIMEOUT_SECONDS
from local.stack import ROOT, LocalStack

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
SEED = 20260620
EXAMPLES = 15


class Model(BaseHTTPRequestHandler):
    """A model container whose output is always JSON; an echo would call any bytes so."""

    def do_POST(self) -> None:
        """One inference."""
        self.rfile.read(int(self.headers["content-length"]))
        output = b'{"summary": "A short one."}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(output)))
        self.end_headers()
        self.wfile.write(output)

    def do_GET(self) -> None:
        """The container's health."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def model() -> Iterator[str]:
    """URL of a running model container."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_made_up_requests_get_documented_answers_and_no_server_error(model: str, tmp_path: Path) -> None:
    with LocalStack({"summarizer": model}, parameters={"HttpAuth": "NONE"}, name="openapi") as stack:
        command = [
            *(Path(sys.executable).with_name("st"), "run", ROOT / "openapi.yaml", "--url", stack.http_url),
            *("--checks", ",".join(CHECKS), "--seed", str(SEED), "--max-examples", str(EXAMPLES)),
            *("--max-redirects", "0", "--generation-database", "none", "--no-color"),
            # A slow machine is no finding.
            *("--request-timeout", str(REQUEST_TIMEOUT_SECONDS), "--suppress-health-check", "all"),
        ]
        ran = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=3_600)
        assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr
        assert "Tested: 5" in ran.stdout, ran.stdout[-2000:]
