"""Where the wheel's program was installed."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

NAME = "sagemaker-async-emulator"


def binary() -> Path:
    """The path of the emulator's program: the one that was installed with this package, else the one on the PATH.

    Raises:
        FileNotFoundError: there is neither.
    """
    # The list of installed files knows each way of installing: environments, --user, --prefix.
    for file in _installed():
        path = Path(str(file.locate())).resolve()
        if path.name == NAME and path.is_file():
            return path
    found = shutil.which(NAME)
    if found is None:
        raise FileNotFoundError(f"{NAME} is neither installed with its Python package nor on the PATH")
    return Path(found)


def _installed() -> list[metadata.PackagePath]:
    try:
        return metadata.files(NAME) or []
    except metadata.PackageNotFoundError:
        return []
