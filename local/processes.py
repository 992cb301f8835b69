"""Child processes that leave nothing behind: each in a group of its own, with its log in a file."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

# A process that ends in order takes none of it; on a busy machine even that end may take its time.
STOP_GRACE_SECONDS = 30.0
LOG_TAIL_LINES = 30


class StartError(RuntimeError):
    """A part of the local stack did not come up. The message says which, why, and shows the end of its log."""


class ReservedPort:
    """A free TCP port of 127.0.0.1 that nobody else is given.

    On Linux not even between `release` and the moment at which the process listens, however long it takes to start: two
    sockets with SO_REUSEADDR may be bound to one port as long as only one of them listens. Until then, connections are
    refused. Elsewhere the second could not be bound.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> int:
        """Lets the process that is about to listen on the port have it."""
        if sys.platform != "linux":
            self._socket.close()
        return self.number


def tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The last `lines` lines of a log, indented for an error message."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"  (no log: {error})"
    return "\n".join(f"  | {line}" for line in text.splitlines()[-lines:]) or "  (the log is empty)"


def identity(pid: int) -> str | None:
    """Start time and command of a process, which tell it from a later one with the same id. None: it has ended."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{process.create_time()} {' '.join(process.cmdline())}"
    except psutil.NoSuchProcess:
        return None


def group_members(group: int) -> list[int]:
    """Ids of the live processes in a process group (zombies do not count)."""
    return [process.pid for process in psutil.process_iter(["status"]) if is_member(process, group)]


def is_member(process: psutil.Process, group: int) -> bool:
    """Whether a process is in the group and has not ended."""
    try:
        return process.info["status"] != psutil.STATUS_ZOMBIE and os.getpgid(process.pid) == group
    except ProcessLookupError:
        return False


def stop_group(group: int) -> None:
    """Ends every process of a group: first asked, then killed. Returns when none is left."""
    for step, grace in ((signal.SIGTERM, STOP_GRACE_SECONDS), (signal.SIGKILL, STOP_GRACE_SECONDS)):
        try:
            os.killpg(group, step)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline:
            if not group_members(group):
                return
            time.sleep(0.05)
    raise RuntimeError(f"process group {group} survived SIGKILL: {group_members(group)}")


class Process:
    """A child process with its own group and log; functions that ministack starts belong to its group too."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            self._child = subprocess.Popen(
                list(command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._child.pid

    def wait_until(self, ready: Callable[[], bool], timeout_seconds: float) -> None:
        """Polls `ready`; a `StartError` with the end of the log when the process dies or takes too long."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            code = self._child.poll()
            if code is not None:
                raise StartError(f"{self.name} ended with code {code} while starting:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} was not ready after {timeout_seconds:g} s:\n{tail(self.log)}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends the process and everything that it started."""
        stop_group(self.pid)
        self._child.wait()
