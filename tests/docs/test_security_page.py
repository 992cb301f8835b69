"""docs/security.md names tests, rights and services that are there, and the supply chain is what it says."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.template.sdk_calls import of_the_project

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAME = re.compile(r"`((?:test_)?[a-z0-9]+(?:_[a-z0-9]+){3,})`")
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def section(heading: str) -> str:
    (found,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return found


def rows(text: str) -> list[list[str]]:
    """The rows of a section's table, without its head, as cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def defined() -> set[str]:
    """Every test there is."""
    files = [
        path for where in ("src", "tests") for path in (ROOT / where).rglob("*.*") if path.suffix in (".rs", ".py")
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    in_rust = re.findall(r"#\[(?:tokio::)?test[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:async )?fn (\w+)\(", text)
    # Properties are tests too: proptest! makes one of each function in it.
    in_proptest = re.findall(r"^    fn (\w+)\(\w+ in ", text, re.MULTILINE)
    return {*in_rust, *in_proptest, *re.findall(r"^def (test_\w+)\(", text, re.MULTILINE)}


def test_each_threat_has_what_stops_it_and_tests_that_are_there() -> None:
    threats = rows(section("Threats"))
    assert len(threats) >= 15
    for threat in threats:
        assert len(threat) == 3, threat
        assert NAME.findall(threat[2]), f"no test: {threat[0]}"
    named = {name for threat in threats for name in NAME.findall(threat[2])}
    assert named - defined() == set()


@pytest.mark.parametrize(
    "threat",
    [
        "stranger sends",
        "confused deputy",
        "forged notification",
        "leaked log",
        "poisoned return address",
        "presigned url",
        "foreign s3 location",
        "one topic",
        "dead letters",
        "dependency",
    ],
)
def test_a_threat_that_was_asked_for_is_on_the_page(threat: str) -> None:
    assert [row for row in rows(section("Threats")) if threat in row[0].lower()]


def test_the_vpc_endpoints_are_of_the_services_that_the_code_calls() -> None:
    sources = of_the_project()
    called = {program: {call.service for call in sources.calls(program)} for program in ("submit", "collect")}
    who = {"both": {"submit", "collect"}, "`submit`": {"submit"}, "`collect`": {"collect"}}
    documented = {row[0].strip("`"): who[row[2]] for row in rows(section("In a VPC"))}
    assert documented == {
        service: {program for program in called if service in called[program]}
        for service in set().union(*called.values())
    }


def key_policy() -> dict[str, dict[str, Any]]:
    (block,) = re.findall(r"^```json\n(.*?)^```$", section("A key of yours"), re.MULTILINE | re.DOTALL)
    return {statement["Sid"]: statement for statement in json.loads(block)["Statement"]}


def test_the_key_s_policy_lets_in_the_services_that_write_for_the_stack() -> None:
    policy = key_policy()
    assert {statement["Effect"] for statement in policy.values()} == {"Allow"}
    assert policy["TopicsSendToQueues"]["Principal"] == {"Service": "sns.amazonaws.com"}
    assert set(policy["TopicsSendToQueues"]["Action"]) == {"kms:GenerateDataKey", "kms:Decrypt"}
    assert policy["LogsAreWritten"]["Principal"] == {"Service": "logs.REGION.amazonaws.com"}


def test_the_key_s_policy_has_the_log_groups_of_the_template() -> None:
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    names = [name.replace("${AWS::StackName}", "STACK") for name in re.findall(r'LogGroupName: !Sub "(.*)"', text)]
    patterns = key_policy()["LogsAreWritten"]["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    assert len(names) >= 3
    for name in names:
        assert any(
            re.fullmatch(re.escape(known.split("log-group:")[1]).replace(r"\*", ".*"), name) for known in patterns
        )


def test_dependencies_come_from_crates_io_alone_each_with_its_checksum() -> None:
    members = 0
    for lock in ("Cargo.lock", "fuzz/Cargo.lock", "bench/baseline/rust/Cargo.lock"):
        for package in tomllib.loads((ROOT / lock).read_text(encoding="utf-8"))["package"]:
            if "source" in package:
                assert package["source"] == CRATES_IO, package
                assert len(package["checksum"]) == 64, package
            else:
                members += 1
    assert 0 < members < 10
    sources = tomllib.loads((ROOT / "deny.toml").read_text(encoding="utf-8"))["sources"]
    assert sources["unknown-registry"] == sources["unknown-git"] == "deny"


def test_every_build_takes_the_locked_versions() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"\$\(CARGO\) (?:build|test|clippy|doc|install|lambda|metadata)\b.*", makefile)
    assert len(commands) > 8
    assert [command for command in commands if "--locked" not in command] == []
    for path in (ROOT / "requirements").glob("*.txt"):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
        assert [line for line in lines if not re.match(r"[\w.\[\]-]+==\S+", line)] == [], path


def test_no_file_may_be_unsafe() -> None:
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    assert manifest["workspace"]["lints"]["rust"]["unsafe_code"] == "forbid"
    assert manifest["lints"] == {"workspace": True}
    # What is linked into the functions; an inner attribute could not lift a forbid, but a word says it sooner.
    assert not [path for path in (ROOT / "src").rglob("*.rs") if "unsafe {" in path.read_text(encoding="utf-8")]


def test_known_vulnerabilities_are_looked_for_each_week() -> None:
    workflow = (ROOT / ".github" / "workflows" / "advisories.yml").read_text(encoding="utf-8")
    assert "schedule:" in workflow
    assert "cargo-deny --locked check advisories" in workflow
