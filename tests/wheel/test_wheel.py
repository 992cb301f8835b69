"""`pip install` and one fixture: the wheel in a fresh virtual environment, used as its users do."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tomllib
import zipfile
from pathlib import Path

import psutil
import pytest

from local.bridge import PATIENCE_SECONDS, wait_for
from local.stack import EMULATOR, ROOT
from tests.wheel.conftest import SAMPLES, Installed, outcomes


def test_a_team_s_tests_pass(installed: Installed, tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "passing.py", tmp_path)
    done = installed.pytest(tmp_path, "--strict-markers", "-W", "error", "passing.py")
    assert done.returncode == 0, done.stdout
    assert outcomes(done.stdout) == {"passed": 14}, done.stdout


def test_tests_that_should_fail_do_and_say_why(installed: Installed, tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "failing.py", tmp_path)
    done = installed.pytest(tmp_path, "failing.py")
    assert done.returncode == 1, done.stdout
    assert outcomes(done.stdout) == {"failed": 2, "errors": 3}
    for words in (
        "assert b'x' == b'y'",
        "InvocationError: the invocation has failed: ",
        "takes model, name, faults, region, options by name, not modle",
        "must be echo, fail, fail:STATUS",
        "unknown field `throtling`",
        # The emulator's log stands below a test that has failed.
        "Captured sagemaker-async-emulator call",
        "invocation ended",
    ):
        assert words in done.stdout, words


def stored(key: str) -> list[str]:
    """The emulators' directories in memory that hold an object. Those of tests beside this one come and go."""
    return [directory for directory, _, files in os.walk("/dev/shm") if EMULATOR in directory and key in files]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_emulator_outlives_a_pytest_that_is_killed(installed: Installed, tmp_path: Path, number: int) -> None:
    shutil.copy(SAMPLES / "killed.py", tmp_path)
    log = tmp_path / "log"
    with log.open("wb") as output:
        run = subprocess.Popen(
            [str(installed.programs / "python"), "-m", "pytest", "-s", "killed.py"],
            cwd=tmp_path,
            env=installed.environment(),
            stdout=output,
            stderr=output,
        )
    try:
        wait_for(lambda: " waits\n" in log.read_text(), PATIENCE_SECONDS, "emulator")
        pid, key = log.read_text().partition("emulator ")[2].split()[:2]
        emulator = psutil.Process(int(pid))
        assert stored(key) or not Path("/dev/shm").is_dir()
        run.send_signal(number)
        run.wait(PATIENCE_SECONDS)
        wait_for(lambda: not emulator.is_running(), PATIENCE_SECONDS, "end of the emulator")
        assert not stored(key)
    finally:
        run.kill()
        run.wait()


def test_the_program_is_in_the_path_of_the_environment_and_runs_as_a_module(
    installed: Installed, tmp_path: Path
) -> None:
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    for command in ([EMULATOR], ["python", "-m", "sagemaker_async_emulator"]):
        done = installed.run([*command, "--version"], tmp_path)
        assert done.stdout == f"{EMULATOR} {version}\n"
    found = installed.run(["python", "-c", "import sagemaker_async_emulator as e; print(e.binary())"], tmp_path)
    assert Path(found.stdout.strip()) == (installed.programs / EMULATOR).resolve()


def test_the_wheel_holds_the_package_its_types_the_program_and_the_licence(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    modules = [path.name for path in (ROOT / "emulator/python/sagemaker_async_emulator").iterdir() if path.is_file()]
    assert "py.typed" in modules
    for wanted in [*(f"sagemaker_async_emulator/{name}" for name in modules), f"data/scripts/{EMULATOR}", "LICENSE"]:
        assert [name for name in names if name.endswith(wanted)], wanted
    assert not [name for name in names if "__pycache__" in name]
    metadata = zipfile.ZipFile(installed.wheel).read(next(name for name in names if name.endswith("METADATA")))
    assert b"\nRequires-Python: >=3.10\n" in metadata
    assert (ROOT / "emulator/README.md").read_bytes() in metadata


def test_every_public_thing_is_documented(installed: Installed, tmp_path: Path) -> None:
    code = (
        "import inspect, sagemaker_async_emulator as e\n"
        "for name in e.__all__:\n"
        "    thing = getattr(e, name)\n"
        "    members = vars(thing).items() if inspect.isclass(thing) else ()\n"
        "    own = [(f'{name}.{each}', member) for each, member in members if each[0] != '_']\n"
        "    for where, each in [(name, thing), *own]:\n"
        "        is_code = inspect.isclass(each) or inspect.isroutine(each) or isinstance(each, property)\n"
        "        assert each.__doc__ or not is_code, where\n"
    )
    done = installed.run(["python", "-c", code], tmp_path, {"PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stdout
