"""What each function's code asks of AWS, read out of src/: every call of an SDK, with the file that makes it.

A function is its program under src/bin/ and every module that it reaches by `mod` and `use`. Whatever these contain may
be linked into it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import botocore.session

ROOT = Path(__file__).resolve().parent.parent.parent
CRATE = "sagemaker_async_bridge"

# SDK crates whose service botocore knows by another name.
BOTOCORE_NAMES = {"eventbridge": "events", "sagemakerruntime": "sagemaker-runtime", "sfn": "stepfunctions"}
# Methods of the crate that make one call for whoever calls them, and the file that they are in.
WRAPPERS = {"Object::get": "GetObject", "Head::of": "HeadObject"}
WRAPPING_FILE = "object.rs"

COMMENT = re.compile(r"^\s*//.*$", re.MULTILINE)
TESTS = re.compile(r"^#\[cfg\(test\)\]\nmod tests (\{.*|;)", re.MULTILINE | re.DOTALL)
BUILDER = re.compile(r"\.\s*(?P<name>[a-z0-9_]+)\(\)")
INPUT = re.compile(r"aws_sdk_\w+::operation::(?P<name>\w+)::\w*Input")
MODULE = re.compile(r"^\s*(?:pub(?:\([a-z: ]+\))? )?mod (?P<name>\w+);", re.MULTILINE)
USE_TREE = re.compile(r"\buse\s+(?P<tree>[^;]+);")
# A path outside a `use`; only those that begin at the crate or above the module can lead into other modules.
PATH = re.compile(rf"\b(?P<path>(?:crate|self|super|{CRATE})(?:::\w+)+)")


@dataclass(frozen=True, order=True)
class Call:
    """An operation that a file asks a service for."""

    file: str
    service: str
    operation: str

    def __str__(self) -> str:
        return f"src/{self.file}: {self.service} {self.operation}"


class Sources:
    """The modules of the library, and the programs."""

    def __init__(self, src: Path, manifest: str) -> None:
        self.src = src
        texts = {path.relative_to(src).as_posix(): path.read_text(encoding="utf-8") for path in src.rglob("*.rs")}
        self.code = {name: code_of(text) for name, text in texts.items() if Path(name).name != "tests.rs"}
        self.files = {module_path(name): name for name in self.code if not name.startswith("bin/")}
        self.operations = operations(manifest)

    def calls(self, binary: str) -> set[Call]:
        """Every call that this program may make."""
        return {call for file in self.reached(binary) for call in self.calls_in(file)}

    def calls_in(self, file: str) -> set[Call]:
        """Calls that this file makes. A wrapper's call is that of the file that asks the wrapper."""
        code = self.code[file]
        if file == WRAPPING_FILE:
            self._check_wrappers(code)
            return set()
        named = {found["name"] for pattern in (BUILDER, INPUT) for found in pattern.finditer(code)}
        made = {self._call(file, name) for name in named if name in self.operations}
        return made | {Call(file, "s3", operation) for method, operation in WRAPPERS.items() if f"{method}(" in code}

    def reached(self, binary: str) -> set[str]:
        """Files of the program and of all modules that it reaches."""
        program = f"bin/{binary}.rs"
        found, waiting = {program}, self._modules_named(program, ())
        while waiting:
            module = waiting.pop()
            file = self.files[module]
            if file not in found:
                found.add(file)
                waiting |= self._modules_named(file, module)
        return found

    def _call(self, file: str, name: str) -> Call:
        known = self.operations[name]
        # Several services have operations of this name: the file says which SDK it uses.
        used = [entry for crate, entry in known.items() if f"aws_sdk_{crate}" in self.code[file]]
        entries = list(known.values()) if len(known) == 1 else used
        if len(entries) != 1:
            raise ValueError(f"src/{file}: .{name}() may be {', '.join(known)}: name the SDK's crate in the file")
        return Call(file, *entries[0])

    def _check_wrappers(self, code: str) -> None:
        inside = {found["name"] for found in BUILDER.finditer(code)} & self.operations.keys()
        operations = {entry[1] for name in inside for entry in self.operations[name].values()}
        if operations != set(WRAPPERS.values()):
            raise ValueError(f"src/{WRAPPING_FILE} calls {sorted(operations)}, not what WRAPPERS says: {WRAPPERS}")

    def _modules_named(self, file: str, module: tuple[str, ...]) -> set[tuple[str, ...]]:
        code = self.code[file]
        paths = [leaf for found in USE_TREE.finditer(code) for leaf in leaves(found["tree"])]
        paths += [found["path"] for found in PATH.finditer(code)]
        named = {self._module_of(path.split("::"), module) for path in paths}
        if not file.startswith("bin/"):
            named |= {(*module, found["name"]) for found in MODULE.finditer(code)} & self.files.keys()
        return named - {None, ()}

    def _module_of(self, path: list[str], module: tuple[str, ...]) -> tuple[str, ...] | None:
        """The innermost module that a path leads through."""
        first, *rest = path
        if first in ("crate", CRATE):
            start: tuple[str, ...] = ()
        elif first == "self":
            start = module
        elif first == "super":
            start = module[:-1]
            while rest and rest[0] == "super":
                start, rest = start[:-1], rest[1:]
        elif (*module, first) in self.files:
            start, rest = module, path
        else:
            return None
        for length in range(len(rest), 0, -1):
            if (*start, *rest[:length]) in self.files:
                return (*start, *rest[:length])
        return start


def code_of(text: str) -> str:
    """The text without comments and without its module of tests, which stands at its end."""
    return COMMENT.sub("", TESTS.sub("", text))


def module_path(file: str) -> tuple[str, ...]:
    """`submit/invoke.rs` as `("submit", "invoke")`; the library's root as `()`."""
    return () if file == "lib.rs" else tuple(file.removesuffix(".rs").split("/"))


def leaves(tree: str) -> list[str]:
    """The paths of a `use`: `a::{b, c::{d, self}}` as `a::b`, `a::c::d`, `a::c::self`."""
    prefix, brace, inside = "".join(tree.split()).partition("{")
    if not brace:
        return [prefix]
    depth, start, parts = 0, 0, []
    inside = inside.removesuffix("}")
    for at, character in enumerate(inside):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(inside[start:at])
            start = at + 1
    return [prefix + leaf for part in [*parts, inside[start:]] if part for leaf in leaves(part)]


def operations(manifest: str) -> dict[str, dict[str, tuple[str, str]]]:
    """Method of an SDK's client to crate to service and operation, for every SDK that Cargo.toml depends on."""
    session = botocore.session.get_session()
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for dependency in tomllib.loads(manifest)["dependencies"]:
        if not dependency.startswith("aws-sdk-"):
            continue
        crate = dependency.removeprefix("aws-sdk-")
        service = BOTOCORE_NAMES.get(crate, crate)
        for operation in session.get_service_model(service).operation_names:
            found.setdefault(botocore.xform_name(operation), {})[crate] = (service, operation)
    return found


def of_the_project() -> Sources:
    """The sources of this project."""
    return Sources(ROOT / "src", (ROOT / "Cargo.toml").read_text(encoding="utf-8"))


if __name__ == "__main__":
    sources = of_the_project()
    for program in sorted(name[4:-3] for name in sources.code if name.startswith("bin/")):
        for call in sorted(sources.calls(program)):
            print(f"{program:<8} {call}")
