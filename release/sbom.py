"""The software bill of materials of the functions for each processor, in CycloneDX's format.

    python -m release.sbom target/upload

The crates come from cargo-cyclonedx. It counts what `cargo metadata` does, and so crates that only tests switch on.
Those that `cargo tree` does not see in the functions are taken out again.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from local.stack import ROOT
from release.package import archive_name
from release.project import this_package
from release.template import PROCESSORS

TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
CRATE = re.compile(r"^(?P<name>\S+) v(?P<version>\S+)", re.MULTILINE)
# The newest that cargo-cyclonedx writes.
SPEC_VERSION = "1.5"
FILE = "sbom-of-a-release"


def cargo(*arguments: str) -> str:
    """What Cargo prints."""
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def crates(package: str, target: str) -> set[tuple[str, str]]:
    """Name and version of the package and of each crate that its binaries are made of."""
    tree = cargo(
        *("tree", "--locked", "--package", package, "--target", target),
        *("--edges", "normal", "--prefix", "none", "--format", "{p}"),
    )
    return {(found["name"], found["version"]) for found in CRATE.finditer(tree)}


def all_crates(target: str) -> dict[str, Any]:
    """cargo-cyclonedx's document for the root package. It writes one beside the manifest of each member."""
    members = json.loads(cargo("metadata", "--locked", "--no-deps", "--format-version", "1"))["packages"]
    written = [Path(member["manifest_path"]).with_name(f"{FILE}.json") for member in members]
    try:
        cargo(
            *("cyclonedx", "--quiet", "--format", "json", "--spec-version", SPEC_VERSION, "--no-build-deps"),
            *("--target", target, "--override-filename", FILE),
        )
        return json.loads((ROOT / f"{FILE}.json").read_text(encoding="utf-8").replace(ROOT.as_uri(), "file:///src"))
    finally:
        for path in written:
            path.unlink(missing_ok=True)


def sbom(package: str, target: str) -> dict[str, Any]:
    """The document with the crates of the functions only."""
    document, wanted = all_crates(target), crates(package, target)
    document["components"] = [one for one in document["components"] if (one["name"], one["version"]) in wanted]
    refs = {one["bom-ref"] for one in [*document["components"], document["metadata"]["component"]]}
    document["dependencies"] = [
        {**entry, "dependsOn": [ref for ref in entry.get("dependsOn", []) if ref in refs]}
        for entry in document["dependencies"]
        if entry["ref"] in refs
    ]
    return document


def main() -> int:
    """Writes a file for each processor."""
    directory, package = Path(sys.argv[1]), this_package()
    directory.mkdir(parents=True, exist_ok=True)
    for processor in PROCESSORS:
        text = json.dumps(sbom(package.name, TARGETS[processor]), indent=1, ensure_ascii=False)
        (directory / f"{archive_name(package, processor)}.cdx.json").write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
