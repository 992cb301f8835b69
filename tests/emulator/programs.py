"""Endpoints whose model is a command, for the tests."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.bridge import PATIENCE_SECONDS, wait_for
from tests.emulator.conftest import Emulator

SERVER = Path(__file__).with_name("model_server.py")
COMMAND = f"exec:exec {sys.executable} {SERVER}"
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/model:1"


def host(start: Callable[..., Emulator]) -> Emulator:
    """An emulator that runs the command for the image of `create`, with a bucket."""
    emulator = start("--image", f"*/model:*={COMMAND}")
    emulator.client("s3").create_bucket(Bucket="sagemaker")
    return emulator


def create(emulator: Emulator, container: dict[str, Any], *, asynchronous: bool = True, **variant: Any) -> None:
    """Creates model, configuration and endpoint `made`."""
    sagemaker = emulator.client("sagemaker")
    sagemaker.create_model(ModelName="made", PrimaryContainer={"Image": IMAGE, **container})
    output = {"S3OutputPath": "s3://sagemaker/output/", "S3FailurePath": "s3://sagemaker/failure/"}
    topics = {"ErrorTopic": "arn:aws:sns:us-east-1:000000000000:error"}
    one = {"VariantName": "AllTraffic", "ModelName": "made", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    only = {"AsyncInferenceConfig": {"OutputConfig": {**output, "NotificationConfig": topics}}} if asynchronous else {}
    sagemaker.create_endpoint_config(EndpointConfigName="made", ProductionVariants=[{**one, **variant}], **only)
    sagemaker.create_endpoint(EndpointName="made", EndpointConfigName="made")


def status(emulator: Emulator, name: str = "made") -> str:
    return emulator.client("sagemaker").describe_endpoint(EndpointName=name)["EndpointStatus"]


def wait_until_settled(emulator: Emulator) -> dict[str, Any]:
    wait_for(lambda: status(emulator) in ("InService", "Failed"), PATIENCE_SECONDS, "endpoint")
    return emulator.client("sagemaker").describe_endpoint(EndpointName="made")


def card(emulator: Emulator, name: str) -> dict[str, Any]:
    """What the page's card of an endpoint shows."""
    with urllib.request.urlopen(f"{emulator.url}/_emulator/endpoints", timeout=60) as answer:
        return next(one for one in json.load(answer)["endpoints"] if one["endpointName"] == name)


def ask(emulator: Emulator, endpoint: str, inference_id: str, text: str, **parameters: Any) -> None:
    emulator.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=endpoint, InferenceId=inference_id, Body=text.encode(), **parameters
    )


def invocation(emulator: Emulator, endpoint: str, inference_id: str) -> dict[str, Any]:
    url = f"{emulator.url}/_emulator/endpoints/{endpoint}/invocations?inferenceId={inference_id}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)["invocations"][0]


def ended(emulator: Emulator, endpoint: str, inference_id: str) -> dict[str, Any]:
    """The invocation, once it has ended."""
    wait_for(lambda: invocation(emulator, endpoint, inference_id)["endedTime"], PATIENCE_SECONDS, inference_id)
    return invocation(emulator, endpoint, inference_id)


class Hold:
    """Invocations that run for as long as a test wants them to: those whose text is `text`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir()
        self.text = f"hold {directory}"

    def wait_for(self, count: int) -> None:
        """Returns when the model has begun with so many."""
        wait_for(lambda: len(list(self._directory.iterdir())) == count, PATIENCE_SECONDS, f"{count} that run")

    def let_go(self) -> None:
        """They come to their end."""
        (self._directory / "go").touch()


def stored(emulator: Emulator, location: str) -> bytes:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return emulator.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def told(emulator: Emulator, endpoint: str, inference_id: str, text: str = "", **parameters: Any) -> dict[str, Any]:
    """What the model answers."""
    ask(emulator, endpoint, inference_id, text or "hello", **parameters)
    done = ended(emulator, endpoint, inference_id)
    assert done["status"] == "Completed", done
    return json.loads(stored(emulator, done["outputLocation"]))


def archive(files: dict[str, str]) -> bytes:
    """A model.tar.gz; names as they stand."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content.encode()))
    return packed.getvalue()
