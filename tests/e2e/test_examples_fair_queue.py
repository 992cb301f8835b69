"""examples/fair-queue: the results of two tenants by one queue, each filed under its tenant."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.bridge import PATIENCE_SECONDS, REGION, message_attribute, wait_for
from local.pipelines import ACCOUNT
from local.stack import ROOT, LocalStack

QUEUE = "tenant-results"
TENANTS = {"noisy": 20, "quiet/one": 2}


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    parameters = {"ReplyToArns": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}"}
    with LocalStack({"echo": "echo", "failing": "fail"}, parameters=parameters, name="fair-queue") as stack:
        template = (ROOT / "examples/fair-queue/template.yaml").read_text(encoding="utf-8")
        stack.outputs |= stack.deploy("example", template, {"QueueName": QUEUE})
        yield stack


def send(stack: LocalStack, tenant: str, inference_id: str, **attributes: str) -> None:
    attributes |= {"ReplyTo": QUEUE, "InferenceId": inference_id}
    stack.sqs.send_message(
        QueueUrl=stack.outputs["RequestQueueUrl"],
        MessageBody=json.dumps({"tenant": tenant}),
        MessageGroupId=tenant,
        MessageAttributes={name: message_attribute(value) for name, value in attributes.items()},
    )


def filed(stack: LocalStack) -> set[str]:
    """Keys of the filed results."""
    listed = stack.s3.list_objects_v2(Bucket=stack.outputs["ResultsBucketName"])
    return {item["Key"] for item in listed.get("Contents", [])}


def test_each_result_is_filed_under_the_tenant_that_sent_its_request(stack: LocalStack) -> None:
    # Both tenants use the same inference ids.
    expected = set()
    for tenant, count in TENANTS.items():
        for number in range(count):
            send(stack, tenant, f"order {number}")
            expected.add(f"{tenant.replace('/', '%2F')}/order%20{number}.json")
    wait_for(lambda: expected <= filed(stack), PATIENCE_SECONDS, "every result")
    assert filed(stack) == expected
    for tenant in TENANTS:
        key = f"{tenant.replace('/', '%2F')}/order%201.json"
        result = json.load(stack.s3.get_object(Bucket=stack.outputs["ResultsBucketName"], Key=key)["Body"])
        assert json.loads(result["responseBody"]["content"]) == {"tenant": tenant}
        assert "customAttributes" not in result["requestParameters"]
    assert stack.receive("DeadLetterQueueUrl") == []
    assert stack.receive("ResultsQueueUrl") == [], "nothing on the bridge's own"


def test_failures_and_rejections_are_filed_under_their_tenants_too(stack: LocalStack) -> None:
    send(stack, "noisy", "failed", EndpointName="failing")
    send(stack, "quiet/one", "rejected", EndpointName="foreign")
    expected = {"noisy/failed.json", "quiet%2Fone/rejected.json"}
    wait_for(lambda: expected <= filed(stack), PATIENCE_SECONDS, "both results")
