"""The emulator's wheel, built from the workspace and installed where nothing else is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

from local.stack import ROOT

MATURIN = ROOT / ".venv/build/bin/maturin"
SAMPLES = Path(__file__).parent / "samples"
# What the wheel leaves to its users, and what the samples look at processes with.
BESIDE_IT = ("pytest", "psutil")


class Installed:
    """A virtual environment with the wheel."""

    def __init__(self, directory: Path, wheel: Path) -> None:
        self.wheel = wheel
        self.programs = directory / "bin"
        venv.create(directory, symlinks=True)
        # The versions that other tests have. It has no pip of its own, which would take seconds to install.
        pip = [sys.executable, "-m", "pip", "--python", str(directory), "install", "--quiet"]
        constraint = ["--disable-pip-version-check", "--constraint", str(ROOT / "requirements/local.txt")]
        run([*pip, *constraint, str(wheel), *BESIDE_IT], ROOT)

    def pytest(self, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs pytest as a project of somebody's in a directory of its own would."""
        return self.run(["python", "-m", "pytest", "-p", "no:cacheprovider", *arguments], directory)

    def run(
        self, command: list[str], directory: Path, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs one of its programs. Its output and error output are one text."""
        program, *arguments = command
        return subprocess.run(
            [str(self.programs / program), *arguments],
            cwd=directory,
            env=self.environment(variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,
            check=False,
        )

    @staticmethod
    def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
        """This environment without what it knows of AWS, of Python and of other emulators' paths."""
        path = os.pathsep.join(["/usr/bin", "/bin"])
        return {"PATH": path, "HOME": os.devnull, "AWS_PROFILE": "somebody", **(variables or {})}


def run(command: list[str], directory: Path) -> str:
    """A step that has to succeed."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def outcomes(text: str) -> dict[str, int]:
    """The counts in pytest's last line."""
    summary = text.strip().splitlines()[-1].partition(" in ")[0]
    return {name: int(count) for count, name in re.findall(r"(\d+) (\w+)", summary)}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel of what is checked out. The build takes over what `cargo build --workspace` has built."""
    assert MATURIN.exists(), "no maturin: make .venv/build/.stamp"
    directory = tmp_path_factory.mktemp("wheel")
    build = [str(MATURIN), "build", "--locked", "--profile", "dev", "--compression-method", "stored"]
    run([*build, "--out", str(directory), "--manifest-path", "emulator/Cargo.toml"], ROOT)
    (wheel,) = directory.glob("*.whl")
    return Installed(directory / "venv", wheel)
