"""`make prose` finds what the rules of pages/prose.yml forbid, and says where."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "pages" / "prose.yml").read_text(encoding="utf-8"))["rules"]
LONG = "The function sends the request to the endpoint and " * 5 + "ends."


def prose(*, pages: Path | str = "README.md", descriptions: Path | str = "") -> tuple[int, str]:
    """What `make prose` says of these files alone."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--silent", "prose", f"PROSE={pages}", f"DESCRIPTIONS={descriptions}"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


def lines_of(page: Path, said: str) -> set[int]:
    return {int(line) for line in re.findall(rf"{re.escape(page.name)}:(\d+):", said)}


def test_each_rule_has_an_example() -> None:
    assert len(RULES) >= 20
    for rule in RULES:
        assert [spec for spec in rule["specs"] if spec["from"] != spec["to"]], rule["pattern"]


def test_the_example_of_each_rule_fails(tmp_path: Path) -> None:
    examples = [spec["from"] for rule in RULES for spec in rule["specs"] if spec["from"] != spec["to"]]
    page = tmp_path / "page.md"
    page.write_text("\n\n".join(examples) + "\n", encoding="utf-8")
    code, said = prose(pages=page)
    assert code != 0
    missed = [example for number, example in enumerate(examples) if 2 * number + 1 not in lines_of(page, said)]
    assert missed == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("The outputs lie in S3.", "lie in => are in"),
        ("In a list:\n\n- the outputs lie\n  in S3", "[Error/prh]"),
        ("| a | b |\n|---|---|\n| c | the outputs lie in S3 |", "lie in => are in"),
        (LONG, "exceeds the maximum sentence length of 240"),
        ("The function recieves a request.", "recieves ==> receives"),
    ],
)
def test_a_bad_sentence_fails(tmp_path: Path, text: str, reason: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n{text}\n", encoding="utf-8")
    code, said = prose(pages=page)
    assert code != 0
    assert reason in said


def test_code_is_no_prose(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("The log has `the outputs lie in S3`.\n\n```\nthe outputs lie in S3\n```\n", encoding="utf-8")
    code, said = prose(pages=page)
    assert code == 0, said


@pytest.mark.parametrize(
    "text",
    [
        "description: The outputs lie in S3.",
        "description: |\n        First.\n\n        The outputs lie in S3.",
        'summary: "they lie in S3"',
    ],
)
def test_a_description_in_yaml_fails_at_its_line(tmp_path: Path, text: str) -> None:
    document = tmp_path / "api.yaml"
    document.write_text(f"info:\n  title: Something\n  tags:\n    - {text}\n      name: lie in\n", encoding="utf-8")
    code, said = prose(descriptions=document)
    assert code != 0
    lines = document.read_text(encoding="utf-8").splitlines()
    assert lines_of(Path("api.yaml.md"), said) == {
        number for number, line in enumerate(lines, 1) if "lie in S3" in line
    }
