"""No file needs another that needs it in turn, so that each can be read after those that it builds on.

A file of a module may use what the file above it has: `endpoint/ledger.rs` names `endpoint.rs`, which is made of it.
"""

from __future__ import annotations

import ast
import graphlib
import re
from pathlib import Path

import pytest

from tests.template.sdk_calls import code_of, leaves, module_path

ROOT = Path(__file__).resolve().parents[2]
CRATES = ["src", "emulator/src", "bench/src", "examples/consumers/rust/src"]
PACKAGES = ["chaos", "doctor", "local", "recovery", "release", "simulate"]

USE = re.compile(r"^[ ]*(?P<public>pub(?:\([a-z: ]+\))? )?use\s+(?P<tree>[^;]+);", re.MULTILINE)
ALIAS = re.compile(r"\s+as\s+\w+")
# Also one that begins at a module inside this one: `ledger::Record`.
PATH = re.compile(r"(?<![\w:.])[a-z_]\w*(?:::\w+)+")

Name = tuple[str, ...]
Graph = dict[Name, set[Name]]


def circle(graph: Graph) -> str:
    """The files of one circle, or nothing."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        # It lists each before the one that needs it.
        return " -> ".join("/".join(name) for name in reversed(error.args[1]))
    return ""


def without_files_above(graph: Graph) -> Graph:
    return {name: {other for other in needed if name[: len(other)] != other} for name, needed in graph.items()}


def rust_files(directory: Path) -> Graph:
    """What each file of a crate needs: the files in which the paths of its code end."""
    files = [path.relative_to(directory).as_posix() for path in directory.rglob("*.rs")]
    files = [file for file in files if "tests" not in module_path(file) and not file.startswith("bin/")]
    code = {
        () if file == "main.rs" else module_path(file): code_of((directory / file).read_text(encoding="utf-8"))
        for file in files
        if file != "main.rs" or "lib.rs" not in files
    }
    # A name that a file only passes on is that of the file which has it.
    passed_on: dict[Name, Name] = {}
    named: Graph = {}
    for module, text in code.items():
        paths = [(found, path) for found in USE.finditer(text) for path in leaves(ALIAS.sub("", found["tree"]))]
        absolute = [(found["public"], _absolute(path, module, code.keys())) for found, path in paths]
        passed_on |= {(*module, path[-1]): path for public, path in absolute if public and path}
        named[module] = {path for public, path in absolute if not public and path}
        named[module] |= {_absolute(path, module, code.keys()) for path in PATH.findall(USE.sub("", text))} - {()}
    return without_files_above(
        {module: {_file_of(path, passed_on, code.keys()) for path in paths} for module, paths in named.items()}
    )


def _absolute(path: str, module: Name, modules: set[Name]) -> Name:
    """The path from the crate's root; nothing if it leads out of the crate."""
    first, *rest = path.split("::")
    if first == "crate":
        return tuple(rest)
    if first in ("self", "super"):
        above = 1 if first == "super" else 0
        while rest and rest[0] == "super":
            above, rest = above + 1, rest[1:]
        return (*module[: len(module) - above], *rest)
    return (*module, first, *rest) if (*module, first) in modules else ()


def _file_of(path: Name, passed_on: dict[Name, Name], modules: set[Name]) -> Name:
    for length in range(len(path), 0, -1):
        if path[:length] in modules:
            return path[:length]
        if path[:length] in passed_on:
            return _file_of((*passed_on[path[:length]], *path[length:]), passed_on, modules)
    return ()


def python_files(root: Path, packages: list[str]) -> Graph:
    """What each file of these packages imports of them."""
    files = {
        path.relative_to(root).with_suffix("").parts: ast.parse(path.read_text(encoding="utf-8"))
        for package in packages
        for path in (root / package).rglob("*.py")
    }
    trees = {name[:-1] if name[-1] == "__init__" else name: tree for name, tree in files.items()}
    imported: Graph = {name: set() for name in trees}
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{'/'.join(name)}: imports are absolute"
                module = tuple((node.module or "").split("."))
                # `from doctor import report` needs the file doctor/report.py.
                needed = {(*module, alias.name) for alias in node.names}
                imported[name] |= {other if other in trees else module for other in needed}
            elif isinstance(node, ast.Import):
                imported[name] |= {tuple(alias.name.split(".")) for alias in node.names}
    return without_files_above({name: needed & trees.keys() for name, needed in imported.items()})


@pytest.mark.parametrize("directory", CRATES)
def test_no_file_of_a_crate_needs_one_that_needs_it(directory: str) -> None:
    graph = rust_files(ROOT / directory)
    assert any(graph.values()), f"nothing found in {directory}"
    assert circle(graph) == ""


def test_no_file_in_python_needs_one_that_needs_it() -> None:
    graph = python_files(ROOT, PACKAGES)
    assert {name[0] for name, needed in graph.items() if needed} == set(PACKAGES)
    assert circle(graph) == ""


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


RUST = {
    "lib.rs": "mod queue;\nmod store;\n",
    "queue.rs": "pub mod entry;\nmod limits;\npub use entry::Entry;\nfn open() { limits::check(); }\n",
    "queue/entry.rs": "use super::Queue;\npub struct Entry(super::Limits);\n",
    "queue/limits.rs": "use crate::store::{Size, Store as Other};\n",
    "store.rs": "use crate::queue::Entry;\n",
}


def test_names_that_are_passed_on_and_files_above_make_no_circle(tmp_path: Path) -> None:
    graph = rust_files(written(tmp_path, RUST))
    assert graph[("queue", "limits")] == {("store",)}
    assert graph[("store",)] == {("queue", "entry")}
    assert circle(graph) == ""


@pytest.mark.parametrize(
    "line",
    [
        "use crate::queue::Queue;",
        "use super::queue::{Entry, limits::{self, Limits}};",
        "fn open() -> crate::queue::Queue;",
    ],
)
def test_a_circle_in_rust_is_found(tmp_path: Path, line: str) -> None:
    root = written(tmp_path, RUST | {"store.rs": f"{line}\n"})
    found = circle(rust_files(root))
    assert "queue/limits -> store" in found, found


def test_tests_may_use_what_uses_their_file(tmp_path: Path) -> None:
    text = "#[cfg(test)]\nmod tests {\n    use crate::queue::Queue;\n}\n"
    root = written(tmp_path, RUST | {"store.rs": text, "store/tests.rs": "use crate::queue::Queue;\n"})
    assert circle(rust_files(root)) == ""


@pytest.mark.parametrize("line", ["from package.a import A", "from package import a", "import package.a"])
def test_a_circle_in_python_is_found(tmp_path: Path, line: str) -> None:
    files = {"package/__init__.py": "from package.b import B\n", "package/a.py": "import os\nfrom package import b\n"}
    assert circle(python_files(written(tmp_path, files | {"package/b.py": ""}), ["package"])) == ""
    found = circle(python_files(written(tmp_path, {"package/b.py": f"def f():\n    {line}\n"}), ["package"]))
    assert "package/a -> package/b" in found, found
