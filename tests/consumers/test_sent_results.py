"""The schemas against what the functions really send and take."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import pytest

from local.bridge import body_json
from local.stack import ROOT, LocalStack
from tests.schemas.documents import attributes, is_valid, problems

SAMPLES = sorted(path.stem for path in (ROOT / "events/notifications").glob("*.json"))
# As long as a sample's, and under the prefix that collect may read.
SAMPLE_LOCATIONS = {
    "s3://models-bucket/output a/": "s3://{bucket}/output/a ",
    "s3://models-bucket/": "s3://{bucket}/",
    "https://models-bucket.": "https://{bucket}.",
}
BYTES = bytes(range(256))
BASE64 = base64.b64encode(BYTES).decode()

# A request of each kind: body, attributes, and the status of its result.
REQUESTS: dict[str, tuple[str, dict[str, str | int], str]] = {
    "text": ('{"n": 1}', {}, "Completed"),
    "bytes": (BASE64, {"ContentEncoding": "base64", "ContentType": "image/png"}, "Completed"),
    "too large for a message": ("x" * 300_000, {}, "Completed"),
    "control characters": ("\t\r\n", {"ContentType": "text/plain"}, "Completed"),
    "every parameter": (
        "a,b",
        {
            "EndpointName": "asr",
            "ContentType": "text/csv",
            "Accept": "text/csv",
            "Filename": "a.out",
            "CustomAttributes": "a=b",
            "S3OutputPathExtension": "2026/06",
            "RequestTTLSeconds": 600,
            "InvocationTimeoutSeconds": 60,
        },
        "Completed",
    ),
    "failing": ("{}", {"EndpointName": "failing", "CustomAttributes": "a=b", "Accept": "text/csv"}, "Failed"),
    "no base64": ("%", {"ContentEncoding": "base64", "ContentType": "text/csv", "CustomAttributes": "a=b"}, "Rejected"),
    "foreign endpoint": ("x", {"EndpointName": "foreign"}, "Rejected"),
    "foreign location": ("x", {"InputLocation": "s3://foreign/input", "Accept": "text/csv"}, "Rejected"),
    "no endpoint at all": ("x", {"EndpointName": "a_b"}, "Rejected"),
}
# Values on both sides of each bound: what the schema says of them, the function must do.
BOUNDS: list[dict[str, str | int]] = [
    *({"InferenceId": value} for value in ("x" * 64, "x" * 65, "a b", " a", "ä")),
    *({"RequestTTLSeconds": value} for value in (59, 60, 21600, 21601)),
    *({"InvocationTimeoutSeconds": value} for value in (0, 1, 3600, 3601)),
    *({"Filename": value} for value in ("a.out", "a.b.out", "-a", "x" * 32, "x" * 33)),
    *({"S3OutputPathExtension": value} for value in ("a/b!", "a b", "x" * 100)),
    *({"CustomAttributes": value} for value in ("x" * 1024, "x" * 1025, "a\tb")),
    *({"Accept": value} for value in ("x" * 1024, "ä")),
    *({"ContentType": value} for value in ("x" * 1024, "x" * 1025)),
    *({"EndpointName": value} for value in ("asr", "-asr", "asr-")),
    *({"ContentEncoding": value} for value in ("base64", "gzip")),
]


def result_of(stack: LocalStack, kind: str) -> dict[str, Any]:
    """The result message of a request."""
    body, given, status = REQUESTS[kind]
    message = stack.wait_for_result(stack.send(body, **given))
    assert attributes(message)["InvocationStatus"] == status
    return message


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_notification_result_is_as_its_schema_says(notifications: LocalStack, kind: str) -> None:
    message = result_of(notifications, kind)
    assert problems("result", body_json(message)) == []
    assert problems("result-attributes", attributes(message)) == []


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_raw_result_is_as_its_schema_says(raw: LocalStack, kind: str) -> None:
    message = result_of(raw, kind)
    found = attributes(message)
    if found["InvocationStatus"] == "Rejected":
        assert problems("result", body_json(message)) == []
        assert problems("result-attributes", found) == []
        return
    assert problems("raw-result-attributes", found) == []
    assert ("ExtendedPayloadSize" in found) == (kind == "too large for a message")
    assert ("ContentEncoding" in found) == (kind == "bytes")
    if "ExtendedPayloadSize" in found:
        assert problems("pointer", body_json(message)) == []


def test_the_kinds_of_requests_show_every_property_that_a_rejection_has(notifications: LocalStack) -> None:
    seen: set[str] = set()
    for kind, (_, _, status) in REQUESTS.items():
        if status == "Rejected":
            seen |= body_json(result_of(notifications, kind))["requestParameters"].keys()
    assert seen == {"endpointName", "contentType", "customAttributes", "accept"} | {"inputLocation"}


def sample(stack: LocalStack, name: str) -> str:
    """A sample notification of an output in the stack's bucket."""
    text = (ROOT / f"events/notifications/{name}.json").read_text(encoding="utf-8")
    for known, own in SAMPLE_LOCATIONS.items():
        text = text.replace(known, own.format(bucket=stack.bucket))
    notification = {**json.loads(text), "inferenceId": str(uuid.uuid4())}
    for location in locations(notification):
        stack.s3.put_object(Bucket=stack.bucket, Key=location.split("/", 3)[3], Body=BYTES)
    return json.dumps(notification)


def locations(notification: dict[str, Any]) -> list[str]:
    """Where the output is, and the failure output."""
    response = notification.get("responseParameters", {})
    return [value for name, value in response.items() if name.endswith("Location")]


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("bridge", ["notifications", "raw"])
def test_a_sample_notification_becomes_a_result_by_these_schemas(
    bridge: str, name: str, request: pytest.FixtureRequest
) -> None:
    stack: LocalStack = request.getfixturevalue(bridge)
    text = sample(stack, name)
    stack.sns.publish(TopicArn=stack.outputs["SuccessTopicArn"], Message=text)
    message = stack.wait_for_result(json.loads(text)["inferenceId"])
    if bridge == "raw":
        assert problems("raw-result-attributes", attributes(message)) == []
    else:
        assert problems("result", body_json(message)) == []
        assert problems("result-attributes", attributes(message)) == []


def test_what_sagemaker_adds_to_its_notification_is_passed_on_and_allowed(notifications: LocalStack) -> None:
    notification = {**json.loads(sample(notifications, "completed")), "addedOneDay": {"a": 1}}
    notifications.sns.publish(TopicArn=notifications.outputs["SuccessTopicArn"], Message=json.dumps(notification))
    result = body_json(notifications.wait_for_result(notification["inferenceId"]))
    assert result["addedOneDay"] == {"a": 1}
    assert is_valid("result", result)
    assert problems("result", result)


def test_submit_rejects_just_the_attributes_that_are_wrong_by_the_schema(notifications: LocalStack) -> None:
    expected = {}
    for given in BOUNDS:
        is_right = is_valid("request-attributes", given)
        message_id = notifications.send("YQ==", **given)
        expected[str(given["InferenceId"]) if is_right and "InferenceId" in given else message_id] = is_right
    taken = {key: attributes(notifications.wait_for_result(key))["InvocationStatus"] != "Rejected" for key in expected}
    assert taken == expected
    assert set(taken.values()) == {True, False}
