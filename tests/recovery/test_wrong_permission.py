"""A wrong permission is deployed, requests and then notifications pile up; both are mended and redriven by the runbook.

The emulator knows no IAM, so what `submit` lacks is not sagemaker:InvokeEndpointAsync but s3:PutObject on inputs,
without which it invokes nothing either: `InlineLimitBytes` 0 sends every payload through S3.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import runbook

from local.bridge import body_json, wait_for
from local.stack import LocalStack

COUNT = 24
RECEIPTS_SECONDS = 120


@contextmanager
def without(stack: LocalStack, role: str, policy: str, action: str, resource: str) -> Iterator[None]:
    """The stack as if its template had forgotten to allow an action on what ends so."""
    iam, name = stack.client("iam"), stack.resource(role)
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    kept = [entry for entry in document["Statement"] if not (action in entry["Action"] and resource in str(entry))]
    assert len(kept) == len(document["Statement"]) - 1
    narrowed = json.dumps({**document, "Statement": kept})
    iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=narrowed)
    yield
    iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))


def visible(stack: LocalStack, queue: str) -> int:
    """How many messages a queue has."""
    name = "ApproximateNumberOfMessages"
    answer = stack.sqs.get_queue_attributes(QueueUrl=stack.resource(queue), AttributeNames=[name])
    return int(answer["Attributes"][name])


def redrive(stack: LocalStack, section: str) -> str:
    """The commands of a section that redrive."""
    commands = [block for block in runbook.blocks(section) if "make redrive" in block and "SEND=1" in block]
    assert len(commands) == 1
    return runbook.run(stack, runbook.environment(stack), *commands)


def look(stack: LocalStack, section: str) -> str:
    """The first commands of a section."""
    return runbook.run(stack, runbook.environment(stack), runbook.blocks(section)[0])


@pytest.mark.parametrize("delivery", ["DIRECT", "QUEUE"])
def test_what_a_wrong_permission_kept_back_is_answered_once_after_the_runbook(delivery: str) -> None:
    parameters = {"NotificationDelivery": delivery, "InlineLimitBytes": "0"}
    with LocalStack({"summarizer": "echo"}, parameters=parameters, name=f"permission-{delivery.lower()}") as stack:
        with without(stack, "SubmitRole", "submit", "s3:PutObject", "/input/*"):
            sent = [stack.send(f"payload {number}") for number in range(COUNT // 2)]
            named = [f"order-{number}" for number in range(COUNT // 2)]
            for name in named:
                stack.send(f"payload of {name}", InferenceId=name)
            wait_for(lambda: visible(stack, "RequestDeadLetterQueue") == COUNT, RECEIPTS_SECONDS, "requests")
            seen = look(stack, "RequestDeadLetterQueueNotEmpty")
        assert "too many receipts from" in seen
        assert "PutObject" in seen
        assert stack.invocations("summarizer") == []

        with without(stack, "CollectRole", "collect", "s3:GetObject", "/output/*"):
            written = redrive(stack, "RequestDeadLetterQueueNotEmpty")
            assert f"RequestDeadLetterQueue: {COUNT} handed over" in written
            wait_for(lambda: visible(stack, "NotificationDeadLetterQueue") == COUNT, RECEIPTS_SECONDS, "notifications")
            seen = look(stack, "NotificationDeadLetterQueueNotEmpty")
        assert "GetObject" in seen
        assert stack.receive("ResultsQueueUrl") == []

        written = redrive(stack, "NotificationDeadLetterQueueNotEmpty")
        assert f"NotificationDeadLetterQueue: {COUNT} handed over" in written
        assert visible(stack, "RequestDeadLetterQueue") == visible(stack, "NotificationDeadLetterQueue") == 0
        results = [body_json(message) for message in taken(stack)]
        assert Counter(result["inferenceId"] for result in results) == Counter([*sent, *named])
        contents = {result["inferenceId"]: result["responseBody"]["content"] for result in results}
        expected = {name: f"payload {number}" for number, name in enumerate(sent)}
        assert contents == {**expected, **{name: f"payload of {name}" for name in named}}
        assert len(stack.invocations("summarizer")) == COUNT


def taken(stack: LocalStack) -> list[dict[str, Any]]:
    """Every result; they were sent before the redrive answered."""
    results: list[dict[str, Any]] = []
    while messages := stack.receive("ResultsQueueUrl"):
        results += messages
    return results
