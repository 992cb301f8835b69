"""Hostile requests and notifications against the deployed bridge: docs/hostile-input.md says what each gets."""

from __future__ import annotations

import base64
import json
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.bridge import body_json
from local.cases import POINTER_CLASS, decoded
from local.gateway import REQUEST_TIMEOUT_SECONDS
from local.stack import LocalStack
from tests.e2e.test_requests import attribute

BOMB = "[" * 100_000
HUGE_NUMBER = '{"n": 1e999999999, "m": ' + "9" * 50_000 + "}"
NO_UTF8 = b'{"text": "\xff\xfe\xc0\xaf"}'
MEBIBYTE_ATTRIBUTE = "x" * 1_000_000


@dataclass(frozen=True)
class Hostile:
    """A message that must be refused: `reason` is how the sender's `Rejected` result begins."""

    reason: str
    attributes: dict[str, str | int] = field(default_factory=dict)
    body: str = "{}"


def refused(bucket: str) -> dict[str, Hostile]:
    def pointer(bucket: str, key: str) -> str:
        return json.dumps([POINTER_CLASS, {"s3BucketName": bucket, "s3Key": key}])

    def located(location: str) -> dict[str, str | int]:
        return {"InputLocation": location}

    size: dict[str, str | int] = {"ExtendedPayloadSize": 9}
    return {
        "header injection": Hostile("ValidationError: CustomAttributes", {"CustomAttributes": "a\r\nX-Evil: 1"}),
        "header injection, type": Hostile("ValidationError: ContentType", {"ContentType": "text/csv\r\nX-Evil: 1"}),
        "traversal in endpoint": Hostile("ValidationError: EndpointName", {"EndpointName": "../other"}),
        "foreign endpoint": Hostile("AccessDeniedException: EndpointName", {"EndpointName": "someone-elses"}),
        "foreign bucket": Hostile("AccessDeniedException: InputLocation", located("s3://foreign/input/x")),
        "traversal in location": Hostile(
            "AccessDeniedException: InputLocation", located(f"s3://{bucket}/input/../private/x")
        ),
        "beside the prefix": Hostile("AccessDeniedException: InputLocation", located(f"s3://{bucket}/input2/x")),
        "no S3": Hostile("ValidationError: InputLocation", located("http://169.254.169.254/latest/meta-data/")),
        "traversal in filename": Hostile("ValidationError: Filename", {"Filename": "../x"}),
        "foreign pointer": Hostile("AccessDeniedException: InputLocation", size, pointer("foreign", "input/x")),
        "traversal in pointer": Hostile("AccessDeniedException", size, pointer(bucket, "input/../private/x")),
        "JSON bomb as pointer": Hostile("ValidationError", size, BOMB),
        "huge number": Hostile("ValidationError: RequestTTLSeconds", {"RequestTTLSeconds": "9" * 400}),
        "own return address": Hostile(
            "ValidationError: CustomAttributes must not have a pair `bridge=`",
            {"CustomAttributes": "a=b,bridge=to:team-a"},
        ),
        "foreign queue": Hostile(
            "ValidationError: ReplyTo must be `none`", {"ReplyTo": "arn:aws:sqs:us-east-1:666666666666:loot"}
        ),
        "token too long": Hostile(
            "ValidationError: CustomAttributes and the return address have 1512 characters", {"TaskToken": "t" * 1500}
        ),
        "two return addresses": Hostile(
            "ValidationError: the request has more than one of", {"ReplyTo": "none", "CallbackId": "AAAA"}
        ),
        "1 MiB attribute": Hostile("ValidationError: CustomAttributes", {"CustomAttributes": MEBIBYTE_ATTRIBUTE}),
    }


@pytest.fixture(scope="module")
def fates(direct: LocalStack) -> dict[str, tuple[Hostile, str, dict]]:
    """All of them at once: by name, the message, its id, and its dead letter, known by what was sent."""
    sent = {name: (h, direct.send(h.body, **h.attributes)) for name, h in refused(direct.bucket).items()}
    letters = direct.receive_all("RequestDeadLetterQueueUrl", len(sent))
    return {name: (h, message_id, letter_of(h, letters)) for name, (h, message_id) in sent.items()}


def letter_of(hostile: Hostile, letters: list[dict]) -> dict:
    """The dead letter that is exactly what was sent, and a reason."""
    for letter in letters:
        attributes = {name: value["StringValue"] for name, value in letter.get("MessageAttributes", {}).items()}
        attributes.pop("FailureReason", None)
        sent = {name: str(value) for name, value in hostile.attributes.items()}
        if (letter["Body"], attributes) == (hostile.body, sent):
            return letter
    return {}


@pytest.mark.parametrize("name", refused("bucket"))
def test_a_hostile_message_is_rejected_and_kept_whole_and_nothing_is_invoked(
    direct: LocalStack, fates: dict[str, tuple[Hostile, str, dict]], name: str
) -> None:
    hostile, message_id, letter = fates[name]
    assert letter, "it lies nowhere as it was sent"
    assert attribute(letter, "FailureReason").startswith(hostile.reason)
    result = body_json(direct.wait_for_result(message_id))
    assert result["invocationStatus"] == "Rejected"
    assert result["failureReason"].startswith(hostile.reason), result["failureReason"]
    assert message_id not in direct.emulator_log.read_text(encoding="utf-8")


@pytest.mark.parametrize("body", [BOMB, HUGE_NUMBER], ids=["nested", "numbers"])
def test_a_json_bomb_is_a_payload_like_any_other(direct: LocalStack, body: str) -> None:
    result = body_json(direct.wait_for_result(direct.send(body)))
    assert decoded(result["responseBody"]) == body.encode()
    answer = direct.http("POST", "/invocations", body.encode(), headers={"Prefer": "wait=20"})
    assert (answer.status, answer.body) == (200, body.encode())


def test_what_is_no_utf_8_comes_back_byte_for_byte(direct: LocalStack) -> None:
    body = base64.b64encode(NO_UTF8).decode()
    result = body_json(direct.wait_for_result(direct.send(body, ContentEncoding="base64")))
    assert decoded(result["responseBody"]) == NO_UTF8
    headers = {"Content-Type": "application/octet-stream", "Prefer": "wait=20"}
    answer = direct.http("POST", "/invocations", NO_UTF8, headers=headers)
    assert (answer.status, answer.body) == (200, NO_UTF8)


def test_an_attribute_of_a_mebibyte_that_means_nothing_is_not_looked_at(direct: LocalStack) -> None:
    result = body_json(direct.wait_for_result(direct.send("{}", Unknown=MEBIBYTE_ATTRIBUTE)))
    assert result["invocationStatus"] == "Completed"


def test_a_traversal_that_is_percent_encoded_is_a_key_as_it_is_written(direct: LocalStack) -> None:
    direct.s3.put_object(Bucket=direct.bucket, Key="private/z", Body=b"hidden")
    location = f"https://{direct.bucket}.s3.amazonaws.com/input/%2e%2e/%2e%2e/private/z"
    result = body_json(direct.wait_for_result(direct.send("{}", InputLocation=location)))
    assert result["requestParameters"]["inputLocation"] == f"s3://{direct.bucket}/input/%2e%2e/%2e%2e/private/z"
    assert result["invocationStatus"] == "Failed"
    assert "hidden" not in json.dumps(result["responseBody"])


PREFIX = "X-Amzn-SageMaker-"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/endpoints/someone-elses/async-invocations", {}, 403),
        ("/endpoints/%2e%2e/async-invocations", {}, 400),
        ("/endpoints/echo%0d%0aX-Evil:1/async-invocations", {}, 400),
        ("/invocations", {f"{PREFIX}Custom-Attributes": "x" * 8_000}, 400),
        ("/invocations", {f"{PREFIX}Custom-Attributes": "caf\u00e9"}, 400),
        ("/invocations", {f"{PREFIX}Filename": "../x"}, 400),
        ("/invocations", {f"{PREFIX}RequestTTLSeconds": "1e400"}, 400),
        ("/invocations", {"Idempotency-Key": "k" * 10_000}, 400),
    ],
)
def test_a_hostile_request_is_refused_and_nothing_is_invoked(
    queued: LocalStack, path: str, headers: dict[str, str], status: int
) -> None:
    inference_id = f"hostile-{status}-{abs(hash((path, *headers.items())))}"
    headers = {"Content-Type": "application/json", f"{PREFIX}Inference-Id": inference_id, **headers}
    answer = queued.http("POST", path, b"{}", sign=False, headers=headers)
    assert answer.status == status, answer.body
    assert json.loads(answer.body)["Message"]
    assert "x-evil" not in answer.headers
    assert inference_id not in queued.emulator_log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "location",
    ["s3://foreign/input/x", "s3://{bucket}/input/../private/x", "https://{bucket}.s3.amazonaws.com/private/x"],
)
def test_a_location_that_is_not_allowed_is_refused_by_http(queued: LocalStack, location: str) -> None:
    headers = {f"{PREFIX}InputLocation": location.format(bucket=queued.bucket)}
    assert queued.http("POST", "/invocations", sign=False, headers=headers).status == 403


@pytest.mark.parametrize("token", ["..%2f..%2fprivate%2fx", "%2e%2e", "s3%3A%2F%2Fforeign%2Fx", "A" * 7_000])
def test_a_token_that_tries_a_way_out_is_not_found(queued: LocalStack, token: str) -> None:
    assert queued.http("GET", f"/invocations/{token}", sign=False).status == 404


def test_slashes_that_are_encoded_lead_to_no_route(queued: LocalStack) -> None:
    # The gateway's own answer, or the bridge's, as the gateway decodes paths or does not.
    answer = queued.http("POST", "/endpoints/..%2f..%2fother/async-invocations", b"{}", sign=False)
    assert answer.status in (400, 404)


def test_no_caller_chooses_a_key_of_the_bucket(queued: LocalStack) -> None:
    way_out = "../../private/x"
    headers = {"Idempotency-Key": way_out, f"{PREFIX}Inference-Id": way_out, "Content-Type": "text/plain"}
    answer = queued.http("POST", "/invocations", b"x" * 130_000, sign=False, headers=headers)
    assert answer.status == 202, answer.body
    listed = queued.s3.list_objects_v2(Bucket=queued.bucket)["Contents"]
    keys = [entry["Key"] for entry in listed]
    assert not [key for key in keys if ".." in key or (key.startswith("private/") and key != "private/x")]
    assert any(re.fullmatch(r"idempotency/[\w/-]*[0-9a-f]{64}[\w.]*", key) for key in keys), keys


def test_a_header_with_a_line_break_is_two_headers_and_no_more(queued: LocalStack) -> None:
    evil = f"{PREFIX}Custom-Attributes: a\r\nX-Amzn-SageMaker-Inference-Id: second"
    path = queued.http_url.split("/", 3)[3]
    request = (
        f"POST /{path}/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n{evil}\r\nConnection: close\r\n\r\n{{}}"
    )
    with socket.create_connection(("127.0.0.1", queued.port), timeout=REQUEST_TIMEOUT_SECONDS) as connection:
        connection.sendall(request.encode())
        answer = b""
        while more := connection.recv(65_536):
            answer += more
    assert b" 202 " in answer.split(b"\r\n")[0]
    assert answer.lower().count(b"x-amzn-sagemaker-inference-id: second\r\n") == 1


def test_a_forged_notification_opens_nothing_and_is_kept(queued: LocalStack) -> None:
    locations = [
        "s3://foreign/output/x",
        f"s3://{queued.bucket}/private/y",
        f"s3://{queued.bucket}/output/../private/y",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
    ]
    queued.s3.put_object(Bucket=queued.bucket, Key="private/y", Body=b"private")
    forged = [
        {
            "invocationStatus": "Completed",
            "inferenceId": f"forged-{number}",
            "responseParameters": {"outputLocation": location},
        }
        for number, location in enumerate(locations)
    ]
    for notification in [*map(json.dumps, forged), BOMB]:
        queued.sns.publish(TopicArn=queued.outputs["SuccessTopicArn"], Message=notification)
    letters = queued.receive_all("NotificationDeadLetterQueueUrl", len(forged) + 1)
    assert sorted(letter["Body"] for letter in letters) == sorted([*map(json.dumps, forged), BOMB])
    assert not [inference_id for inference_id in queued.results if inference_id.startswith("forged")]


def test_every_test_that_the_page_names_is_there() -> None:
    root = Path(__file__).resolve().parents[2]
    page = (root / "docs" / "hostile-input.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:[\w/.]+::)?((?:test_)?[a-z0-9]+(?:_[a-z0-9]+){3,})`", page))
    sources = [
        path.read_text(encoding="utf-8")
        for where in ("src", "tests")
        for path in (root / where).rglob("*.*")
        if path.suffix in (".rs", ".py")
    ]
    defined = set(re.findall(r"(?:fn|def) (\w+)\(", "\n".join(sources)))
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| what")]
    assert len(rows) > 15
    assert [row for row in rows if not re.search(r"`(test_)?[a-z0-9]+(_[a-z0-9]+){3,}`", row)] == []
    assert named - defined == set()
