"""A release, deployed to the local AWS as docs/deploy.md says, where there is no Cargo."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from samtranslator.yaml_helper import yaml_parse

from local import addressed, demo
from local.bridge import PATIENCE_SECONDS, REGION, ROOT_KEY
from local.cases import ECHO_ENDPOINT, FAILING_ENDPOINT, all_cases, read_location
from local.destinations import PARAMETERS, Destinations
from local.stack import ROOT, LocalStack
from release.template import CATALOGUE

STACK = "sagemaker-async-bridge"
AWS = Path(sys.executable).with_name("aws")
SAM = ROOT / ".venv/lint/bin/sam"
# One parameter is all that the page names.
NAMED = "EndpointName=summarizer"
# Whatever sam asks, however many parameters there are.
ENTER_EVERYWHERE = "\n" * 200


def commands(language: str) -> str:
    """The page's commands for a release."""
    page = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## From a release\n(.*?)(?=^## )", page, re.MULTILINE | re.DOTALL)
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return block


def tools(directory: Path, *programs: Path | str) -> Path:
    """A directory with these programs and no others."""
    directory.mkdir()
    for program in programs:
        found = shutil.which(program)
        assert found, program
        (directory / Path(program).name).symlink_to(found)
    assert shutil.which("cargo", path=str(directory)) is None
    return directory


class Released(LocalStack):
    """A local AWS on which a release is deployed by the page's commands."""

    def __init__(self, unpacked: Path, path: Path, language: str) -> None:
        super().__init__({ECHO_ENDPOINT: "echo", FAILING_ENDPOINT: "fail"}, parameters=PARAMETERS, name=STACK)
        self.unpacked, self.path, self.language = unpacked, path, language

    def _create_stack(self) -> None:
        self.s3.create_bucket(Bucket="my-bucket")
        written = commands(self.language)
        assert NAMED in written
        given = " ".join(shlex.quote(f"{name}={value}") for name, value in self._parameters().items())
        done = subprocess.run(
            ["/bin/bash", "-euc", written.replace(NAMED, given)],
            cwd=self.unpacked,
            env=self.environment(),
            input=ENTER_EVERYWHERE,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def environment(self) -> dict[str, str]:
        """An administrator's, and no way to any program but one."""
        key = {"AWS_ACCESS_KEY_ID": ROOT_KEY, "AWS_SECRET_ACCESS_KEY": ROOT_KEY}
        where = {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        nobody = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "SAM_CLI_TELEMETRY": "0"}
        return {"PATH": str(self.path), "HOME": str(self._scratch), **key, **where, **nobody}


def test_the_aws_cli_alone_deploys_a_release_that_serves_all_requests_of_the_demo(
    unpacked: Path, tmp_path: Path
) -> None:
    with Released(unpacked, tools(tmp_path / "bin", str(AWS)), "sh aws") as stack:
        console = Console(force_terminal=False)
        failures = demo.run(stack, all_cases(), stack.report, console)
        failures += addressed.show(stack, Destinations(stack), console)
        assert failures == []
        # What the Serverless Application Repository reads was uploaded with the functions.
        packaged = yaml_parse((unpacked / "packaged.yaml").read_text(encoding="utf-8"))
        entry = packaged["Metadata"][CATALOGUE]
        for file, url in (("LICENSE", entry["LicenseUrl"]), ("README.md", entry["ReadmeUrl"])):
            assert read_location(stack, url) == (unpacked / file).read_bytes()


@pytest.mark.skipif(not SAM.exists(), reason="needs the SAM CLI: make .venv/lint/.stamp")
def test_sam_deploys_a_release_with_enter_at_every_prompt(unpacked: Path, tmp_path: Path) -> None:
    with Released(unpacked, tools(tmp_path / "bin", str(SAM)), "sh sam") as stack:
        message_id = stack.send('{"prompt": "Summarize."}')
        result = json.loads(stack.wait_for_result(message_id)["Body"])
        assert result["responseBody"]["content"] == '{"prompt": "Summarize."}'


@pytest.mark.skipif(not shutil.which("unzip"), reason="needs unzip")
def test_the_page_s_first_commands_check_and_unpack_a_release(release: Path, archive: Path, tmp_path: Path) -> None:
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    for name in (archive.name, "SHA256SUMS"):
        shutil.copy(release / name, downloads)
    command, path = commands("sh unpack").replace("arm64", archive.stem.rsplit("-", 1)[1]), tmp_path / "bin"
    done = subprocess.run(
        ["/bin/bash", "-euc", f"{command}\npwd"],
        cwd=downloads,
        env={"PATH": str(tools(path, "sha256sum", "unzip"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(downloads / archive.stem)
