"""`make deploy`, by its own recipe and with the real SAM CLI, of a small template to the local AWS."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local.bridge import PATIENCE_SECONDS, REGION, ROOT_KEY
from local.stack import ROOT, LocalStack

SAM = ROOT / ".venv" / "lint" / "bin" / "sam"
STACK = "sagemaker-async-bridge"
TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  EndpointName: {Type: String}
  Architecture: {Type: String, Default: arm64}
Resources:
  Queue: {Type: AWS::SQS::Queue}
"""
# Stack name, Region, two parameters, confirm changes (no), create roles, disable rollback, save, into which file, under
# which name: Enter wherever nothing else is said.
ANSWERS = "\n\n\n\nn\n\n\n\n\n\n"

pytestmark = pytest.mark.skipif(not SAM.exists(), reason="needs the SAM CLI: make .venv/lint/.stamp")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with this Makefile, whose last deployment saved an endpoint and the other architecture."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "template.yaml").write_text(TEMPLATE, encoding="utf-8")
    saved = 'parameter_overrides = "EndpointName=\\"saved-one\\" Architecture=\\"arm64\\""\n'
    lines = (ROOT / "samconfig.toml").read_text(encoding="utf-8").splitlines(keepends=True)
    config = "".join(line for line in lines if not line.startswith("parameter_overrides"))
    (tmp_path / "samconfig.toml").write_text(config + saved, encoding="utf-8")
    return tmp_path


def test_enter_at_every_prompt_deploys_what_was_built_with_the_saved_parameters(
    direct: LocalStack, project: Path
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(project),
        "AWS_ENDPOINT_URL": direct.url,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_DEFAULT_REGION": REGION,
    }
    # Nothing to compile here: neither cargo nor cargo-lambda is asked for anything.
    command = ["make", "deploy", "ARCHITECTURE=x86_64", "CARGO=true", "BUILD=.venv/lint"]
    options = {"capture_output": True, "text": True, "timeout": PATIENCE_SECONDS}
    done = subprocess.run(command, cwd=project, env=environment, input=ANSWERS, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    stack = direct.cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    deployed = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack["Parameters"]}
    assert deployed == {"EndpointName": "saved-one", "Architecture": "x86_64"}
    saved = (project / "samconfig.toml").read_text(encoding="utf-8")
    assert 'EndpointName=\\"saved-one\\" Architecture=\\"x86_64\\"' in saved
