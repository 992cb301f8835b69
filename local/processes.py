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

# What ends takes a fraction of a second. On a busy machine a process may not get a turn for many.
STOP_GRACE_SECONDS = 30.0
KILL_GRACE_SECONDS = 60.0
LOG_TAIL_LINES = 30


class StartError(RuntimeError):
    """A part of the local stack did not come up. The message says which, why, and shows the end of its log."""


class ReservedPort:
    """A free TCP port of 127.0.0.1 that nobody else is given for as long as this object lives.

    On Linux that includes the time until the process that it is for listens, however long that takes: two sockets with
    SO_REUSEADDR may be bound to one port as long as at most one of them listens, and a system that looks for a free
    port passes over it. Until then, connections are refused. Elsewhere the second could not be bound.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def __del__(self) -> None:
        self._socket.close()

    def release(self) -> int:
        """Lets the process listen that is about to."""
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


def stop_group(group: int, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
    """Ends every process of a group: first asked, after `grace_seconds` killed. Returns when none is left."""
    for step, grace in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, KILL_GRACE_SECONDS)):
        try:
            os.killpg(group, step)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + grace
        while group_members(group):
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        else:
            return
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
        while True:
            is_late = time.monotonic() > deadline
            if ready():
                return
            code = self._child.poll()
            if code is not None:
                raise StartError(f"{self.name} ended with code {code} while starting:\n{tail(self.log)}")
            if is_late:
                raise StartError(f"{self.name} was not ready after {timeout_seconds:g} s:\n{tail(self.log)}")
            time.sleep(0.05)

    def stop(self, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
        """Ends the process and everything that it started."""
        stop_group(self.pid, grace_seconds)
        self._child.wait()
