"""The requests of the demo: one of each kind, and what must come of it."""

from __future__ import annotations

import base64
import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.bridge import Bridge

ECHO_ENDPOINT = "echo"
FAILING_ENDPOINT = "failing"

POINTER_CLASS = "software.amazon.payloadoffloading.PayloadS3Pointer"
POISON = "this is not base64!"
HTTP_INFERENCE_ID = "demo-http-request"

REASON_WIDTH = 60

# How an input reached the endpoint.
INLINE, BY_S3, NOT_SENT = "inline", "S3", "not sent"
# How an output came back.
IN_MESSAGE, BY_LOCATION, NO_OUTPUT = "in the result", "by location", "none"


@dataclass(frozen=True)
class Case:
    """A request: `send` gives it to the bridge and returns its inference id; the rest is what is expected."""

    label: str
    payload: bytes
    send: Callable[[Bridge], str]
    status: str = "Completed"
    way: str = INLINE
    output: str = IN_MESSAGE


@dataclass(frozen=True)
class Outcome:
    """What a result message says and the bucket confirms.

    `input_location`: the `s3://` location that the endpoint was given, if any. `output_at`: where the output or the
    failure lies in the bucket, with the reason of a failure.
    """

    status: str
    way: str
    output: str
    output_at: str
    problems: list[str]
    input_location: str | None = None


def all_cases() -> list[Case]:
    """One request of each kind."""
    small = b'{"inputs": "hello"}'
    pointed = json_of_size(250_000)
    binary = bytes(range(256)) * 200
    return [
        by_sqs("small JSON", small),
        by_sqs("largest inline", json_of_size(128_000)),
        by_sqs("one byte more", json_of_size(128_001), way=BY_S3),
        by_sqs("200 KB", json_of_size(200_000), way=BY_S3),
        by_sqs("300 KB, too large for a result", json_of_size(300_000), way=BY_S3, output=BY_LOCATION),
        Case("binary, as base64", binary, lambda bridge: send_binary(bridge, binary)),
        Case("extended-client pointer", pointed, lambda bridge: send_pointer(bridge, pointed), way=BY_S3),
        Case("POST /invocations", small, lambda bridge: post(bridge, small)),
        Case("POST, Prefer: wait", small, lambda bridge: post_and_wait(bridge, small)),
        Case("model that fails", small, send_failing, status="Failed", output=NO_OUTPUT),
        Case("poison: bad base64", POISON.encode(), send_poison, status="Rejected", way=NOT_SENT, output=NO_OUTPUT),
    ]


def json_of_size(size: int) -> bytes:
    """A JSON document of exactly `size` bytes, fewer characters, so that the two cannot be mixed up."""
    frame = len(json.dumps({"inputs": ""}))
    double, single = divmod(size - frame, 2)
    return json.dumps({"inputs": "é" * double + "e" * single}, ensure_ascii=False).encode()


# ---- sending ----


def by_sqs(label: str, payload: bytes, *, way: str = INLINE, output: str = IN_MESSAGE) -> Case:
    """A text payload as the body of a message."""
    return Case(label, payload, lambda bridge: bridge.send(payload.decode()), way=way, output=output)


def send_binary(bridge: Bridge, payload: bytes) -> str:
    """A message body is text, so bytes travel as base64 and say so."""
    body = base64.b64encode(payload).decode()
    return bridge.send(body, ContentEncoding="base64", ContentType="application/octet-stream")


def send_pointer(bridge: Bridge, payload: bytes) -> str:
    """What amazon-sqs-java-extended-client-lib sends for a large message: the payload in S3, a pointer in the queue."""
    key = "input/extended-client-payload"
    bridge.s3.put_object(Bucket=bridge.bucket, Key=key, Body=payload)
    pointer = [POINTER_CLASS, {"s3BucketName": bridge.bucket, "s3Key": key}]
    return bridge.send(json.dumps(pointer), ExtendedPayloadSize=len(payload))


def send_failing(bridge: Bridge) -> str:
    """A request that names another endpoint, whose model answers every request with an error."""
    return bridge.send('{"inputs": "hello"}', EndpointName=FAILING_ENDPOINT)


def send_poison(bridge: Bridge) -> str:
    """A request that can never be served."""
    return bridge.send(POISON, ContentEncoding="base64")


def post(bridge: Bridge, payload: bytes) -> str:
    """A signed request over HTTP; an unsigned one must be refused."""
    headers = {"Content-Type": "application/json", "X-Amzn-SageMaker-Inference-Id": HTTP_INFERENCE_ID}
    unsigned = bridge.http("POST", "/invocations", payload, sign=False, headers=headers)
    if unsigned.status != 403:
        raise AssertionError(f"unsigned POST /invocations: {unsigned.status}, not 403")
    answer = bridge.http("POST", "/invocations", payload, headers=headers)
    if answer.status != 202 or json.loads(answer.body)["InferenceId"] != HTTP_INFERENCE_ID:
        raise AssertionError(f"POST /invocations: {answer.status} {answer.body.decode(errors='replace')}")
    return HTTP_INFERENCE_ID


def post_and_wait(bridge: Bridge, payload: bytes) -> str:
    """A request over HTTP whose caller gets the output in the same call."""
    headers = {"Content-Type": "application/json", "Prefer": "wait=20"}
    answer = bridge.http("POST", "/invocations", payload, headers=headers)
    if (answer.status, answer.body) != (200, payload):
        raise AssertionError(f"POST /invocations, Prefer: wait: {answer.status} {answer.body.decode(errors='replace')}")
    return answer.headers["x-amzn-sagemaker-inference-id"]


# ---- judging ----


def judge(bridge: Bridge, case: Case, result: Mapping[str, Any]) -> Outcome:
    """Reads a result (its JSON body) and finds everything in it that is not as the case expects."""
    status = result["invocationStatus"]
    way = input_way(bridge, case, result)
    output, output_at, problems = judge_output(bridge, case, result)
    for name, found, expected in (("status", status, case.status), ("input", way, case.way)):
        if found != expected:
            problems.append(f"{name} is {found}, not {expected}")
    if status != "Completed" and not result.get("failureReason"):
        problems.append("no failureReason")
    return Outcome(status, way, output, output_at, problems, result["requestParameters"].get("inputLocation"))


def input_way(bridge: Bridge, case: Case, result: Mapping[str, Any]) -> str:
    """How the input went: S3 when the endpoint was given a location and the payload lies there, byte for byte."""
    if result["invocationStatus"] == "Rejected":
        return NOT_SENT
    location = result["requestParameters"].get("inputLocation")
    if location is None:
        return INLINE
    return BY_S3 if read_location(bridge, location) == case.payload else f"{location} holds something else"


def judge_output(bridge: Bridge, case: Case, result: Mapping[str, Any]) -> tuple[str, str, list[str]]:
    """How the output came, where it lies, and what is wrong with it; an echo must equal what was sent."""
    if result["invocationStatus"] != "Completed":
        return NO_OUTPUT, failure_at(bridge, result), []
    location = result["responseParameters"]["outputLocation"]
    inside = result.get("responseBody")
    output = BY_LOCATION if inside is None else IN_MESSAGE
    problems = []
    if output != case.output:
        problems.append(f"output came {output}, not {case.output}")
    if inside is not None and decoded(inside) != case.payload:
        problems.append("the output in the result is not what was sent")
    if read_location(bridge, location) != case.payload:
        problems.append("the output in S3 is not what was sent")
    return output, location.removeprefix(f"s3://{bridge.bucket}/"), problems


def failure_at(bridge: Bridge, result: Mapping[str, Any]) -> str:
    """Key of a failure object, if there is one, and the beginning of the reason."""
    location = result.get("responseParameters", {}).get("failureLocation", "")
    reason = textwrap.shorten(result.get("failureReason", ""), REASON_WIDTH, placeholder=" ...")
    return f"{location.removeprefix(f's3://{bridge.bucket}/')} ({reason})".lstrip()


def stored_inputs(bridge: Bridge) -> set[str]:
    """Locations of everything under the bucket's input/ prefix."""
    listed = bridge.s3.list_objects_v2(Bucket=bridge.bucket, Prefix="input/").get("Contents", [])
    return {f"s3://{bridge.bucket}/{entry['Key']}" for entry in listed}


def decoded(response_body: Mapping[str, str]) -> bytes:
    """The bytes of a result's `responseBody`."""
    content = response_body["content"]
    return base64.b64decode(content, validate=True) if response_body["encoding"] == "BASE64" else content.encode()


def read_location(bridge: Bridge, location: str) -> bytes:
    """The object at an `s3://bucket/key` location."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bridge.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
