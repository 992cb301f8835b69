"""CONTRIBUTING.md says of each directory what it is: product, tool or test."""

from __future__ import annotations

import re

from local.stack import ROOT


def test_each_directory_is_in_one_row_of_contributing() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^## Directories\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    named = re.findall(r"`([a-z]+)/`", table)
    # Directories that a build or a cache makes are ignored by git.
    ignored = {line.strip("/\n") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()}
    there = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))} - ignored
    assert sorted(named) == sorted(there)


def test_each_test_file_has_a_name_of_its_own() -> None:
    """pytest imports them by their names alone."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
