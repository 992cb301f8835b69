"""A results queue of a user's own that takes smaller messages than SQS itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.bridge import body_json
from local.cases import POINTER_CLASS
from local.stack import LocalStack
from tests.e2e.test_requests import attribute

LIMIT_BYTES = 10_000


@pytest.fixture(params=["notification", "raw"])
def stack(request: pytest.FixtureRequest) -> Iterator[LocalStack]:
    parameters = {"ResultFormat": request.param, "NotificationDelivery": "QUEUE"}
    with LocalStack({"echo": "echo"}, parameters=parameters, name="limit") as stack:
        stack.sqs.set_queue_attributes(
            QueueUrl=stack.outputs["ResultsQueueUrl"], Attributes={"MaximumMessageSize": str(LIMIT_BYTES)}
        )
        yield stack


def test_a_result_too_large_for_the_queue_arrives_without_its_output_and_its_neighbours_with_theirs(
    stack: LocalStack,
) -> None:
    large, small = stack.send("x" * LIMIT_BYTES * 2), stack.send("small")
    arrived = stack.wait_for_result(large)
    if stack.parameters["ResultFormat"] == "raw":
        pointer_class, pointer = json.loads(arrived["Body"])
        assert pointer_class == POINTER_CLASS
        copy = stack.s3.get_object(Bucket=pointer["s3BucketName"], Key=pointer["s3Key"])["Body"].read()
        assert copy == b"x" * LIMIT_BYTES * 2
        assert stack.wait_for_result(small)["Body"] == "small"
    else:
        result = body_json(arrived)
        assert "responseBody" not in result
        assert result["responseParameters"]["contentLength"] == LIMIT_BYTES * 2
        bucket, key = result["responseParameters"]["outputLocation"].removeprefix("s3://").split("/", 1)
        assert stack.s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == LIMIT_BYTES * 2
        assert body_json(stack.wait_for_result(small))["responseBody"]["content"] == "small"
    assert attribute(arrived, "InvocationStatus") == "Completed"
    assert [len(messages) for messages in stack.results.values()] == [1, 1]
