"""docs/deploy.md has the template's parameters."""

from __future__ import annotations

import re

from resolve import Template

from local.stack import ROOT

ROW = re.compile(r"^\| `(?P<name>[A-Z]\w+)` \| (?P<default>required|empty|`[^`]+`) \| .{10,} \|$", re.MULTILINE)


def test_the_table_of_parameters_has_each_with_its_default_in_the_order_in_which_sam_asks(template: Template) -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    documented = [(row["name"], row["default"]) for row in ROW.finditer(page)]
    assert documented == [(name, default(entry.get("Default"))) for name, entry in template.raw["Parameters"].items()]


def default(value: str | int | None) -> str:
    if value is None:
        return "required"
    return f"`{value}`" if value != "" else "empty"
