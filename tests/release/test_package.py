"""What a release consists of, and what its template promises."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from local.stack import ARCHITECTURE, FUNCTIONS, ROOT
from release.notes import notes
from release.package import archive_name, write_release
from release.project import Package, ReleaseError, linked, this_package
from release.template import CATALOGUE, PROCESSORS, catalogue_entry, released

TEMPLATE = (ROOT / "template.yaml").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n### Added\n- That.\n\n## [0.1.0]\n\n- This.\n"
# From the list of what the Serverless Application Repository takes. A new type has to be on that list too:
# https://docs.aws.amazon.com/serverlessrepo/latest/devguide/list-supported-resources.html
SUPPORTED = re.compile(
    r"AWS::(ApiGatewayV2::(Api|Authorizer|Integration|Route|Stage)|CloudWatch::(Alarm|Dashboard)|Events::Rule"
    r"|IAM::(ManagedPolicy|Role)|Lambda::(EventInvokeConfig|EventSourceMapping|Permission)|Logs::LogGroup"
    r"|S3::(Bucket|BucketPolicy)|SNS::(Subscription|Topic|TopicPolicy)|SQS::(Queue|QueuePolicy)|Serverless::Function)"
)
README_LIMIT_BYTES = 5 * 1024 * 1024


@pytest.fixture(params=PROCESSORS)
def template(request: pytest.FixtureRequest, package: Package) -> tuple[str, dict[str, Any]]:
    """A processor and the template for it."""
    return request.param, yaml_parse(released(TEMPLATE, request.param, package))


def test_nothing_of_the_template_changes_but_code_processor_and_catalogue_entry(
    template: tuple[str, dict[str, Any]], package: Package
) -> None:
    processor, found = template
    expected = yaml_parse(TEMPLATE)
    for resource in expected["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"{resource['Metadata']['BuildProperties']['Binary']}.zip"
    expected["Parameters"]["Architecture"] |= {
        "Default": processor,
        "AllowedValues": [processor],
        "ConstraintDescription": f"{processor}, which this release was built for.",
    }
    expected["Metadata"][CATALOGUE] = catalogue_entry(package)
    assert found == expected


def test_the_catalogue_entry_has_what_the_serverless_application_repository_asks_for(package: Package) -> None:
    entry = catalogue_entry(package)
    assert re.fullmatch(r"[a-zA-Z0-9-]{1,140}", entry["Name"])
    assert 1 <= len(entry["Description"]) <= 256
    assert re.fullmatch(r"[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?", entry["Author"])
    assert len(entry["Author"]) <= 127
    assert len(entry["Labels"]) <= 10
    assert all(re.fullmatch(r"[a-zA-Z0-9+_:/@-]{1,127}", label) for label in entry["Labels"])
    # To be shared with everybody, an application needs these too.
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", entry["SemanticVersion"])
    assert entry["SpdxLicenseId"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert entry["SourceCodeUrl"].startswith("https://")
    assert len(linked(README, package).encode()) < README_LIMIT_BYTES


@pytest.mark.parametrize("document", ["openapi.yaml", "asyncapi.yaml"])
def test_the_interfaces_are_described_in_the_version_of_cargo_toml(document: str, package: Package) -> None:
    assert yaml_parse((ROOT / document).read_text(encoding="utf-8"))["info"]["version"] == package.version


def test_every_resource_is_of_a_type_that_the_serverless_application_repository_takes() -> None:
    types = {resource["Type"] for resource in yaml_parse(TEMPLATE)["Resources"].values()}
    assert {name for name in types if not SUPPORTED.fullmatch(name)} == set()


def test_an_archive_holds_what_its_template_names_and_nothing_else(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        names = {name.removeprefix(f"{archive.stem}/") for name in opened.namelist()}
        template = yaml_parse(opened.read(f"{archive.stem}/template.yaml").decode())
    entry = template["Metadata"][CATALOGUE]
    functions = {
        resource["Properties"]["CodeUri"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    assert names == {"template.yaml", entry["LicenseUrl"], entry["ReadmeUrl"], *functions}
    assert template["Parameters"]["Architecture"]["AllowedValues"] == [archive.stem.rsplit("-", 1)[1]]


def test_the_checksums_are_those_of_all_files(release: Path) -> None:
    lines = (release / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert sums.keys() | {"SHA256SUMS"} == {path.name for path in release.iterdir()}
    for name, digest in sums.items():
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == digest


def test_equal_functions_make_equal_archives(archive: Path, package: Package, tmp_path: Path) -> None:
    functions = tmp_path / "functions"
    (functions / ARCHITECTURE).mkdir(parents=True)
    with zipfile.ZipFile(archive) as opened:
        for name in FUNCTIONS:
            (functions / ARCHITECTURE / f"{name}.zip").write_bytes(opened.read(f"{archive.stem}/{name}.zip"))
        text = opened.read(f"{archive.stem}/template.yaml").decode()
    source_url = yaml_parse(text)["Metadata"][CATALOGUE].get("HomePageUrl", "")
    write_release(functions, tmp_path / "again", this_package(source_url), processors=[ARCHITECTURE])
    assert (tmp_path / "again" / archive.name).read_bytes() == archive.read_bytes()
    assert archive.stem == archive_name(package, ARCHITECTURE)


def test_a_function_that_was_not_built_is_named(package: Package, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"not built: .*/arm64/submit\.zip, .*/arm64/collect\.zip"):
        write_release(tmp_path, tmp_path / "release", package)


def test_a_file_of_another_version_is_not_published(package: Package, tmp_path: Path) -> None:
    (tmp_path / "sagemaker_async_emulator-0.0.9-py3-none-linux_x86_64.whl").write_bytes(b"")
    with pytest.raises(ReleaseError, match=rf"not of version {re.escape(package.version)}: sagemaker_async_emulator"):
        write_release(tmp_path, tmp_path, package, processors=[])


def test_the_notes_are_the_version_s_section() -> None:
    assert notes(CHANGELOG, "0.2.0", tagged=True) == "### Added\n- That.\n"
    assert notes(CHANGELOG, "0.1.0", tagged=True) == "- This.\n"


def test_a_tag_needs_a_section_of_its_version() -> None:
    unreleased = CHANGELOG.replace("## [Unreleased]\n", "## [Unreleased]\n\n- Soon.\n")
    assert notes(unreleased, "0.3.0", tagged=False) == "- Soon.\n"
    with pytest.raises(ReleaseError, match=r"no section \[0\.3\.0\]"):
        notes(unreleased, "0.3.0", tagged=True)
    with pytest.raises(ReleaseError, match=r"no section \[0\.3\.0\] or \[Unreleased\] with anything in it"):
        notes(CHANGELOG, "0.3.0", tagged=False)


def test_links_of_the_readme_lead_to_the_repository_at_the_version(package: Package) -> None:
    text = linked(README, package)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert f"{package.source_url}/blob/v{package.version}/docs/deploy.md" in links
    assert all(link.startswith(("https://", "#")) for link in links)
    assert linked(README, this_package()) == README


@pytest.mark.skipif("RELEASE_DIRECTORY" not in os.environ, reason="needs a whole release: make release-check")
@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_functions_that_run_lie_together(
    release: Path, package: Package, processor: str, function: str, tmp_path: Path
) -> None:
    """src/bin/functions.ld has its effect with zig too, which links for Lambda, and on both processors."""
    name = archive_name(package, processor)
    with zipfile.ZipFile(release / f"{name}.zip") as archive, archive.open(f"{name}/{function}.zip") as inner:
        zipfile.ZipFile(inner).extract("bootstrap", tmp_path)
    command = ["readelf", "--sections", "--wide", tmp_path / "bootstrap"]
    sections = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    length = {name: int(size, 16) for name, size in re.findall(r"(\.text\S*) +PROGBITS +\w+ +\w+ +(\w+)", sections)}
    assert length[".text.first"] > length[".text"]
