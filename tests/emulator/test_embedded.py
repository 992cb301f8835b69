"""boto3 with one endpoint URL for SageMaker, its runtime and S3."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

from local.bridge import PATIENCE_SECONDS, wait_for
from local.processes import StartError
from tests.emulator.conftest import Emulator

MEGABYTE = 1 << 20


def test_an_endpoint_is_created_invoked_by_location_and_read(start: Callable[..., Emulator], tmp_path: Path) -> None:
    notifications = tmp_path / "notifications.jsonl"
    emulator = start("--notify", f"file={notifications}")
    sagemaker, runtime, s3 = (emulator.client(name) for name in ("sagemaker", "sagemaker-runtime", "s3"))
    s3.create_bucket(Bucket="models")
    # More than boto3 sends in one part.
    s3.upload_fileobj(io.BytesIO(b"0123456789" * MEGABYTE * 2), "models", "input/large")
    topic = "arn:aws:sns:us-east-1:000000000000:results"
    sagemaker.create_model(ModelName="made", PrimaryContainer={"Image": "anything"})
    sagemaker.create_endpoint_config(
        EndpointConfigName="made",
        ProductionVariants=[
            {
                "VariantName": "AllTraffic",
                "ModelName": "made",
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
            }
        ],
        AsyncInferenceConfig={
            "OutputConfig": {"S3OutputPath": "s3://models/output", "NotificationConfig": {"SuccessTopic": topic}}
        },
    )
    sagemaker.create_endpoint(EndpointName="made", EndpointConfigName="made")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="made")

    def messages() -> list[dict]:
        # What stands behind the last newline is still being written.
        lines = notifications.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(json.loads(line)["Message"]) for line in lines]

    wait_for(lambda: len(messages()) == 1, PATIENCE_SECONDS, "test notification")
    answer = runtime.invoke_endpoint_async(EndpointName="made", InputLocation="s3://models/input/large")
    wait_for(lambda: len(messages()) == 2, PATIENCE_SECONDS, "notification")
    assert messages()[0] == {
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "TestNotification",
    }
    assert messages()[1]["responseParameters"]["outputLocation"] == answer["OutputLocation"]
    key = answer["OutputLocation"].removeprefix("s3://models/")
    assert s3.head_object(Bucket="models", Key=key)["ContentLength"] == 20 * MEGABYTE


def test_presigned_urls_and_conditional_writes_are_s3s(start: Callable[..., Emulator]) -> None:
    s3 = start().client("s3")
    s3.create_bucket(Bucket="bucket")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "a b+c%20.json"})
    # urllib would add a content type, which is none of those that were signed.
    assert urllib3.request("PUT", url, body=b"uploaded").status == 200
    assert s3.get_object(Bucket="bucket", Key="a b+c%20.json")["Body"].read() == b"uploaded"
    with pytest.raises(s3.exceptions.ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="bucket", Key="a b+c%20.json", Body=b"again", IfNoneMatch="*")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["a b+c%20.json"]


def test_a_directory_keeps_its_objects(start: Callable[..., Emulator], tmp_path: Path) -> None:
    directory = tmp_path / "objects"
    first = start("--embedded", str(directory), "--endpoint", "demo=echo")
    answer = first.client("sagemaker-runtime").invoke_endpoint_async(EndpointName="demo", Body=b"kept")
    key = answer["OutputLocation"].removeprefix("s3://sagemaker/")
    s3 = first.client("s3")
    s3.get_waiter("object_exists").wait(Bucket="sagemaker", Key=key, WaiterConfig={"Delay": 1, "MaxAttempts": 180})
    first.process.stop()
    second = start("--embedded", str(directory))
    assert second.client("s3").get_object(Bucket="sagemaker", Key=key)["Body"].read() == b"kept"


def test_what_it_cannot_start_with_is_said(start: Callable[..., Emulator]) -> None:
    with pytest.raises(StartError, match=r"sagemaker-async-emulator: /none\.toml: No such file"):
        start("--config", "/none.toml")
    with pytest.raises(StartError, match="--throttle names the endpoint other"):
        start("--endpoint", "demo=echo", "--throttle", "other=1")


def test_an_address_that_is_taken_and_a_missing_location_are_named(start: Callable[..., Emulator]) -> None:
    address = start().url.removeprefix("http://")
    with pytest.raises(StartError, match=f"--listen {address}: Address already in use"):
        start("--listen", address)
