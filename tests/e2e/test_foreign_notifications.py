"""Two stacks, each with an endpoint of its own, on the same topics."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.bridge import PATIENCE_SECONDS, Bridge, body_json, wait_for
from local.stack import LocalStack

QUEUES = ("NotificationQueue", "NotificationDeadLetterQueue")


@pytest.fixture(scope="module")
def owner() -> Iterator[LocalStack]:
    """The stack that made the topics. Notifications come by QUEUE: only so has the local AWS a second try for them."""
    with LocalStack({"echo": "echo"}, parameters={"NotificationDelivery": "QUEUE"}, name="owner") as stack:
        yield stack


@pytest.fixture(scope="module")
def guest(owner: LocalStack) -> Bridge:
    """A stack beside it that was given its topics."""
    guest = Bridge("guest", owner.port)
    parameters = {
        "EndpointName": "Translator",
        "NotificationDelivery": "QUEUE",
        "SuccessTopicArn": owner.outputs["SuccessTopicArn"],
        "ErrorTopicArn": owner.outputs["ErrorTopicArn"],
    }
    guest.outputs = owner.deploy(guest.name, owner.template, parameters)
    owner.count_concurrency()
    # What LocalStack does for its own: plain HTTP, an action that only ministack has, and redelivery within seconds.
    guest.allow_plain_http()
    batches = {"Effect": "Allow", "Action": "sqs:SendMessageBatch", "Resource": "*"}
    guest.client("iam").put_role_policy(
        RoleName=guest.resource("CollectRole"),
        PolicyName="batches",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [batches]}),
    )
    guest.sqs.set_queue_attributes(QueueUrl=guest.resource("NotificationQueue"), Attributes={"VisibilityTimeout": "2"})
    return guest


def publish(bridge: Bridge, endpoint: str, inference_id: str) -> None:
    """A notification of an output that lies in this stack's bucket, where the other's role may not read."""
    key = f"output/{inference_id}.out"
    bridge.s3.put_object(Bucket=bridge.bucket, Key=key, Body=inference_id.encode())
    notification = {
        "invocationStatus": "Completed",
        "inferenceId": inference_id,
        "requestParameters": {"endpointName": endpoint},
        "responseParameters": {"outputLocation": f"s3://{bridge.bucket}/{key}"},
    }
    topic = bridge.outputs["SuccessTopicArn"]
    bridge.sns.publish(TopicArn=topic, Message=json.dumps(notification))


def messages(bridge: Bridge, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = bridge.sqs.get_queue_attributes(QueueUrl=bridge.resource(queue), AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def test_each_stack_answers_for_its_own_endpoint_and_acknowledges_what_it_could_not_even_read(
    owner: LocalStack, guest: Bridge
) -> None:
    guest.outputs = {**guest.outputs, "SuccessTopicArn": owner.outputs["SuccessTopicArn"]}
    for n in range(3):
        publish(owner, "echo", f"owners-{n}")
        # SageMaker's ARNs have names in lower case.
        publish(guest, "translator", f"guests-{n}")
    for bridge, prefix in ((owner, "owners"), (guest, "guests")):
        wanted = {f"{prefix}-{n}" for n in range(3)}
        for inference_id in wanted:
            assert body_json(bridge.wait_for_result(inference_id))["responseBody"]["content"] == inference_id
        # A notification that failed would be invisible, be received thrice, and then lie in the dead-letter queue.
        wait_for(lambda b=bridge: messages(b, QUEUES[0]) == 0, PATIENCE_SECONDS, f"{bridge.name}'s queue empty")
        bridge.poll_results()
        assert set(bridge.results) == wanted
        assert messages(bridge, QUEUES[1]) == 0

    def acknowledged() -> list[str]:
        log = owner.ministack_log.read_text(encoding="utf-8")
        return [line for line in log.splitlines() if "an endpoint that is not this bridge's" in line]

    def are_all_guests() -> bool:
        lines = acknowledged()
        return all(any(f"guests-{n}" in line and "translator" in line for line in lines) for n in range(3))

    # ministack writes down what a function has said after it has deleted its messages.
    wait_for(are_all_guests, PATIENCE_SECONDS, "a line about each of the guest's notifications")
    assert not any('"level":"ERROR"' in line for line in acknowledged())
