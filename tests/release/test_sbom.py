"""The bill of materials: what Cargo links into the functions, no more and no less."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from local.stack import ROOT
from release import sbom
from release.package import archive_name
from release.project import Package
from release.template import PROCESSORS

# The last one by a feature that a development dependency switches on.
ONLY_TESTS = {"proptest", "aws-smithy-mocks", "pretty_assertions"}


def every_crate(_target: str) -> dict[str, Any]:
    """A document with all that Cargo.lock knows, tests' and tools' crates too."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    crates = [{"name": one["name"], "version": one["version"], "bom-ref": ref(one)} for one in lock]
    (own,) = [crate for crate in crates if crate["name"] == "sagemaker-async-bridge"]
    crates.remove(own)
    everything = [crate["bom-ref"] for crate in crates]
    return {
        "metadata": {"component": own},
        "components": crates,
        "dependencies": [{"ref": name, "dependsOn": everything} for name in [own["bom-ref"], *everything]],
    }


def ref(crate: dict[str, Any]) -> str:
    return f"{crate['name']}@{crate['version']}"


@pytest.mark.parametrize("processor", PROCESSORS)
def test_the_bill_lists_the_crates_that_are_linked_and_none_of_the_tests(
    monkeypatch: pytest.MonkeyPatch, package: Package, processor: str
) -> None:
    monkeypatch.setattr(sbom, "all_crates", every_crate)
    document = sbom.sbom(package.name, sbom.TARGETS[processor])
    names = {component["name"] for component in document["components"]}
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    assert names >= manifest["dependencies"].keys()
    assert {component["name"] for component in every_crate("")["components"]} > ONLY_TESTS
    assert not names & ONLY_TESTS
    # Whatever is named, is there.
    refs = {component["bom-ref"] for component in [*document["components"], document["metadata"]["component"]]}
    assert {entry["ref"] for entry in document["dependencies"]} == refs
    assert all(set(entry["dependsOn"]) <= refs for entry in document["dependencies"])


@pytest.mark.skipif("RELEASE_DIRECTORY" not in os.environ, reason="needs a whole release: make release-check")
@pytest.mark.parametrize("processor", PROCESSORS)
def test_a_release_has_a_bill_for_each_processor(release: Path, package: Package, processor: str) -> None:
    document = json.loads((release / f"{archive_name(package, processor)}.cdx.json").read_text(encoding="utf-8"))
    assert document["bomFormat"] == "CycloneDX"
    listed = {(component["name"], component["version"]) for component in document["components"]}
    assert listed | {(package.name, package.version)} == sbom.crates(package.name, sbom.TARGETS[processor])
    assert str(ROOT) not in json.dumps(document)
