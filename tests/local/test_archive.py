"""Archives and the template that names them."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from local.archive import function_archive, with_code_uris, without_query_alarms
from local.stack import ROOT
from tests.template.resolve import Template

URIS = {"submit": "s3://b/submit.zip", "collect": "s3://b/collect.zip"}


def test_an_archive_holds_an_executable_bootstrap_and_is_reproducible(tmp_path: Path) -> None:
    binary = tmp_path / "submit"
    binary.write_bytes(b"#!/bin/sh\n" * 100)
    packed = function_archive(binary)
    assert packed == function_archive(binary)
    (entry,) = zipfile.ZipFile(io.BytesIO(packed)).infolist()
    assert entry.filename == "bootstrap"
    assert stat.S_IMODE(entry.external_attr >> 16) == 0o755
    assert zipfile.ZipFile(io.BytesIO(packed)).read("bootstrap") == binary.read_bytes()


def test_nothing_of_the_template_changes_but_the_two_code_uris() -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    before, after = template.splitlines(), with_code_uris(template, URIS).splitlines()
    changed = [(old.strip(), new.strip()) for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [("CodeUri: .", f"CodeUri: {URIS['submit']}"), ("CodeUri: .", f"CodeUri: {URIS['collect']}")]


def test_only_alarms_on_queries_are_left_out() -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    left = Template(without_query_alarms(template)).raw["Resources"]
    whole = Template(template).raw["Resources"]
    assert [name for name in whole if name not in left] == ["EndpointNotificationFailures"]
    assert all(entry == whole[name] for name, entry in left.items())


@pytest.mark.parametrize("template", ["Resources: {}\n", "  A:\n    Type: X\n    Properties:\n      CodeUri: .\n"])
def test_a_function_without_its_binary_s_name_is_an_error(template: str) -> None:
    with pytest.raises(ValueError, match="functions have Metadata Binary"):
        with_code_uris(template, URIS)
