"""A Python function as a model's container: `GET /ping` and `POST /invocations`.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelRequest:
    """What a container is asked.

    Attributes:
        body: The input, byte for byte.
        inference_id: The caller's, or one of the endpoint's own.
        content_type: Of the body; None unless the caller gave it.
        accept: The media type that is asked for, `*/*` unless the caller gave one.
        custom_attributes: As the caller gave them, or None.
    """

    body: bytes
    inference_id: str
    content_type: str | None = None
    accept: str = "*/*"
    custom_attributes: str | None = None


@dataclass(frozen=True)
class ModelResponse:
    """What a container answers.

    Attributes:
        body: The output, or with an error status what the model says of it.
        content_type: Of the body.
        status: An HTTP status; with any but 2xx the invocation fails.
    """

    body: bytes
    content_type: str = "application/octet-stream"
    status: int = 200


Model = Callable[[ModelRequest], "bytes | str | ModelResponse"]
"""A function that is a model. Bytes are the output as it is, a string is UTF-8 text. An exception is an answer of
status 500, so the invocation fails; its traceback is logged, and pytest shows it with a test that fails. Invocations
overlap: each has a thread."""


@contextmanager
def serving(model: Model) -> Iterator[str]:
    """Serves the model at the URL that it gives."""
    server = _Server(model)
    # The default looks twice a second whether it is to end.
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    # Of the endpoint's invocations at once and its health checks.
    request_queue_size = 128

    def __init__(self, model: Model) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.model = model

    def run(self, request: ModelRequest) -> ModelResponse:
        try:
            answer = self.model(request)
            if isinstance(answer, str):
                return ModelResponse(answer.encode(), "text/plain; charset=utf-8")
            if isinstance(answer, bytes):
                return ModelResponse(answer)
            if isinstance(answer, ModelResponse):
                return answer
            raise TypeError(f"a model returns bytes, str or ModelResponse, not {type(answer).__name__}")
        except Exception as error:
            logger.exception("the model raised an exception")
            return ModelResponse(f"{type(error).__name__}: {error}".encode(), "text/plain; charset=utf-8", 500)

    def handle_error(self, *_: object) -> None:
        """A test may end before its invocations do; that is no error of the test."""
        logger.debug("an invocation was not answered", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    # Connections stay open between invocations, and headers do not wait for bodies.
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        is_ping = self.path == "/ping"
        self._answer(ModelResponse(b"", status=200 if is_ping else 404))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = ModelRequest(
            body=body,
            inference_id=self.headers["X-Amzn-SageMaker-Inference-Id"],
            content_type=self.headers["Content-Type"],
            accept=self.headers.get("Accept", "*/*"),
            custom_attributes=self.headers["X-Amzn-SageMaker-Custom-Attributes"],
        )
        self._answer(self.server.run(request))

    def _answer(self, response: ModelResponse) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, *_: object) -> None:
        """Says nothing: the emulator logs what becomes of invocations."""
