"""The emulator's binary by itself, with an S3 of its own: nothing else runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from local.bridge import PATIENCE_SECONDS, REGION, aws_client
from local.processes import Process, ReservedPort
from local.signals import interruptible
from local.stack import BINARIES, EMULATOR


class Emulator:
    """A running emulator at `url`, and unmodified clients of it."""

    def __init__(self, arguments: tuple[str, ...], log: Path, environment: dict[str, str]) -> None:
        self._port = ReservedPort()
        self.url = f"http://127.0.0.1:{self._port.number}"
        command = [str(BINARIES / EMULATOR)]
        command += () if "--listen" in arguments else ("--listen", f"127.0.0.1:{self._port.release()}")
        command += () if "--embedded" in arguments else ("--embedded", "memory")
        variables = {"PATH": os.environ.get("PATH", os.defpath), "AWS_REGION": REGION, **environment}
        self.process = Process(EMULATOR, [*command, *arguments], variables, log)

    def wait(self) -> None:
        """Returns when it listens."""
        log = self.process.log
        self.process.wait_until(lambda: b" listening on http://" in log.read_bytes(), PATIENCE_SECONDS)

    def client(self, service: str) -> Any:
        """A boto3 client whose only peculiarity is its endpoint URL."""
        return aws_client(service, self.url, config=Config(retries={"max_attempts": 1}))


@pytest.fixture(scope="session", autouse=True)
def _ended_by_signals() -> Iterator[None]:
    """A terminated run ends its emulators too."""
    with interruptible():
        yield


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Emulator]]:
    """Starts emulators with further arguments; they end with the test."""
    started: list[Emulator] = []

    def start(*arguments: str, **environment: str) -> Emulator:
        emulator = Emulator(arguments, tmp_path / f"emulator-{len(started)}.log", environment)
        started.append(emulator)
        emulator.wait()
        return emulator

    yield start
    for emulator in started:
        emulator.process.stop()
