"""The README's order of work: the stack first, its endpoint later, and requests in between."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.bridge import PATIENCE_SECONDS, aws_client, body_json, wait_for
from local.stack import LocalStack

ENDPOINT = "summarizer"
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/summarizer:latest"
ROLE = "arn:aws:iam::000000000000:role/sagemaker"
# Far more receipts than a test needs, however long its machine takes to create an endpoint.
MAX_RECEIVE_COUNT = 1_000


@pytest.fixture
def stack() -> Iterator[LocalStack]:
    """A stack whose endpoint does not exist; another one does."""
    with LocalStack({"other": "echo"}, parameters={"EndpointName": ENDPOINT}, name="later") as stack:
        arn = {"QueueUrl": stack.outputs["RequestDeadLetterQueueUrl"], "AttributeNames": ["QueueArn"]}
        target = stack.sqs.get_queue_attributes(**arn)["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": MAX_RECEIVE_COUNT})
        stack.sqs.set_queue_attributes(QueueUrl=stack.outputs["RequestQueueUrl"], Attributes={"RedrivePolicy": redrive})
        yield stack


def failures(stack: LocalStack, message_id: str) -> int:
    """How often `submit` gave a message back."""
    group = f"/aws/lambda/{stack.name}-submit"
    events = stack.client("logs").filter_log_events(logGroupName=group)["events"]
    return sum(message_id in event["message"] and '"invocation failed"' in event["message"] for event in events)


def create_endpoint(stack: LocalStack) -> None:
    """What the README says: an endpoint with the stack's own output `AsyncInferenceConfig`."""
    sagemaker = aws_client("sagemaker", stack.emulator_url)
    sagemaker.create_model(ModelName=ENDPOINT, PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE)
    variant = {"VariantName": "main", "ModelName": ENDPOINT, "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName=ENDPOINT,
        ProductionVariants=[variant],
        AsyncInferenceConfig=json.loads(stack.outputs["AsyncInferenceConfig"]),
    )
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=ENDPOINT)


def test_requests_sent_before_the_endpoint_exists_are_answered_once_it_does_and_none_is_rejected(
    stack: LocalStack,
) -> None:
    sent = {stack.send(body): body for body in ('{"n": 1}', '{"n": 2}', "x" * 130_000)}
    for message_id in sent:
        wait_for(lambda at=message_id: failures(stack, at) >= 2, PATIENCE_SECONDS, f"two receipts of {message_id}")
    headers = {"Content-Type": "application/json"}
    refused = stack.http("POST", "/invocations", b"{}", headers=headers)
    assert (refused.status, refused.headers["x-amzn-errortype"]) == (503, "ServiceUnavailable")
    assert int(refused.headers["retry-after"]) > 0
    message = json.loads(refused.body)["Message"]
    assert message.startswith("the endpoint does not exist, or is not in service"), message

    create_endpoint(stack)
    for message_id, body in sent.items():
        result = body_json(stack.wait_for_result(message_id))
        assert (result["invocationStatus"], result["responseBody"]["content"]) == ("Completed", body)
    stack.poll_results()
    told = [body_json(message)["invocationStatus"] for messages in stack.results.values() for message in messages]
    assert "Rejected" not in told
    assert stack.receive("RequestDeadLetterQueueUrl") == []
    assert stack.http("POST", "/invocations", b"{}", headers=headers).status == 202
