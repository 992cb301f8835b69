"""Requests by SQS through the deployed bridge."""

from __future__ import annotations

import base64
import json
import time

import pytest

from local.bridge import PATIENCE_SECONDS, Bridge, body_json, wait_for
from local.cases import all_cases, judge
from local.stack import LocalStack


def attribute(message: dict, name: str) -> str | None:
    return message.get("MessageAttributes", {}).get(name, {}).get("StringValue")


def dead_letters(bridge: Bridge, count: int) -> dict[str, dict]:
    """`count` messages of the requests' dead-letter queue by their inference ids, else by their own ids."""
    messages = bridge.receive_all("RequestDeadLetterQueueUrl", count)
    return {attribute(message, "InferenceId") or message["MessageId"]: message for message in messages}


@pytest.mark.parametrize(
    "case", [case for case in all_cases() if case.status == "Completed"], ids=lambda case: case.label
)
def test_a_valid_request_comes_back_byte_for_byte_by_the_way_its_size_asks_for(direct: LocalStack, case) -> None:
    inference_id = case.send(direct)
    outcome = judge(direct, case, body_json(direct.wait_for_result(inference_id)))
    assert outcome.problems == []


def test_every_parameter_reaches_the_endpoint_and_comes_back(direct: LocalStack) -> None:
    direct.send(
        "a,b",
        EndpointName="echo",
        ContentType="text/csv",
        Accept="text/plain",
        CustomAttributes="accept_eula=true",
        InferenceId="order 4711",
        S3OutputPathExtension="2026/06",
        Filename="order-4711.out",
        RequestTTLSeconds=600,
        InvocationTimeoutSeconds=60,
    )
    message = direct.wait_for_result("order 4711")
    result = body_json(message)
    assert result["requestParameters"] == {
        "endpointName": "echo",
        "contentType": "text/csv",
        "accept": "text/plain",
        "customAttributes": "accept_eula=true",
    }
    assert result["responseParameters"] == {
        "contentType": "text/plain",
        "contentLength": 3,
        "outputLocation": f"s3://{direct.bucket}/output/2026/06/order-4711.out",
    }
    assert result["responseBody"] == {"content": "a,b", "encoding": "UTF8"}
    assert attribute(message, "InvocationStatus") == "Completed"
    assert attribute(message, "EndpointName") == "echo"
    assert attribute(message, "ContentType") == "text/plain"


def test_an_input_location_under_the_allowed_prefix_is_read_by_the_endpoint(direct: LocalStack) -> None:
    key = "input/in put/100%25 2024-03-29 03:48:03+x.json"
    direct.s3.put_object(Bucket=direct.bucket, Key=key, Body=b'{"from": "S3"}')
    inference_id = direct.send("not sent", InputLocation=f"s3://{direct.bucket}/{key}")
    result = body_json(direct.wait_for_result(inference_id))
    assert result["responseBody"]["content"] == '{"from": "S3"}'


def test_a_model_failure_comes_back_with_its_failure_output(direct: LocalStack) -> None:
    result = body_json(direct.wait_for_result(direct.send("{}", EndpointName="failing")))
    assert result["invocationStatus"] == "Failed"
    assert result["failureReason"].startswith("ClientError: Received client error (400)")
    assert result["responseParameters"]["failureLocation"].startswith(f"s3://{direct.bucket}/failure/")
    assert json.loads(result["responseBody"]["content"]) == {"message": "the model fail always fails"}


def test_of_ten_messages_seven_are_answered_once_and_three_rejected_and_kept(direct: LocalStack) -> None:
    good = {f"good-{n}": json.dumps({"n": n}) for n in range(7)}
    bad = {
        "bad-base64": ("% no base64 %", {"ContentEncoding": "base64"}),
        "bad-endpoint": ("{}", {"EndpointName": "someone-elses"}),
        "bad-attribute": ("{}", {"CustomAttributes": "x" * 1025}),
    }
    for inference_id, body in good.items():
        direct.send(body, InferenceId=inference_id)
    for inference_id, (body, more) in bad.items():
        direct.send(body, InferenceId=inference_id, **more)
    letters = dead_letters(direct, len(bad))
    assert {inference_id: letter["Body"] for inference_id, letter in letters.items()} == {
        inference_id: body for inference_id, (body, _) in bad.items()
    }

    for inference_id in [*good, *bad]:
        direct.wait_for_result(inference_id)
    direct.poll_results()
    counts = {inference_id: len(direct.results[inference_id]) for inference_id in [*good, *bad]}
    assert counts == dict.fromkeys([*good, *bad], 1)
    for inference_id, body in good.items():
        assert body_json(direct.results[inference_id][0])["responseBody"]["content"] == body
    reasons = {inference_id: body_json(direct.results[inference_id][0])["failureReason"] for inference_id in bad}
    assert {inference_id: attribute(letter, "FailureReason") for inference_id, letter in letters.items()} == reasons
    assert reasons["bad-base64"].startswith("ValidationError: the body must be base64")
    assert reasons["bad-endpoint"].startswith("AccessDeniedException: EndpointName someone-elses")
    assert reasons["bad-attribute"].startswith("ValidationError: CustomAttributes must be at most 1024")
    assert [len(direct.invocations("echo", inference_id)) for inference_id in good] == [1] * len(good)
    assert [direct.invocations("echo", inference_id) for inference_id in bad] == [[]] * len(bad)


def test_while_the_endpoint_throttles_messages_come_back_until_each_is_answered_once() -> None:
    # Each receipt of a message tries four times: fifteen refusals outlast the first receipts of three messages.
    with LocalStack({"busy": "echo"}, emulator_arguments=("--throttle", "busy=15"), name="busy") as stack:
        inference_ids = [stack.send(json.dumps({"n": n})) for n in range(3)]
        for inference_id in inference_ids:
            result = body_json(stack.wait_for_result(inference_id))
            assert result["invocationStatus"] == "Completed"
        stack.poll_results()
        assert [len(stack.results[inference_id]) for inference_id in inference_ids] == [1, 1, 1]
        assert stack.receive("RequestDeadLetterQueueUrl") == []


def test_a_permission_that_is_missing_shows_and_loses_nothing(direct: LocalStack) -> None:
    iam = direct.client("iam")
    role = direct.resource("SubmitRole")
    policy = iam.get_role_policy(RoleName=role, PolicyName="submit")["PolicyDocument"]
    narrowed = {**policy, "Statement": [s for s in policy["Statement"] if s.get("Sid") != "StoreInputs"]}
    assert len(narrowed["Statement"]) == len(policy["Statement"]) - 1
    iam.put_role_policy(RoleName=role, PolicyName="submit", PolicyDocument=json.dumps(narrowed))
    try:
        body = "x" * 128_001
        message_id = direct.send(body)
        letter = dead_letters(direct, 1)[message_id]
        assert letter["Body"] == body
        assert message_id not in direct.results
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="submit", PolicyDocument=json.dumps(policy))
    assert body_json(direct.wait_for_result(direct.send(body)))["invocationStatus"] == "Completed"


def test_a_hundred_requests_are_answered_once_each(direct: LocalStack) -> None:
    inference_ids = [direct.send(json.dumps({"n": n})) for n in range(100)]
    for inference_id in inference_ids:
        direct.wait_for_result(inference_id)
    direct.poll_results()
    assert {len(direct.results[inference_id]) for inference_id in inference_ids} == {1}


def test_no_log_holds_a_payload_an_output_or_a_custom_attribute(direct: LocalStack) -> None:
    secret = f"secret-{time.time_ns()}"
    encoded = base64.b64encode(secret.encode()).decode()
    sent = [
        direct.send(secret, CustomAttributes=secret),
        direct.send(secret, CustomAttributes=secret, EndpointName="failing"),
        direct.send(encoded, CustomAttributes=secret, ContentEncoding="base64"),
    ]
    for inference_id in sent:
        direct.wait_for_result(inference_id)
    logs = direct.client("logs").get_paginator("filter_log_events")
    lines: list[str] = []

    def all_are_told_of() -> bool:
        groups = [f"/aws/lambda/{direct.name}-{function}" for function in ("submit", "collect")]
        pages = [page for group in groups for page in logs.paginate(logGroupName=group)]
        lines[:] = [line for page in pages for event in page["events"] for line in event["message"].splitlines()]
        said = ('"invocation accepted"', '"result sent"')
        return all(any(words in line and one in line for line in lines) for words in said for one in sent)

    # A function's lines are in its log group when its invocation ends, its result may be here before.
    wait_for(all_are_told_of, PATIENCE_SECONDS, "the lines about all three")
    assert not any(secret in line or encoded in line for line in lines)
