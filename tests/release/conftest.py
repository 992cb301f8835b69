"""A release, unpacked: that of RELEASE_DIRECTORY, or one with the debug binaries, packed by the same code."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.archive import function_archive
from local.signals import interruptible
from local.stack import ARCHITECTURE, BINARIES, FUNCTIONS
from release.package import archive_name, write_release
from release.project import Package, this_package

SOURCE_URL = "https://git.example.com/somebody/sagemaker-async-bridge"


@pytest.fixture(scope="session", autouse=True)
def _ended_by_signals() -> Iterator[None]:
    """A terminated run brings its stacks down too."""
    with interruptible():
        yield


@pytest.fixture(scope="session")
def package() -> Package:
    return this_package(SOURCE_URL)


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory, package: Package) -> Path:
    """The directory with all that is uploaded."""
    if ready := os.environ.get("RELEASE_DIRECTORY"):
        return Path(ready).resolve()
    functions, directory = tmp_path_factory.mktemp("functions"), tmp_path_factory.mktemp("release")
    (functions / ARCHITECTURE).mkdir()
    for name in FUNCTIONS:
        (functions / ARCHITECTURE / f"{name}.zip").write_bytes(function_archive(BINARIES / name))
    write_release(functions, directory, package, processors=[ARCHITECTURE])
    return directory


@pytest.fixture(scope="session")
def archive(release: Path, package: Package) -> Path:
    """The archive for this machine's processor."""
    return release / f"{archive_name(package, ARCHITECTURE)}.zip"


@pytest.fixture(scope="session")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its directory."""
    parent = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(parent)
    return parent / archive.stem
