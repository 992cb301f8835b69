"""What a release is of: name, version and licence of the project."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

from local.stack import ROOT

# A link of Markdown to another file of the repository.
RELATIVE_LINK = re.compile(r"\]\((?!https?://|#)(?P<target>[^)]+)\)")


class ReleaseError(Exception):
    """Something that a release needs is not there, or is not of its version."""


@dataclass(frozen=True)
class Package:
    """What Cargo.toml says of the project. `source_url`: where its repository is, if that is known."""

    name: str
    version: str
    description: str
    license: str
    source_url: str = ""


def this_package(source_url: str = "") -> Package:
    """What Cargo.toml says."""
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    package, workspace = manifest["package"], manifest["workspace"]["package"]
    return Package(
        package["name"], workspace["version"], package["description"], workspace["license"], source_url.rstrip("/")
    )


def linked(text: str, package: Package) -> str:
    """Markdown of the repository for readers elsewhere: its links lead there, if it is known where that is."""
    if not package.source_url:
        return text
    base = f"{package.source_url}/blob/v{package.version}"
    return RELATIVE_LINK.sub(lambda link: f"]({base}/{link['target']})", text)
