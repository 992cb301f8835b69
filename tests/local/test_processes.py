"""Nothing that the local stack starts survives it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from local.bridge import PATIENCE_SECONDS, wait_for
from local.processes import Process, ReservedPort, StartError, group_members, identity
from local.stack import LocalStack

ENVIRONMENT = {"PATH": os.environ["PATH"]}
# A child of a child that ignores SIGTERM, as a function of ministack may.
FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"])
print("ready", child.pid, flush=True)
time.sleep(600)
"""


def test_stopping_a_process_ends_its_children_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = Process("family", [sys.executable, "-c", FAMILY], ENVIRONMENT, log)
    try:
        process.wait_until(lambda: b"ready" in log.read_bytes(), PATIENCE_SECONDS)
        child = int(log.read_text().split()[1])
        assert sorted(group_members(process.pid)) == sorted([process.pid, child])
    finally:
        # It does not listen.
        process.stop(grace_seconds=1)
    assert group_members(process.pid) == []
    assert identity(child) is None


def test_a_part_that_ends_while_starting_is_an_error_with_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such bucket')"]
    process = Process("emulator", command, ENVIRONMENT, tmp_path / "log")
    with pytest.raises(StartError, match=r"(?s)emulator ended with code 1 while starting:.*no such bucket"):
        process.wait_until(lambda: False, PATIENCE_SECONDS)
    process.stop()


def test_a_part_that_is_never_ready_is_an_error(tmp_path: Path) -> None:
    process = Process("emulator", ["sleep", "600"], ENVIRONMENT, tmp_path / "log")
    try:
        with pytest.raises(StartError, match=r"not ready after 0\.2 s"):
            process.wait_until(lambda: False, 0.2)
    finally:
        process.stop()


def test_missing_binaries_are_named_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="submit, collect, sagemaker-async-emulator"):
        LocalStack(binaries=tmp_path).start()


def test_a_failure_in_the_middle_of_the_start_leaves_nothing_running(tmp_path: Path) -> None:
    for name in ("submit", "collect"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    emulator = tmp_path / "sagemaker-async-emulator"
    emulator.write_text("#!/bin/sh\necho cannot listen >&2\nexit 3\n")
    emulator.chmod(0o755)
    stack = LocalStack(binaries=tmp_path, name="broken")
    started: list[int] = []
    stack.report = lambda _line: started.extend(process.pid for process in stack._processes)
    with pytest.raises(StartError, match=r"(?s)sagemaker-async-emulator ended with code 3.*cannot listen"):
        stack.start()
    assert started
    wait_for(lambda: not any(group_members(group) for group in started), PATIENCE_SECONDS, "the end of every process")
    stack.keep_logs = False
    stack.stop()
    assert not stack.directory.exists()


def test_a_reserved_port_is_nobody_else_s_until_it_is_released() -> None:
    ports = [ReservedPort() for _ in range(50)]
    assert len({port.number for port in ports}) == 50
    for port in ports:
        port.release()
