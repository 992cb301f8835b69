"""Bridges broken on purpose: the real binary behind a runtime API that lies, to show that the checker finds it out.

`ChaosStack("broken", binaries=broken_binaries(directory, "submit", IGNORE_FAILURES))`
"""

from __future__ import annotations

import sys
from pathlib import Path

from local.stack import BINARIES, EMULATOR, FUNCTIONS

# The answer never names a message that must come back: as if its failure had been ignored.
IGNORE_FAILURES = "ignore-failures"
# Of a batch, the last message is never seen by the function, and so never reported as failed.
DROP_LAST = "drop-last"

# Runs the real binary as its child, with this process between it and Lambda.
SHIM = """#!{python}
import http.client, json, os, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LAMBDA, WRONG = os.environ["AWS_LAMBDA_RUNTIME_API"], {wrong!r}

class Between(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def relay(self, body=None):
        own = ("host", "content-length", "transfer-encoding")
        headers = {{name: value for name, value in self.headers.items() if name.lower() not in own}}
        upstream = http.client.HTTPConnection(LAMBDA)
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        content = answer.read()
        if self.command == "GET" and WRONG == "drop-last":
            event = json.loads(content)
            if len(event.get("Records", [])) > 1:
                event["Records"].pop()
                content = json.dumps(event).encode()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        self.relay()

    def do_POST(self):
        body = self.body()
        if WRONG == "ignore-failures" and b"batchItemFailures" in body:
            body = b'{{"batchItemFailures":[]}}'
        self.relay(body)

    def body(self):
        if "content-length" in self.headers:
            return self.rfile.read(int(self.headers["content-length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

server = ThreadingHTTPServer(("127.0.0.1", 0), Between)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:%d" % server.server_address[1]
sys.exit(subprocess.call([{binary!r}]))
"""


def broken_binaries(directory: Path, function: str, wrong: str) -> Path:
    """Puts into `directory` the binaries that a stack needs, one function of them broken."""
    for name in (*FUNCTIONS, EMULATOR):
        binary = BINARIES / name
        if name != function:
            (directory / name).symlink_to(binary)
            continue
        shim = directory / name
        shim.write_text(SHIM.format(python=sys.executable, wrong=wrong, binary=str(binary)), encoding="utf-8")
        shim.chmod(0o755)
    return directory
