"""Requests by direct invocation: by Lambda's `Invoke`, and by a task of Step Functions, as docs/pipelines.md has it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, body_json, wait_for
from local.stack import LocalStack
from tests.e2e.test_docs import blocks


def invoke(stack: LocalStack, request: Any) -> dict[str, Any]:
    """Lambda's answer: `FunctionError` or None, and the function's `Payload`."""
    payload = json.dumps(request, ensure_ascii=False).encode()
    answer = stack.client("lambda").invoke(FunctionName=stack.outputs["SubmitFunctionArn"], Payload=payload)
    return {"FunctionError": answer.get("FunctionError"), "Payload": json.loads(answer["Payload"].read())}


def role_of_state_machine(stack: LocalStack, name: str) -> str:
    """The ARN of a role that may do what the documentation says: invoke the function."""
    iam = stack.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    function = stack.outputs["SubmitFunctionArn"]
    policy = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="invoke", PolicyDocument=document(policy))
    return role["Arn"]


def document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def execute(stack: LocalStack, name: str, request: Any) -> dict[str, Any]:
    """An ended execution of the documentation's state machine."""
    (definition,) = blocks("docs/pipelines.md", "asl")
    definition = definition.replace("${SubmitFunctionArn}", stack.outputs["SubmitFunctionArn"])
    states = stack.client("stepfunctions")
    role = role_of_state_machine(stack, name)
    machine = states.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine, input=json.dumps(request))["executionArn"]

    def has_ended() -> bool:
        return states.describe_execution(executionArn=execution)["status"] != "RUNNING"

    wait_for(has_ended, PATIENCE_SECONDS, f"the end of {name}")
    return states.describe_execution(executionArn=execution)


def response_of(stack: LocalStack, inference_id: str) -> dict[str, str]:
    return body_json(stack.wait_for_result(inference_id))["responseBody"]


def test_an_invocation_is_answered_with_the_locations_and_its_result_comes(direct: LocalStack) -> None:
    answer = invoke(direct, {"Body": {"prompt": "käse"}, "InferenceId": "direct-json"})
    assert answer["FunctionError"] is None
    assert answer["Payload"]["InferenceId"] == "direct-json"
    assert answer["Payload"]["OutputLocation"].startswith(f"s3://{direct.bucket}/output/")
    assert answer["Payload"]["FailureLocation"].startswith(f"s3://{direct.bucket}/failure/")
    # The local Lambda writes an event's JSON anew, with escapes; AWS's hands it over as it came.
    assert json.loads(response_of(direct, "direct-json")["content"]) == {"prompt": "käse"}


def test_binary_and_large_bodies_and_input_locations_arrive_byte_for_byte(direct: LocalStack) -> None:
    large = bytes(range(256)) * 600
    direct.s3.put_object(Bucket=direct.bucket, Key="input/direct 1.bin", Body=b"from S3")
    requests = {
        "direct-large": {"Body": base64.b64encode(large).decode(), "ContentEncoding": "base64"},
        "direct-located": {"InputLocation": f"s3://{direct.bucket}/input/direct 1.bin", "Body": None},
    }
    for inference_id, request in requests.items():
        assert invoke(direct, {**request, "InferenceId": inference_id})["FunctionError"] is None
    assert base64.b64decode(response_of(direct, "direct-large")["content"]) == large
    assert response_of(direct, "direct-located") == {"content": "from S3", "encoding": "UTF8"}


@pytest.mark.parametrize(
    ("request_", "error_type", "words"),
    [
        ({"Body": ""}, "ValidationError", "Body is empty"),
        ({"Body": "x", "EndpointName": "someone-elses"}, "AccessDeniedException", "may invoke"),
        ({"body": "x"}, "ValidationError", "`Body` or `InputLocation`"),
    ],
)
def test_a_fault_is_a_function_error_under_its_own_name(
    direct: LocalStack, request_: dict[str, Any], error_type: str, words: str
) -> None:
    answer = invoke(direct, request_)
    assert answer["FunctionError"]
    assert answer["Payload"]["errorType"] == error_type
    assert words in answer["Payload"]["errorMessage"]


def test_a_state_machine_goes_on_with_the_answer(direct: LocalStack) -> None:
    ended = execute(direct, "accepted", {"request": {"prompt": 1}, "id": "by-state-machine"})
    assert ended["status"] == "SUCCEEDED"
    output = json.loads(ended["output"])
    assert output["InferenceId"] == "by-state-machine"
    assert output["OutputLocation"].startswith("s3://")
    assert json.loads(response_of(direct, "by-state-machine")["content"]) == {"prompt": 1}


def test_a_state_machine_catches_a_rejection_by_its_name(direct: LocalStack) -> None:
    ended = execute(direct, "rejected", {"request": "", "id": "never"})
    assert ended["status"] == "SUCCEEDED"
    output = json.loads(ended["output"])
    assert output["Error"] == "ValidationError"
    assert "Body is empty" in json.loads(output["Cause"])["errorMessage"]


def test_a_state_machine_retries_a_throttled_invocation_by_its_name() -> None:
    # The SDK tries a call four times: the first invocation fails, the second comes through.
    with LocalStack({"busy": "echo"}, emulator_arguments=("--throttle", "busy=5"), name="retried") as stack:
        ended = execute(stack, "retried", {"request": "again", "id": "retried"})
        assert ended["status"] == "SUCCEEDED", ended
        assert response_of(stack, "retried") == {"content": "again", "encoding": "UTF8"}
        states = stack.client("stepfunctions")
        events = states.get_execution_history(executionArn=ended["executionArn"])["events"]
        assert any("ThrottlingException" in str(event) for event in events), events
