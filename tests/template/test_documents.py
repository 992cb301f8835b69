"""The documentation names what the template has."""

from __future__ import annotations

import re

import pytest
from resolve import Template

from local.stack import ROOT

ROW = re.compile(r"^\| `(?P<name>[A-Z]\w+)` \| (?P<default>required|empty|`[^`]+`) \| .{10,} \|$", re.MULTILINE)


def test_the_table_of_parameters_has_each_with_its_default_in_the_order_in_which_sam_asks(template: Template) -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    documented = [(row["name"], row["default"]) for row in ROW.finditer(page)]
    assert documented == [(name, default(entry.get("Default"))) for name, entry in template.raw["Parameters"].items()]


FOLDERS = ("docs/*.md", "examples/*/README.md")
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
PAGES += [str(page.relative_to(ROOT)) for folder in FOLDERS for page in sorted(ROOT.glob(folder))]


# docs/cargo-lambda.md has stacks of its own.
@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/cargo-lambda.md"])
def test_the_outputs_and_resources_that_its_commands_name_are_there(template: Template, page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert set(re.findall(r"\$\(output (\w+)\)", text)) <= set(template.raw["Outputs"])
    assert set(re.findall(r"\$\(resource (\w+)\)", text)) <= set(template.raw["Resources"])


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(page: str) -> None:
    source = ROOT / page
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", source.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        linked = (source.parent / path).resolve() if path else source
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def default(value: str | int | None) -> str:
    if value is None:
        return "required"
    return f"`{value}`" if value != "" else "empty"
