"""FIFO queues of a user's own on either side of the bridge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, wait_for
from local.stack import LocalStack


@pytest.fixture
def stack() -> Iterator[LocalStack]:
    with LocalStack({"echo": "echo"}, name="fifo") as stack:
        yield stack


def create_queue(
    stack: LocalStack, name: str, role: str, actions: list[str], visibility_timeout_seconds: int = 5
) -> tuple[str, str]:
    """A FIFO queue that a function's role may use; its URL and ARN."""
    attributes = {"FifoQueue": "true", "VisibilityTimeout": str(visibility_timeout_seconds)}
    url = stack.sqs.create_queue(QueueName=f"{name}.fifo", Attributes=attributes)["QueueUrl"]
    arn = stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Action": actions, "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    stack.client("iam").put_role_policy(RoleName=stack.resource(role), PolicyName=name, PolicyDocument=policy)
    return url, arn


def take_all(stack: LocalStack, url: str, count: int) -> list[dict[str, Any]]:
    """`count` messages of a queue, and whatever else there is after them."""
    taken: list[dict[str, Any]] = []

    def enough() -> bool:
        answer = stack.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageSystemAttributeNames=["All"]
        )
        for message in answer.get("Messages", []):
            stack.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken.append(message)
        return len(taken) >= count and not answer.get("Messages")

    wait_for(enough, PATIENCE_SECONDS, f"{count} messages")
    return taken


def test_on_a_fifo_results_queue_a_repeated_notification_is_one_result(stack: LocalStack) -> None:
    url, _ = create_queue(stack, "results", "CollectRole", ["sqs:SendMessage", "sqs:SendMessageBatch"])
    stack.configure("CollectFunction", {"BRIDGE_RESULTS_QUEUE_URL": url})
    first = {"invocationStatus": "Failed", "failureReason": "r", "inferenceId": "order 4711"}
    second = {**first, "eventTime": "2026-06-20T10:00:03.814Z"}
    for notification in (first, first, second):
        stack.sns.publish(TopicArn=stack.outputs["ErrorTopicArn"], Message=json.dumps(notification))
    results = take_all(stack, url, 2)
    assert sorted(len(json.loads(result["Body"])) for result in results) == [len(first), len(second)]
    assert len({result["Attributes"]["MessageGroupId"] for result in results}) == 1


def feed_submit(stack: LocalStack, visibility_timeout_seconds: int = 5) -> str:
    """A FIFO request queue whose messages `submit` takes; its URL."""
    receive = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    url, arn = create_queue(stack, "requests", "SubmitRole", receive, visibility_timeout_seconds)
    stack.client("lambda").create_event_source_mapping(
        EventSourceArn=arn,
        FunctionName=stack.resource("SubmitFunction"),
        BatchSize=10,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    return url


def send(stack: LocalStack, url: str, group: str, body: str, **attributes: str) -> None:
    """Sends a request of a group under the inference id `fifo-BODY`."""
    given = {"InferenceId": f"fifo-{body}", **attributes}
    stack.sqs.send_message(
        QueueUrl=url,
        MessageBody=body,
        MessageGroupId=group,
        MessageDeduplicationId=body,
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in given.items()},
    )


def test_from_a_fifo_request_queue_a_group_goes_on_behind_a_rejected_message(stack: LocalStack) -> None:
    dead_letters, _ = create_queue(stack, "dead-letters", "SubmitRole", ["sqs:SendMessage"])
    stack.configure("SubmitFunction", {"BRIDGE_DEAD_LETTER_QUEUE_URL": dead_letters})
    url = feed_submit(stack)
    send(stack, url, "a", "1")
    send(stack, url, "b", "2", ContentEncoding="base64")
    send(stack, url, "b", "3")
    send(stack, url, "a", "4")
    for inference_id in ("fifo-1", "fifo-2", "fifo-3", "fifo-4"):
        stack.wait_for_result(inference_id)
    stack.poll_results()
    statuses = {
        inference_id: [json.loads(message["Body"])["invocationStatus"] for message in messages]
        for inference_id, messages in stack.results.items()
    }
    completed = {inference_id: ["Completed"] for inference_id in ("fifo-1", "fifo-3", "fifo-4")}
    assert statuses == {**completed, "fifo-2": ["Rejected"]}
    ended = stack.emulator_log.read_text(encoding="utf-8")
    assert ended.index('"fifo-1"') < ended.index('"fifo-4"')
    (letter,) = take_all(stack, dead_letters, 1)
    assert (letter["Body"], letter["Attributes"]["MessageGroupId"]) == ("2", "b")


def test_without_a_dead_letter_queue_a_group_waits_behind_a_rejected_message(stack: LocalStack) -> None:
    stack.configure("SubmitFunction", {"BRIDGE_DEAD_LETTER_QUEUE_URL": ""})
    url = feed_submit(stack)
    send(stack, url, "b", "2", ContentEncoding="base64")
    send(stack, url, "b", "3")
    send(stack, url, "a", "4")
    for inference_id in ("fifo-2", "fifo-4"):
        stack.wait_for_result(inference_id)
    assert json.loads(stack.results["fifo-2"][0]["Body"])["invocationStatus"] == "Rejected"
    assert '"fifo-3"' not in stack.emulator_log.read_text(encoding="utf-8")
