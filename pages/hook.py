"""Makes a site out of what GitHub shows: pages from outside docs/, and links that lead somewhere from there."""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
MERMAID = ROOT / ".venv" / "pages" / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"
# Files of the repository, and where on the site each one is; what lies in docs/ is there without being listed.
PAGES = {
    "README.md": "index.md",
    "docs/README.md": "contents.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "emulator/README.md": "emulator.md",
    **{
        f"examples/{path.parent.name}/README.md": f"examples/{path.parent.name}.md"
        for path in ROOT.glob("examples/*/README.md")
    },
}
# Code is matched first, so that nothing in it is taken for a link.
CODE_OR_LINK = re.compile(
    r"^(?P<fence>```+)[^\n]*\n.*?^(?P=fence)\s*$"
    r"|`[^`\n]+`"
    r"|(?P<image>!?)\[(?P<text>(?:`[^`]*`|[^\[\]])*)\]\((?P<target>[^()\s]+)\)",
    re.MULTILINE | re.DOTALL,
)
# In a list GitHub takes what is indented by two spaces, Python's Markdown by four.
INDENTED = re.compile(r"^(?P<fence>```+)[^\n]*\n.*?^(?P=fence)\s*$|^(?=  )", re.MULTILINE | re.DOTALL)
# A second word after the language says to a test what to do with the block.
FENCE_WITH_A_WORD = re.compile(r"^(\s*```\w+) +\w+$", re.MULTILINE)

log = logging.getLogger("mkdocs.plugins.pages")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages from outside docs/, and the script that draws."""
    for path, uri in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    files.append(File.generated(config, "assets/mermaid.js", abs_src_path=str(MERMAID)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Files) -> str:
    """Leads each link to a page of the site, or to the repository."""
    uri = page.file.src_uri
    path = next((path for path, to in PAGES.items() if to == uri), f"docs/{uri}")

    def led(found: re.Match[str]) -> str:
        if found["target"] is None:
            return found[0]
        target = destination(found["target"], path, uri, config.repo_url or "")
        return f"{found['image']}[{found['text']}]({target})" if target else found["text"]

    markdown = INDENTED.sub(lambda found: found[0] or "  ", CODE_OR_LINK.sub(led, markdown))
    return FENCE_WITH_A_WORD.sub(r"\1", markdown)


def destination(target: str, path: str, uri: str, repository: str) -> str:
    """Where a link of `path` leads to from its page `uri`. Empty: to a source, and the repository has no address."""
    if re.match(r"[a-z]+:|#", target):
        return target
    relative, _, anchor = target.partition("#")
    anchor = anchor and f"#{anchor}"
    linked = posixpath.normpath(posixpath.join(posixpath.dirname(path), relative))
    if not (ROOT / linked).exists():
        log.warning("%s links to '%s', which is not there", path, target)
        return ""
    readme = f"{linked}/README.md"
    page = (
        PAGES.get(linked) or PAGES.get(readme) or (linked.removeprefix("docs/") if linked.startswith("docs/") else "")
    )
    if page:
        return posixpath.relpath(page, posixpath.dirname(uri) or ".") + anchor
    kind = "tree" if (ROOT / linked).is_dir() else "blob"
    return f"{repository.rstrip('/')}/{kind}/HEAD/{linked}{anchor}" if repository else ""
