"""The emulator's process, which ends with the one that started it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ._binary import binary

ACCESS_KEY = "test"
LISTENING = " listening on "
START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 10.0
POLL_SECONDS = 0.005
LOG_TAIL_LINES = 30


class StartError(RuntimeError):
    """The emulator or its endpoint did not come up. The message says why, in the emulator's words."""


@contextmanager
def emulator(options: Sequence[str], directory: Path, region: str) -> Iterator[str]:
    """Runs an emulator with an S3 of its own in memory, at a free port; gives its URL.

    Its log is `emulator.log` in the directory. It ends with the block, and also when this process ends, however that
    does: its standard input is a pipe of which this process has the other end.

    Raises:
        StartError: an option is wrong, or it did not listen within 30 seconds.
        FileNotFoundError: the program is not installed.
    """
    command = [str(binary()), "--listen=127.0.0.1:0", "--stop-with-stdin", "--embedded=memory", *options]
    output, log = directory / "emulator.out", directory / "emulator.log"
    with output.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            env=_environment(region),
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            # Ctrl-C is for this process, which then stops the emulator.
            start_new_session=True,
        )
    try:
        yield _url(process, output, log)
    finally:
        _stop(process)


def tail(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:])


def without_proxy(environment: dict[str, str]) -> dict[str, str]:
    """The variables that keep calls of this machine's address from a proxy, added to those that are set."""
    return {name: ",".join(filter(None, [environment.get(name), "127.0.0.1"])) for name in ("NO_PROXY", "no_proxy")}


def _environment(region: str) -> dict[str, str]:
    """This process's variables, without the credentials and settings of its user's AWS."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    keys = {"AWS_REGION": region, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": ACCESS_KEY}
    return {**own, **without_proxy(own), **keys}


def _url(process: subprocess.Popen[bytes], output: Path, log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        line, end, _ = output.read_text(encoding="utf-8").partition("\n")
        if end and LISTENING in line:
            return line.partition(LISTENING)[2]
        code = process.poll()
        if code is not None:
            raise StartError(f"the emulator ended with code {code}:\n{tail(log)}")
        time.sleep(POLL_SECONDS)
    raise StartError(f"the emulator did not listen within {START_TIMEOUT_SECONDS:g} s:\n{tail(log)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
