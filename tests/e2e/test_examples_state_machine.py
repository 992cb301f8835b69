"""examples/state-machine: goes on with the output, and ends by its Catch for each way to have none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, REGION, wait_for
from local.pipelines import ACCOUNT
from local.stack import ROOT
from tests.e2e.test_unanswered import Watching

TEMPLATE = (ROOT / "examples/state-machine/template.yaml").read_text(encoding="utf-8")
REQUEST = {"prompt": "Summarize."}
# The last one is not among those that the bridge allows.
ENDPOINTS = ("echo", "failing", "silent", "slow", "foreign")


@pytest.fixture(scope="module")
def stack() -> Iterator[Watching]:
    machines = [f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:of-{name}" for name in ENDPOINTS]
    with Watching(
        {"echo": "echo", "failing": "fail", "silent": "sleep:3600", "slow": "sleep:3600"},
        parameters={"StateMachineArns": ",".join(machines), "WatchUnanswered": "true"},
        name="state-machine",
    ) as stack:
        yield stack


class Example:
    """The example's stack for an endpoint, and its executions."""

    def __init__(self, stack: Watching, endpoint: str, template: str = TEMPLATE) -> None:
        parameters = {
            "RequestQueueUrl": stack.outputs["RequestQueueUrl"],
            "EndpointName": endpoint,
            "StateMachineName": f"of-{endpoint}",
        }
        self.outputs = stack.deploy(f"example-{endpoint}", template, parameters)
        stack.outputs[endpoint] = self.outputs["UnservedQueueUrl"]
        self.unserved = endpoint
        self.stack, self.machines = stack, stack.client("stepfunctions")

    def start(self, request: Any = REQUEST) -> str:
        """Starts an execution; its ARN."""
        machine = self.outputs["StateMachineArn"]
        return self.machines.start_execution(stateMachineArn=machine, input=json.dumps({"request": request}))[
            "executionArn"
        ]

    def end_of(self, execution: str) -> dict[str, Any]:
        """Waits for an execution to end; its description."""
        ended: dict[str, Any] = {}

        def has_ended() -> bool:
            ended.update(self.machines.describe_execution(executionArn=execution))
            return ended["status"] != "RUNNING"

        wait_for(has_ended, PATIENCE_SECONDS, "the execution's end")
        return ended

    def kept(self) -> list[Any]:
        """What lies in the queue of unserved requests."""
        return [json.loads(message["Body"]) for message in self.stack.receive(self.unserved)]


def test_the_state_machine_goes_on_with_the_models_output(stack: Watching) -> None:
    example = Example(stack, "echo")
    ended = example.end_of(example.start())
    assert ended["status"] == "SUCCEEDED", ended
    assert json.loads(json.loads(ended["output"])["output"]) == REQUEST
    assert example.kept() == []

    large = example.end_of(example.start({"prompt": '"' * 100_000}))
    assert large["status"] == "SUCCEEDED", large
    location = json.loads(large["output"])["outputLocation"]
    assert location.startswith(f"s3://{stack.bucket}/output/"), "four times as many bytes in JSON in JSON"


def test_a_failed_inference_is_caught_and_its_request_kept(stack: Watching) -> None:
    example = Example(stack, "failing")
    ended = example.end_of(example.start())
    assert (ended["status"], ended["error"]) == ("FAILED", "ModelError")
    assert json.loads(ended["cause"])["invocationStatus"] == "Failed"
    assert example.kept() == [{"request": REQUEST, "error": "ModelError"}]


def test_a_request_that_nobody_answers_is_caught_and_kept(stack: Watching) -> None:
    example = Example(stack, "silent")
    execution = example.start()
    wait_for(lambda: stack.is_remembered("silent"), PATIENCE_SECONDS, "the accepted request")
    stack.make_overdue()
    stack.sweep()
    ended = example.end_of(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "Unanswered")
    assert example.kept() == [{"request": REQUEST, "error": "Unanswered"}]


def test_a_task_that_is_not_answered_in_time_is_caught_and_its_request_kept(stack: Watching) -> None:
    seconds = "TimeoutSeconds: 7200"
    assert TEMPLATE.count(seconds) == 1
    example = Example(stack, "slow", TEMPLATE.replace(seconds, "TimeoutSeconds: 1"))
    ended = example.end_of(example.start())
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")
    assert example.kept() == [{"request": REQUEST, "error": "States.Timeout"}]


def test_a_rejected_request_is_caught_and_lies_in_the_bridges_dead_letter_queue(stack: Watching) -> None:
    example = Example(stack, "foreign")
    ended = example.end_of(example.start())
    assert (ended["status"], ended["error"]) == ("FAILED", "AccessDeniedException")
    assert json.loads(ended["cause"])["invocationStatus"] == "Rejected"
    (letter,) = stack.receive_all("RequestDeadLetterQueueUrl", 1)
    assert json.loads(letter["Body"]) == REQUEST
    assert example.kept() == []
