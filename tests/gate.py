"""A model that answers when a test lets it, for what has to be seen before it has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sagemaker_async_emulator import ModelRequest, ModelResponse
from sagemaker_async_emulator._model import serving

from local.bridge import PATIENCE_SECONDS, wait_for


class Gate:
    """A model container whose output is its input; while it is `closed`, it takes inferences and answers none."""

    def __init__(self, url: str, is_open: threading.Event, taken: list[bytes]) -> None:
        self.url = url
        self._open, self._taken = is_open, taken

    @classmethod
    @contextmanager
    def serving(cls) -> Iterator[Gate]:
        """Serves it, open."""
        is_open, taken = threading.Event(), list[bytes]()
        is_open.set()

        def model(request: ModelRequest) -> ModelResponse:
            taken.append(request.body)
            is_open.wait()
            return ModelResponse(request.body, request.content_type or "application/octet-stream")

        with serving(model) as url:
            yield cls(url, is_open, taken)

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
