"""Results by their return addresses: topics, event buses, tasks of Step Functions, callbacks of durable functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, REGION, body_json, wait_for
from local.pipelines import ACCOUNT, asking, create_durable_function, create_role, inbox
from local.stack import ROOT, LocalStack
from tests.e2e.test_requests import attribute
from tests.gate import Gate

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:answers"
FIFO_TOPIC = f"{TOPIC}.fifo"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/pipeline"
STATE_MACHINES = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:"
DURABLE_FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:asking"


@pytest.fixture(scope="module")
def stack(gate: Gate) -> Iterator[LocalStack]:
    with LocalStack(
        {"echo": "echo", "failing": "fail", "gated": gate.url},
        parameters={
            "NotificationDelivery": "QUEUE",
            "ReplyToArns": f"{TOPIC},{FIFO_TOPIC},{BUS}",
            "StateMachineArns": f"{STATE_MACHINES}patient,{STATE_MACHINES}hasty",
            "DurableFunctionArns": DURABLE_FUNCTION,
        },
        name="ways-out",
    ) as stack:
        yield stack


def take(stack: LocalStack, name: str, count: int) -> list[dict[str, Any]]:
    """The messages of an inbox; one more than expected counts too."""
    messages = stack.receive_all(name, count)
    return messages + stack.receive(name)


@pytest.fixture(scope="module")
def topics(stack: LocalStack) -> None:
    arn = inbox(stack, "topic-inbox")
    fifo_arn = inbox(stack, "topic-inbox.fifo", FifoQueue="true")
    stack.sns.create_topic(Name="answers")
    stack.sns.create_topic(Name="answers.fifo", Attributes={"FifoTopic": "true"})
    for topic, queue in ((TOPIC, arn), (FIFO_TOPIC, fifo_arn)):
        raw = {"RawMessageDelivery": "true"}
        stack.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=raw)


@pytest.fixture(scope="module")
def bus(stack: LocalStack) -> None:
    events = stack.client("events")
    events.create_event_bus(Name="pipeline")
    for status in ("Completed", "Failed", "Rejected"):
        arn = inbox(stack, f"bus-{status}")
        pattern = {"source": ["sagemaker-async-bridge"], "detail-type": [f"SageMaker Async Inference {status}"]}
        events.put_rule(Name=status, EventBusName="pipeline", EventPattern=json.dumps(pattern))
        events.put_targets(Rule=status, EventBusName="pipeline", Targets=[{"Id": "inbox", "Arn": arn}])


@pytest.fixture(scope="module")
def state_machines(stack: LocalStack) -> None:
    request = {
        "QueueUrl": stack.outputs["RequestQueueUrl"],
        "MessageBody.$": "$.body",
        "MessageAttributes": {
            "TaskToken": {"DataType": "String", "StringValue.$": "$$.Task.Token"},
            "EndpointName": {"DataType": "String", "StringValue.$": "$.endpoint"},
            "Accept": {"DataType": "String", "StringValue.$": "$.accept"},
        },
    }
    role = create_role(stack, "asking-state-machines", "states.amazonaws.com", ["sqs:SendMessage"])
    for name, timeout_seconds in (("patient", PATIENCE_SECONDS), ("hasty", 1)):
        definition = asking(request, timeout_seconds)
        machines = stack.client("stepfunctions")
        machines.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)


@pytest.fixture(scope="module")
def durable_function(stack: LocalStack) -> None:
    create_durable_function(stack, "asking")


def execute(stack: LocalStack, body: str, name: str = "patient", **more: str) -> dict[str, Any]:
    """Runs a state machine to its end; gives the last state's output."""
    machines = stack.client("stepfunctions")
    given = json.dumps({"body": body, "endpoint": "echo", "accept": "application/json", **more})
    execution = machines.start_execution(stateMachineArn=STATE_MACHINES + name, input=given)["executionArn"]
    ended: dict[str, Any] = {}

    def has_ended() -> bool:
        ended.update(machines.describe_execution(executionArn=execution))
        return ended["status"] != "RUNNING"

    wait_for(has_ended, PATIENCE_SECONDS, "the execution's end")
    assert ended["status"] == "SUCCEEDED", ended
    return json.loads(ended["output"])


def call_back(
    stack: LocalStack, body: str, timeout_seconds: int = PATIENCE_SECONDS, **attributes: str
) -> dict[str, Any]:
    """Runs the durable function to its end; gives what its callback came to."""
    functions = stack.client("lambda")
    given = {
        "queue": stack.outputs["RequestQueueUrl"],
        "body": body,
        "attributes": attributes,
        "timeoutSeconds": timeout_seconds,
    }
    invoked = functions.invoke(FunctionName="asking", Payload=json.dumps(given))
    execution = invoked["DurableExecutionArn"]
    ended: dict[str, Any] = {}

    def has_ended() -> bool:
        ended.update(functions.get_durable_execution(DurableExecutionArn=execution))
        return ended["Status"] != "RUNNING"

    wait_for(has_ended, PATIENCE_SECONDS, "the durable execution's end")
    assert ended["Status"] == "SUCCEEDED", ended
    return json.loads(ended["Result"])


@pytest.fixture
def results(stack: LocalStack) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What the results queue gets from now on. Nothing is left for the next test."""
    stack.receive("ResultsQueueUrl")
    taken: list[dict[str, Any]] = []

    def take_results() -> list[dict[str, Any]]:
        taken.extend(map(body_json, stack.receive("ResultsQueueUrl")))
        return taken

    yield take_results
    take_results()


@pytest.mark.usefixtures("topics")
def test_a_topic_gets_results_and_rejections_and_the_results_queue_none(
    stack: LocalStack, results: Callable[[], list[dict[str, Any]]]
) -> None:
    stack.send("hello", ReplyTo="answers", InferenceId="t1", CustomAttributes="accept_eula=true")
    stack.send("hello", ReplyTo="answers", InferenceId="t2", EndpointName="failing")
    stack.send("%", ReplyTo="answers", InferenceId="t3", ContentEncoding="base64")
    messages = {attribute(message, "InferenceId"): message for message in take(stack, "topic-inbox", 3)}
    assert sorted(messages) == ["t1", "t2", "t3"]
    expected = {"t1": "Completed", "t2": "Failed", "t3": "Rejected"}
    for inference_id, status in expected.items():
        assert attribute(messages[inference_id], "InvocationStatus") == status
    completed = body_json(messages["t1"])
    assert completed["responseBody"] == {"content": "hello", "encoding": "UTF8"}
    assert completed["requestParameters"]["customAttributes"] == "accept_eula=true"
    assert results() == []


@pytest.mark.usefixtures("topics")
def test_a_fifo_topic_gets_results_in_the_group_of_their_inference(stack: LocalStack) -> None:
    stack.send("hello", ReplyTo="answers.fifo", InferenceId="f1")
    (message,) = take(stack, "topic-inbox.fifo", 1)
    assert (body_json(message)["inferenceId"], message["Attributes"]["MessageGroupId"]) == ("f1", "f1")


@pytest.mark.usefixtures("topics")
def test_a_result_too_large_for_a_topic_arrives_without_its_output(stack: LocalStack) -> None:
    stack.send("x" * 262_144, ReplyTo="answers", InferenceId="large")
    (message,) = take(stack, "topic-inbox", 1)
    result = body_json(message)
    assert "responseBody" not in result
    assert result["responseParameters"]["contentLength"] == 262_144


@pytest.mark.usefixtures("bus")
def test_the_rules_of_an_event_bus_tell_results_apart_by_their_status(
    stack: LocalStack, results: Callable[[], list[dict[str, Any]]]
) -> None:
    stack.send("hello", ReplyTo="pipeline", InferenceId="e1")
    stack.send("hello", ReplyTo="pipeline", InferenceId="e2", EndpointName="failing")
    stack.send("%", ReplyTo="pipeline", InferenceId="e3", ContentEncoding="base64")
    for status, inference_id in (("Completed", "e1"), ("Failed", "e2"), ("Rejected", "e3")):
        (message,) = take(stack, f"bus-{status}", 1)
        event = body_json(message)
        assert event["source"] == "sagemaker-async-bridge"
        assert event["detail-type"] == f"SageMaker Async Inference {status}"
        detail = event["detail"]
        assert (detail["inferenceId"], detail["invocationStatus"]) == (inference_id, status)
    assert results() == []


@pytest.mark.usefixtures("state_machines")
def test_a_state_machine_goes_on_with_the_output_and_catches_failures_by_their_names(
    stack: LocalStack, results: Callable[[], list[dict[str, Any]]]
) -> None:
    completed = execute(stack, "hello")
    assert completed["invocationStatus"] == "Completed"
    assert completed["responseBody"] == {"content": "hello", "encoding": "UTF8"}
    failed = execute(stack, "hello", endpoint="failing")["caught"]
    assert (failed["Error"], json.loads(failed["Cause"])["invocationStatus"]) == ("ModelError", "Failed")
    rejected = execute(stack, "hello", accept="x" * 1_025)["caught"]
    assert (rejected["Error"], json.loads(rejected["Cause"])["invocationStatus"]) == ("ValidationError", "Rejected")
    assert results() == []


@pytest.mark.usefixtures("state_machines")
def test_the_result_of_a_task_that_timed_out_meanwhile_is_on_the_results_queue_once(
    stack: LocalStack, gate: Gate, results: Callable[[], list[dict[str, Any]]]
) -> None:
    with gate.closed():
        timed_out = execute(stack, "too late for a task", "hasty", endpoint="gated")["caught"]
    assert timed_out["Error"] == "States.Timeout"
    assert_once(stack, results, "too late for a task", "Step Functions task")


@pytest.mark.usefixtures("durable_function")
def test_a_durable_function_goes_on_with_the_output_or_the_failure_of_its_callback(
    stack: LocalStack, results: Callable[[], list[dict[str, Any]]]
) -> None:
    completed = call_back(stack, "hello")
    result = json.loads(completed["details"]["Result"])
    assert (completed["status"], result["responseBody"]["content"]) == ("SUCCEEDED", "hello")
    for status, error_type, more in (
        ("Failed", "ModelError", {"EndpointName": "failing"}),
        ("Rejected", "ValidationError", {"ContentEncoding": "gzip"}),
    ):
        failed = call_back(stack, "hello", **more)
        error = failed["details"]["Error"]
        told = json.loads(error["ErrorData"])
        assert (failed["status"], error["ErrorType"], told["invocationStatus"]) == ("FAILED", error_type, status)
        assert error["ErrorMessage"] == told["failureReason"]
    assert results() == []


@pytest.mark.usefixtures("durable_function")
def test_the_result_of_a_callback_that_timed_out_meanwhile_is_on_the_results_queue_once(
    stack: LocalStack, gate: Gate, results: Callable[[], list[dict[str, Any]]]
) -> None:
    with gate.closed():
        timed_out = call_back(stack, "too late for a callback", timeout_seconds=1, EndpointName="gated")
    assert timed_out["status"] == "TIMED_OUT"
    assert_once(stack, results, "too late for a callback", "durable function callback")


@pytest.mark.parametrize("pair", ["task:AAAA", "callback:AAAA"])
def test_the_result_of_a_made_up_token_is_on_the_results_queue(stack: LocalStack, pair: str) -> None:
    sample = json.loads((ROOT / "events/notifications/failed-bare.json").read_text(encoding="utf-8"))
    parameters = {"endpointName": "echo", "customAttributes": f"bridge={pair}"}
    forged = {**sample, "inferenceId": f"forged-{pair}", "requestParameters": parameters}
    stack.sns.publish(TopicArn=stack.outputs["SuccessTopicArn"], Message=json.dumps(forged))
    assert body_json(stack.wait_for_result(f"forged-{pair}"))["invocationStatus"] == "Failed"


def assert_once(stack: LocalStack, results: Callable[[], list[dict[str, Any]]], output: str, destination: str) -> None:
    """The results queue has this output once, the notification is acknowledged, and the log says why it is there."""
    wait_for(results, PATIENCE_SECONDS, "the result")
    notifications = stack.resource("NotificationQueue")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def is_empty() -> bool:
        counts = stack.sqs.get_queue_attributes(QueueUrl=notifications, AttributeNames=names)["Attributes"]
        return set(counts.values()) == {"0"}

    wait_for(is_empty, PATIENCE_SECONDS, "an empty notification queue")
    assert [result["responseBody"]["content"] for result in results()] == [output]
    reason = "the task or callback no longer waits: the result goes to the results queue"
    events = stack.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{stack.name}-collect")["events"]
    lines = [json.loads(event["message"]) for event in events if reason in event["message"]]
    assert [line["destination"] for line in lines].count(destination) == 1
