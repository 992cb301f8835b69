"""Each block of code in the documentation is at least what its fence says: JSON, YAML, Python or shell."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / "docs").glob("*.md"),
    *ROOT.glob("*.md"),
    *ROOT.glob("examples/*/README.md"),
    ROOT / "emulator" / "README.md",
]
BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>json|yaml|python|sh|bash)(?: \w+)?\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """Code in a page, and where it begins."""

    place: str
    language: str
    code: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        line = text[: match.start()].count("\n") + 1
        found.append(Block(f"{page.relative_to(ROOT)}:{line}", match["language"], textwrap.dedent(match["code"])))
    return found


def parse(block: Block) -> None:
    """Fails on what the language does not allow."""
    match block.language:
        case "json":
            rest = block.code.strip()
            while rest:  # a log has a value a line
                _, end = json.JSONDecoder().raw_decode(rest)
                rest = rest[end:].strip()
        case "yaml":
            assert yaml.compose(block.code, Loader=yaml.SafeLoader) is not None
        case "python":
            ast.parse(block.code)
        case _:
            result = subprocess.run(["bash", "-n"], input=block.code, capture_output=True, text=True, check=False)
            assert result.returncode == 0, result.stderr


ALL = [block for page in sorted(PAGES) for block in blocks(page)]


def test_blocks_of_each_language_are_found() -> None:
    assert {block.language for block in ALL} == {"json", "yaml", "python", "sh"}
    assert len(ALL) > 80


@pytest.mark.parametrize("block", ALL, ids=lambda block: block.place)
def test_a_block_parses(block: Block) -> None:
    parse(block)


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("json", '{"a": 1,}'),
        ("yaml", "a: b: c"),
        ("python", "def f(:"),
        ("sh", 'echo "open'),
        ("bash", "if true; then"),
    ],
)
def test_a_block_that_does_not_parse_is_found(language: str, code: str) -> None:
    with pytest.raises((AssertionError, SyntaxError, ValueError, yaml.YAMLError)):
        parse(Block("page.md:1", language, code))
