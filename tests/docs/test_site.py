"""The site builds from the pages as GitHub shows them, and what is broken in them fails it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "https://example.com/somebody/bridge"


def build(root: Path, source_url: str = "") -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--silent", "site", f"SOURCE_URL={source_url}"]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def copy(root: Path) -> Path:
    """The repository with pages of its own; the rest is linked, so that links find it."""
    root.mkdir()
    copied = {"docs", "pages", "README.md"}
    for path in ROOT.iterdir():
        if path.name in copied:
            # Of Python's cache files may go while they are copied: another process writes them.
            cache = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, root / path.name, ignore=cache) if path.is_dir() else shutil.copy(path, root)
        elif path.name not in {"target", ".git"}:
            (root / path.name).symlink_to(path)
    return root


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = copy(tmp_path_factory.mktemp("site") / "repository")
    result = build(root, REPOSITORY)
    assert result.returncode == 0, result.stderr
    return root / "target" / "site"


class Links(HTMLParser):
    """The addresses in a page, scripts and pictures too."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src") and value is not None]


def links(page: Path) -> list[str]:
    parser = Links()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.found


def test_every_page_of_the_repository_is_on_the_site(built: Path) -> None:
    sources = [
        *(ROOT / "docs").glob("*.md"),
        *ROOT.glob("examples/*/README.md"),
        *ROOT.glob("*.md"),
        ROOT / "emulator" / "README.md",
    ]
    pages = list(built.rglob("index.html"))
    assert len(pages) == len(sources) >= 35


def test_the_list_of_pages_for_github_has_every_page() -> None:
    listed = re.findall(r"\]\(([^)#]+)", (ROOT / "docs" / "README.md").read_text(encoding="utf-8"))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"} <= set(listed)
    assert {f"../{path.relative_to(ROOT)}" for path in ROOT.glob("examples/*/README.md")} <= set(listed)


def test_no_page_loads_anything_from_another_host(built: Path) -> None:
    for page in built.rglob("*.html"):
        tags = re.findall(r"<(?:script|img|iframe|link)\b[^>]*>", page.read_text(encoding="utf-8"))
        assert len(tags) > 5
        assert [tag for tag in tags if re.search(r'(?:src|href)="?(?:https?:)?//', tag)] == [], page


def test_a_link_to_a_source_leads_to_the_repository(built: Path) -> None:
    found = links(built / "design" / "index.html")
    assert f"{REPOSITORY}/blob/HEAD/src/event.rs" in found
    assert f"{REPOSITORY}/tree/HEAD/examples/consumers/python" in links(built / "consumers" / "index.html")


def test_a_link_to_a_page_outside_docs_stays_on_the_site(built: Path) -> None:
    assert "../examples/state-machine/" in links(built / "contents" / "index.html")
    assert "../#try-it" in links(built / "tutorial" / "index.html")


def test_a_drawing_is_drawn_by_the_site_s_own_script(built: Path) -> None:
    home = built / "index.html"
    assert '<pre class="mermaid">' in home.read_text(encoding="utf-8")
    assert "assets/mermaid.js" in links(home)
    assert 'globalThis["mermaid"]' in (built / "assets" / "mermaid.js").read_text(encoding="utf-8")


def test_a_block_with_a_word_for_the_tests_is_a_block(built: Path) -> None:
    assert "```" in (ROOT / "docs" / "cargo-lambda.md").read_text(encoding="utf-8")
    for page in built.rglob("index.html"):
        assert "```" not in page.read_text(encoding="utf-8"), page


def test_a_block_in_a_list_is_in_the_list(built: Path) -> None:
    page = (built / "first-deployment" / "index.html").read_text(encoding="utf-8")
    assert re.search(
        r"It changes back and forth\.(?:(?!</li>).)*aws sns list-subscriptions-by-topic",
        re.sub(r"</?(span|a)[^>]*>", "", page),
        re.DOTALL,
    )


def test_without_an_address_of_the_repository_the_text_of_a_link_stays(tmp_path: Path) -> None:
    root = copy(tmp_path / "repository")
    assert build(root).returncode == 0
    page = root / "target" / "site" / "design" / "index.html"
    assert "src/event.rs" in page.read_text(encoding="utf-8")
    assert [link for link in links(page) if "event.rs" in link] == []


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("limits.md", "[gone](gone.md)", "docs/limits.md links to 'gone.md', which is not there"),
        ("limits.md", "[gone](../src/gone.rs)", "links to '../src/gone.rs', which is not there"),
        ("limits.md", "![gone](gone.svg)", "links to 'gone.svg', which is not there"),
        ("limits.md", "[gone](faults.md#gone)", "does not contain an anchor '#gone'"),
        ("limits.md", "[gone](#gone)", "there is no such anchor"),
        ("limits.md", "[gone](../emulator/README.md#gone)", "does not contain an anchor '#gone'"),
        ("omitted.md", "# A page", 'not included in the "nav" configuration:\n  - omitted.md'),
    ],
)
def test_what_is_broken_fails_the_build(tmp_path: Path, name: str, text: str, reason: str) -> None:
    root = copy(tmp_path / "repository")
    with (root / "docs" / name).open("a", encoding="utf-8") as page:
        page.write(f"\n{text}\n")
    result = build(root)
    assert result.returncode != 0
    assert reason in result.stderr + result.stdout


def test_a_broken_link_in_a_page_outside_docs_fails_the_build(tmp_path: Path) -> None:
    root = copy(tmp_path / "repository")
    with (root / "README.md").open("a", encoding="utf-8") as page:
        page.write("\n[gone](docs/gone.md)\n")
    result = build(root)
    assert result.returncode != 0
    assert "README.md links to 'docs/gone.md', which is not there" in result.stderr
