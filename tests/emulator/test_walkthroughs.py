"""AWS's two public walkthroughs of asynchronous inference, to their end: only the endpoint URL is set for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sagemaker_async_emulator import ModelRequest, ModelResponse
from sagemaker_async_emulator._model import serving

from local.bridge import REGION, ROOT_KEY
from local.stack import ROOT
from tests.emulator.conftest import Emulator

EXAMPLES = f"sagemaker-example-files-prod-{REGION}"
SDK = ROOT / ".venv/sagemaker/bin/python"


def point(number: int) -> str:
    """An input in libsvm's format: a label, then features."""
    return f"0 1:{number} 2:0.5 7:100"


def score(request: ModelRequest) -> ModelResponse:
    """The model: the sum of the features, after a while, so that outputs have to be waited for."""
    time.sleep(0.2)
    _label, *features = request.body.decode().split()
    return ModelResponse(str(sum(float(feature.partition(":")[2]) for feature in features)).encode(), "text/csv")


EXPECTED = [
    [f"input/test_point_{number}.libsvm", f"{number + 100.5}"]
    # The first once by itself, then all.
    for number in [0, *range(25)]
]


@pytest.fixture
def emulator(start: Callable[..., Emulator]) -> Iterator[Emulator]:
    """With AWS's example files in its S3, and a container that runs for AWS's image."""
    with serving(score) as container:
        emulator = start("--image", f"*/sagemaker-xgboost:*={container}", "--image", "*=fail")
        s3 = emulator.client("s3")
        s3.create_bucket(Bucket=EXAMPLES)
        for number in range(26):
            key = f"models/async-inference/input-files/test_point_{number}.libsvm"
            s3.put_object(Bucket=EXAMPLES, Key=key, Body=point(number).encode())
        s3.put_object(Bucket=EXAMPLES, Key="models/async-inference/demo-xgboost-model.tar.gz", Body=b"trained")
        yield emulator


def outputs(emulator: Emulator, python: Path | str, module: str, directory: Path) -> list[list[str]]:
    """Runs a walkthrough in a directory of its own; what it says last."""
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(directory),
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
    }
    command = [str(python), str(ROOT / f"tests/emulator/walkthroughs/{module}.py")]
    done = subprocess.run(
        command, cwd=directory, env=variables, capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def left(emulator: Emulator) -> dict[str, int]:
    """How many there are of what the walkthroughs make."""
    sagemaker, scaling = emulator.client("sagemaker"), emulator.client("application-autoscaling")
    return {
        "models": len(sagemaker.list_models()["Models"]),
        "configurations": len(sagemaker.list_endpoint_configs()["EndpointConfigs"]),
        "endpoints": len(sagemaker.list_endpoints()["Endpoints"]),
        "targets": len(scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]),
        "policies": len(scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]),
    }


def test_the_walkthrough_with_boto3_runs_to_its_end(emulator: Emulator, tmp_path: Path) -> None:
    assert outputs(emulator, sys.executable, "with_boto3", tmp_path) == EXPECTED
    assert left(emulator) == {"models": 1, "configurations": 1, "endpoints": 0, "targets": 0, "policies": 0}


def test_the_walkthrough_with_the_sagemaker_sdk_runs_to_its_end(emulator: Emulator, tmp_path: Path) -> None:
    assert SDK.exists(), "no SageMaker SDK: make .venv/sagemaker/.stamp"
    opted_out = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
    settings = tmp_path / ".config/sagemaker/config.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(opted_out), encoding="utf-8")
    assert outputs(emulator, SDK, "with_sagemaker_sdk", tmp_path) == EXPECTED
    # The SDK deletes the configuration with the endpoint.
    assert left(emulator) == {"models": 1, "configurations": 0, "endpoints": 0, "targets": 0, "policies": 0}
