"""The notes of a release: its version's section of CHANGELOG.md.

    python -m release.notes --tag v1.2.3 --source-url https://example.com/somebody/it

prints them. It fails unless Cargo.toml has the tag's version and CHANGELOG.md a section of it. Without a tag, the
section may still be called Unreleased.
"""

from __future__ import annotations

import argparse
import re
import sys

from local.stack import ROOT
from release.project import ReleaseError, linked, this_package


def notes(changelog: str, version: str, *, tagged: bool) -> str:
    """The section of a version. Without a tag it may still be called Unreleased."""
    sections = re.findall(r"^## \[([^\]]+)\][^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    found = dict(sections)
    wanted = [version] if tagged else [version, "Unreleased"]
    text = next((found[name].strip() for name in wanted if found.get(name, "").strip()), None)
    if text is None:
        raise ReleaseError(f"CHANGELOG.md: no section [{'] or ['.join(wanted)}] with anything in it")
    return text + "\n"


def main() -> int:
    """Exit code 1 with a line for what is missing."""
    parser = argparse.ArgumentParser(prog="release.notes", description="The notes of a release.")
    parser.add_argument("--tag", default="", help="fail unless Cargo.toml and CHANGELOG.md have this version")
    parser.add_argument("--source-url", default="", help="address of the repository, for links")
    asked = parser.parse_args()
    package = this_package(asked.source_url)
    try:
        if asked.tag not in ("", f"v{package.version}"):
            raise ReleaseError(f"tag {asked.tag}, but Cargo.toml has version {package.version}")
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        print(linked(notes(changelog, package.version, tagged=bool(asked.tag)), package), end="")
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
