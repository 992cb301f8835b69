"""examples/bucket-drop: what is dropped into a bucket has its output, or its failure, under the same name."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.bridge import PATIENCE_SECONDS, wait_for
from local.sources import S3_PARAMETERS
from local.stack import ROOT, LocalStack

TEMPLATE = (ROOT / "examples/bucket-drop/template.yaml").read_text(encoding="utf-8")
# In characters that a URL would encode, in a folder, and too large for a message.
FILES = {"order 1+1.json": b'{"n": 1}', "tag/größe.txt": b"text", "large.bin": bytes(2_000_000)}


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack({"echo": "echo", "failing": "fail"}, parameters=S3_PARAMETERS, name="bucket-drop") as stack:
        given = {"BridgeBucketName": stack.bucket, "ResultsQueueUrl": stack.outputs["ResultsQueueUrl"]}
        stack.outputs |= stack.deploy("example", TEMPLATE, given)
        yield stack


def drop(stack: LocalStack, name: str, content: bytes) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key=f"requests/{name}", Body=content)


def filed(stack: LocalStack) -> set[str]:
    """Keys of what has been filed."""
    listed = stack.s3.list_objects_v2(Bucket=stack.outputs["OutputsBucketName"])
    return {item["Key"] for item in listed.get("Contents", [])}


def content(stack: LocalStack, key: str) -> bytes:
    """An object of the bucket for outputs."""
    return stack.s3.get_object(Bucket=stack.outputs["OutputsBucketName"], Key=key)["Body"].read()


def test_each_file_has_its_output_under_its_own_name(stack: LocalStack) -> None:
    for name, sent in FILES.items():
        drop(stack, name, sent)
    expected = {f"outputs/{name}" for name in FILES}
    wait_for(lambda: expected <= filed(stack), PATIENCE_SECONDS, "every output")
    assert filed(stack) == expected
    for name, sent in FILES.items():
        assert content(stack, f"outputs/{name}") == sent


def test_a_file_that_is_rejected_has_its_failure_under_its_name(stack: LocalStack) -> None:
    drop(stack, "empty.json", b"")
    wait_for(lambda: "failures/empty.json.json" in filed(stack), PATIENCE_SECONDS, "the failure")
    failure = json.loads(content(stack, "failures/empty.json.json"))
    assert failure["invocationStatus"] == "Rejected"
    assert failure["failureReason"]


def test_a_request_that_came_by_another_way_is_filed_under_its_inference_id(stack: LocalStack) -> None:
    stack.send("hello", InferenceId="by-sqs")
    stack.send("hello", InferenceId="failed", EndpointName="failing")
    expected = {"outputs/by-sqs", "failures/failed.json"}
    wait_for(lambda: expected <= filed(stack), PATIENCE_SECONDS, "both")
    assert content(stack, "outputs/by-sqs") == b"hello"
    assert json.loads(content(stack, "failures/failed.json"))["invocationStatus"] == "Failed"
