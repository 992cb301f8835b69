"""The programs under test stay as they were when the run began.

The tests of the emulator's packages let cargo build it. Cargo may then replace target/debug/sagemaker-async-emulator,
and for a moment tests in the processes beside it would find no program there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from local.stack import BINARIES

VARIABLE = "BINARIES_DIRECTORY"
NAMES = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Another name for each program, for local/stack.py. The processes of pytest-xdist inherit the variable."""
    programs = [path for path in BINARIES.glob("*") if path.is_file() and os.access(path, os.X_OK)]
    if not config.getoption("numprocesses", None) or not programs:
        return
    config.stash[NAMES] = os.environ[VARIABLE] = tempfile.mkdtemp(prefix="tested-", dir=BINARIES.parent)
    for program in programs:
        link_or_copy(program, Path(config.stash[NAMES], program.name))


def link_or_copy(program: Path, to: Path) -> None:
    """A copy where the file system has no hard links. Cargo has to copy there too, and does so with each build."""
    try:
        to.hardlink_to(program)
    except OSError:
        shutil.copy2(program, to)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The names go, the programs stay."""
    directory = config.stash.get(NAMES, None)
    if directory is not None:
        del os.environ[VARIABLE]
        shutil.rmtree(directory)
