"""Clients that were written for AWS, against the emulator: nothing but their endpoint URLs differs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.bridge import PATIENCE_SECONDS, REGION, ROOT_KEY, Bridge, aws_client
from local.stack import ROOT, LocalStack
from tests.node import NODE, with_packages

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/summarizer:latest"
ROLE = "arn:aws:iam::000000000000:role/sagemaker"


@pytest.fixture
def environment(direct: LocalStack) -> dict[str, str]:
    """SageMaker is the emulator, everything else the local AWS."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(direct.directory),
        "AWS_ENDPOINT_URL": direct.url,
        "AWS_ENDPOINT_URL_SAGEMAKER": direct.emulator_url,
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": direct.emulator_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
    }


def run(command: list[str], environment: dict[str, str]) -> str:
    options = {"capture_output": True, "text": True, "timeout": PATIENCE_SECONDS}
    done = subprocess.run(command, env=environment, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_boto3_example_creates_invokes_waits_for_notifications_and_reads_outputs(
    direct: LocalStack, environment: dict[str, str]
) -> None:
    command = [sys.executable, str(ROOT / "examples/async_endpoint.py"), "--bucket", direct.bucket]
    output = run([*command, "--image", IMAGE, "--role-arn", ROLE], environment)
    assert 'Completed: {"inputs": "inline"}' in output
    assert 'Completed: {"inputs": "from S3"}' in output
    assert "not deleted" not in output


def test_the_aws_cli_creates_describes_lists_and_invokes(direct: LocalStack, environment: dict[str, str]) -> None:
    def aws(*arguments: str) -> dict:
        text = run([str(Path(sys.executable).with_name("aws")), *arguments, "--output", "json"], environment)
        return json.loads(text) if text.strip() else {}

    variant = "VariantName=AllTraffic,ModelName=by-cli,InitialInstanceCount=1,InstanceType=ml.m5.large"
    config = {"OutputConfig": {"S3OutputPath": f"s3://{direct.bucket}/by-cli/"}}
    aws("sagemaker", "create-model", "--model-name", "by-cli", "--primary-container", f"Image={IMAGE}")
    aws(
        *("sagemaker", "create-endpoint-config", "--endpoint-config-name", "by-cli"),
        *("--production-variants", variant, "--async-inference-config", json.dumps(config)),
    )
    aws("sagemaker", "create-endpoint", "--endpoint-name", "by-cli", "--endpoint-config-name", "by-cli")
    aws("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", "by-cli")
    listed = aws("sagemaker", "list-endpoints", "--name-contains", "by-cli")
    assert [endpoint["EndpointStatus"] for endpoint in listed["Endpoints"]] == ["InService"]
    direct.s3.put_object(Bucket=direct.bucket, Key="input/by-cli", Body=b"from the CLI")
    answer = aws(
        *("sagemaker-runtime", "invoke-endpoint-async", "--endpoint-name", "by-cli"),
        *("--input-location", f"s3://{direct.bucket}/input/by-cli"),
    )
    assert wait_for_object(direct, answer["OutputLocation"]) == b"from the CLI"
    aws("sagemaker", "delete-endpoint", "--endpoint-name", "by-cli")
    aws("sagemaker", "wait", "endpoint-deleted", "--endpoint-name", "by-cli")


@pytest.fixture
def javascript() -> Path:
    """A directory with AWS's SDK for JavaScript, installed the first time."""
    return with_packages(ROOT / "tests/e2e/javascript", ROOT / ".venv/javascript")


def test_the_javascript_sdk_invokes(direct: LocalStack, environment: dict[str, str], javascript: Path) -> None:
    answer = json.loads(run([*NODE, "--no-warnings", str(javascript / "invoke.js")], environment))
    assert answer["inferenceId"] == "by-javascript"
    assert answer["refused"] == "ValidationError"
    assert wait_for_object(direct, answer["outputLocation"]) == b"by JavaScript"


def wait_for_object(stack: Bridge, location: str) -> bytes:
    """The object at a location, once it is there."""
    bucket, key = location.removeprefix("s3://").split("/", 1)
    patience = {"Delay": 1, "MaxAttempts": PATIENCE_SECONDS}
    stack.s3.get_waiter("object_exists").wait(Bucket=bucket, Key=key, WaiterConfig=patience)
    return stack.s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def test_its_control_plane_errors_are_those_that_boto3_models(direct: LocalStack) -> None:
    sagemaker = direct_client(direct)
    with pytest.raises(sagemaker.exceptions.ClientError, match=r"ValidationException.*Could not find endpoint"):
        sagemaker.describe_endpoint(EndpointName="nobody")
    many = [{"VariantName": "a", "ModelName": "echo", "InitialInstanceCount": 1000, "InstanceType": "ml.m5.large"}]
    output = {"OutputConfig": {"S3OutputPath": "s3://bucket/"}}
    sagemaker.create_endpoint_config(EndpointConfigName="many", ProductionVariants=many, AsyncInferenceConfig=output)
    with pytest.raises(sagemaker.exceptions.ResourceLimitExceeded, match=r"'ml\.m5\.large for endpoint usage'"):
        sagemaker.create_endpoint(EndpointName="many", EndpointConfigName="many")


def direct_client(stack: LocalStack):
    return aws_client("sagemaker", stack.emulator_url)
