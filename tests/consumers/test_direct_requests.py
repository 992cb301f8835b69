"""Direct invocation of `submit`, which takes just what its schema allows and answers as its schema says."""

from __future__ import annotations

import json
from typing import Any

from local.bridge import body_json
from local.stack import LocalStack
from tests.schemas.documents import is_valid, problems

REQUESTS: list[dict[str, Any]] = [
    {"Body": {"prompt": "Summarize."}},
    {"Body": "text", "ContentType": "text/plain", "EndpointName": "asr", "CustomAttributes": "a=b"},
    {"Body": "YQ==", "ContentEncoding": "base64"},
    {"Body": "x" * 200_000},
    {"Body": [1, 2], "RequestTTLSeconds": 60, "InvocationTimeoutSeconds": 3600, "Filename": "a.out"},
    {"Body": ""},
    {"Body": "x", "ContentEncoding": "gzip"},
    {"Body": "x", "RequestTTLSeconds": 59},
    {"Body": "x", "EndpointName": "a_b"},
    {"Body": "x", "InferenceId": " x"},
]


def invoke(stack: LocalStack, event: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Whether the function ended well, and what it answered."""
    answer = stack.client("lambda").invoke(FunctionName=stack.resource("SubmitFunction"), Payload=json.dumps(event))
    return "FunctionError" not in answer, json.loads(answer["Payload"].read())


def test_just_what_is_right_by_the_schema_is_accepted_and_answered(notifications: LocalStack) -> None:
    answers = [invoke(notifications, event) for event in REQUESTS]
    assert [is_accepted for is_accepted, _ in answers] == [is_valid("direct-request", event) for event in REQUESTS]
    for is_accepted, answer in answers:
        if is_accepted:
            assert problems("direct-answer", answer) == []
            assert problems("result", body_json(notifications.wait_for_result(answer["InferenceId"]))) == []
        else:
            assert answer["errorType"] == "ValidationError"


def test_an_input_by_location_is_a_direct_request(notifications: LocalStack) -> None:
    notifications.s3.put_object(Bucket=notifications.bucket, Key="input/direct", Body=b"from S3")
    event = {"InputLocation": f"s3://{notifications.bucket}/input/direct"}
    assert problems("direct-request", event) == []
    is_accepted, answer = invoke(notifications, event)
    assert is_accepted
    result = body_json(notifications.wait_for_result(answer["InferenceId"]))
    assert result["responseBody"]["content"] == "from S3"
