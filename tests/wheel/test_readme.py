"""emulator/README.md, which is the wheel's page too: its Python and its commands, run. Only the port is another one."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

from local.bridge import PATIENCE_SECONDS, wait_for
from local.processes import Process, ReservedPort
from local.stack import ROOT
from tests.wheel.conftest import Installed, outcomes

PAGE = (ROOT / "emulator/README.md").read_text(encoding="utf-8")
PORT = "8080"


def blocks(language: str) -> list[str]:
    """The page's code in a language, in its order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_quick_start_has_three_lines_and_needs_no_import() -> None:
    quick = blocks("python")[0]
    assert len(quick.splitlines()) == 3
    assert "import" not in quick


def test_the_python_of_the_page_passes(installed: Installed, tmp_path: Path) -> None:
    tests = 0
    for number, code in enumerate(blocks("python")):
        # What is no test by itself is the body of one, with an endpoint to call.
        is_test = "def test_" in code
        body = "import boto3\n\ndef test_block(sagemaker_async_endpoint):\n" + textwrap.indent(code, "    ")
        (tmp_path / f"test_{number}.py").write_text(code if is_test else body, encoding="utf-8")
        tests += code.count("def test_") if is_test else 1
    done = installed.pytest(tmp_path, "--strict-markers", "-W", "error")
    assert outcomes(done.stdout) == {"passed": tests}, done.stdout
    assert tests == 6


def test_the_page_has_no_server_that_does_not_start(installed: Installed, tmp_path: Path) -> None:
    for number, command in enumerate(blocks("sh server")):
        directory = tmp_path / str(number)
        directory.mkdir()
        served(installed, command, directory, ReservedPort()).stop()


def test_the_commands_of_the_page_invoke_measure_and_set_faults(installed: Installed, tmp_path: Path) -> None:
    port = ReservedPort()
    (tmp_path / "input.json").write_text('{"prompt": "Summarize."}', encoding="utf-8")
    # An answer of 400 or more ends the script.
    (tmp_path / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n", encoding="utf-8")
    script = "set -euo pipefail\n" + "\n".join(blocks("sh")).replace(PORT, str(port.number))
    emulator = served(installed, blocks("sh server")[0], tmp_path, port)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = {"PATH": path, "HOME": str(tmp_path), "AWS_DEFAULT_OUTPUT": "json"}
    notifications = tmp_path / "notifications.jsonl"
    try:
        command = ["bash", "-c", script]
        ran = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1800, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        with urllib.request.urlopen(f"http://127.0.0.1:{port.number}/_emulator/faults") as answer:
            faults = json.load(answer)
        wait_for(lambda: "\n" in notifications.read_text(encoding="utf-8"), PATIENCE_SECONDS, "notification")
    finally:
        emulator.stop()
    assert '"OutputLocation": "s3://sagemaker/output/' in ran.stdout
    assert '"Label": "ApproximateBacklogSizePerInstance"' in ran.stdout
    assert faults["seed"] == 7
    assert faults["all"]["throttling"] == 0.1
    assert faults["endpoints"]["demo"]["throttling"] == 1
    (notification,) = notifications.read_text(encoding="utf-8").splitlines()
    assert json.loads(json.loads(notification)["Message"])["invocationStatus"] == "Completed"


def served(installed: Installed, command: str, directory: Path, port: ReservedPort) -> Process:
    """An emulator that a command of the page has started in a directory, at this port."""
    log = directory / "log"
    start = f"cd {shlex.quote(str(directory))} && exec {command.strip()} --listen 127.0.0.1:{port.release()}"
    environment = {**installed.environment(), "PATH": f"{installed.programs}:/usr/bin:/bin"}
    process = Process("the page's emulator", ["bash", "-c", start], environment, log)
    try:
        said = f" listening on http://127.0.0.1:{port.number}\n"
        process.wait_until(lambda: said in log.read_text(), PATIENCE_SECONDS)
    except BaseException:
        process.stop()
        raise
    return process
