"""FIFO queues of a user's own on either side of the bridge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.bridge import wait_for
from local.stack import LocalStack


@pytest.fixture
def stack() -> Iterator[LocalStack]:
    with LocalStack({"echo": "echo"}, visibility_timeout_seconds=5, name="fifo") as stack:
        yield stack


def create_queue(stack: LocalStack, name: str, role: str, actions: list[str]) -> tuple[str, str]:
    """A FIFO queue that a function's role may use; its URL and ARN."""
    attributes = {"FifoQueue": "true", "VisibilityTimeout": "5"}
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

    wait_for(enough, 30, f"{count} messages")
    return taken


def test_on_a_fifo_results_queue_a_repeated_notification_is_one_result(stack: LocalStack) -> None:
    url, _ = create_queue(stack, "results", "CollectRole", ["sqs:SendMessage", "sqs:SendMessageBatch"])
    functions = stack.client("lambda")
    name = stack.resource("CollectFunction")
    environment = functions.get_function_configuration(FunctionName=name)["Environment"]
    environment["Variables"]["BRIDGE_RESULTS_QUEUE_URL"] = url
    functions.update_function_configuration(FunctionName=name, Environment=environment)
    first = {"invocationStatus": "Failed", "failureReason": "r", "inferenceId": "order 4711"}
    second = {**first, "eventTime": "2026-06-20T10:00:03.814Z"}
    for notification in (first, first, second):
        stack.sns.publish(TopicArn=stack.outputs["ErrorTopicArn"], Message=json.dumps(notification))
    results = take_all(stack, url, 2)
    assert sorted(len(json.loads(result["Body"])) for result in results) == [len(first), len(second)]
    assert len({result["Attributes"]["MessageGroupId"] for result in results}) == 1


def test_from_a_fifo_request_queue_each_group_keeps_its_order_behind_a_failure(stack: LocalStack) -> None:
    receive = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    url, arn = create_queue(stack, "requests", "SubmitRole", receive)
    # Bad at first and for good: what stands behind it in its group must not overtake it; the other group is free.
    sent = [("a", "1", {}), ("b", "2", {"ContentEncoding": "base64"}), ("b", "3", {}), ("a", "4", {})]
    for group, body, attributes in sent:
        stack.sqs.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageGroupId=group,
            MessageDeduplicationId=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in {"InferenceId": f"fifo-{body}", **attributes}.items()
            },
        )
    stack.client("lambda").create_event_source_mapping(
        EventSourceArn=arn,
        FunctionName=stack.resource("SubmitFunction"),
        BatchSize=10,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    for inference_id in ("fifo-1", "fifo-4", "fifo-2"):
        stack.wait_for_result(inference_id)
    assert json.loads(stack.results["fifo-2"][0]["Body"])["invocationStatus"] == "Rejected"
    ended = stack.emulator_log.read_text(encoding="utf-8")
    assert ended.index('"fifo-1"') < ended.index('"fifo-4"')
    assert '"fifo-3"' not in ended
