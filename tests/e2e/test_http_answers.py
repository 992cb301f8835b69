"""Clients that know only HTTP: outputs by `Location`, waiting, large payloads and outputs, tokens of any kind."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.bridge import PATIENCE_SECONDS
from local.gateway import REQUEST_TIMEOUT_SECONDS, HttpAnswer
from local.stack import LocalStack
from tests.gate import Gate

LARGE_BYTES = 10_000_000


def request(method: str, url: str, body: bytes | None = None, **headers: str) -> HttpAnswer:
    """As any HTTP client would, redirects left alone. Underscores in header names stand for hyphens."""

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    names = {name.replace("_", "-"): value for name, value in headers.items()}
    call = urllib.request.Request(url, data=body, method=method, headers=names)
    try:
        answer = urllib.request.build_opener(NoRedirect).open(call, timeout=REQUEST_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        answer = error
    return HttpAnswer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())


def follow(answer: HttpAnswer) -> HttpAnswer:
    """What becomes of a 202."""
    assert answer.status == 202
    url, deadline = answer.headers["location"], time.monotonic() + PATIENCE_SECONDS
    while answer.status == 202 and time.monotonic() < deadline:
        assert int(answer.headers["retry-after"]) > 0
        time.sleep(0.1)
        answer = request("GET", url)
    return answer


@pytest.mark.parametrize("body", ['{"n": "käse"}'.encode(), bytes(range(256)) * 100], ids=["text", "bytes"])
def test_post_follow_location_get_the_output(queued: LocalStack, body: bytes) -> None:
    content_type = "application/json" if body[:1] == b"{" else "image/png"
    accepted = request("POST", f"{queued.http_url}/invocations", body, content_type=content_type)
    output = follow(accepted)
    assert (output.status, output.body, output.headers["content-type"]) == (200, body, content_type)
    head = request("HEAD", accepted.headers["location"])
    assert (head.status, head.body, head.headers["content-type"]) == (200, b"", content_type)


def test_a_fast_model_answers_in_the_same_call(queued: LocalStack) -> None:
    url = f"{queued.http_url}/invocations"
    output = request("POST", url, b'{"n": 1}', content_type="application/json", prefer="wait=20")
    assert (output.status, output.body) == (200, b'{"n": 1}')
    assert output.headers["preference-applied"] == "wait=20"


def test_a_slow_model_is_waited_for_as_long_as_the_caller_likes(queued: LocalStack, gate: Gate) -> None:
    url = f"{queued.http_url}/endpoints/gated/async-invocations"
    with ThreadPoolExecutor() as callers, gate.closed():
        impatient = request("POST", url, b"x", content_type="text/plain", prefer="wait=1")
        assert (impatient.status, impatient.headers["preference-applied"]) == (202, "wait=1")
        assert json.loads(impatient.body)["Status"] == "InProgress"
        patient = callers.submit(request, "POST", url, b"y", content_type="text/plain", prefer="wait=20")
        gate.wait_for(b"y")
    assert (patient.result().status, patient.result().body) == (200, b"y")
    assert follow(impatient).body == b"x"


@pytest.mark.parametrize("prefer", ["", "wait=20"])
def test_a_failed_inference_is_a_model_error(queued: LocalStack, prefer: str) -> None:
    url = f"{queued.http_url}/endpoints/failing/async-invocations"
    answer = request("POST", url, b"{}", content_type="application/json", prefer=prefer)
    failed = answer if prefer else follow(answer)
    assert (failed.status, failed.headers["x-amzn-errortype"]) == (424, "ModelError")
    assert "always fails" in json.loads(failed.body)["Message"]


def prepared(stack: LocalStack, length: int | None = None, content_type: str | None = None) -> dict:
    """An upload of what is announced. urllib adds a Content-Type of its own to the empty body, as an HTTP API does."""
    announced = {
        "x_amzn_sagemaker_content_type": content_type,
        "x_upload_content_length": length and str(length),
    }
    headers = {name: value for name, value in announced.items() if value}
    answer = request("POST", f"{stack.http_url}/uploads", b"", **headers)
    assert answer.status == 201
    upload = json.loads(answer.body)
    assert upload["ExpiresIn"] == 900
    return upload


def put(upload: dict, payload: bytes, **changed: str) -> int:
    """The status of a PUT with the headers that the bridge told, some of them changed."""
    headers = {name.replace("-", "_"): value for name, value in upload["UploadHeaders"].items()} | changed
    return request("PUT", upload["UploadUrl"], payload, **headers).status


def test_an_upload_takes_the_headers_that_the_bridge_tells_and_no_others(queued: LocalStack) -> None:
    upload = prepared(queued, 5, "text/plain")
    assert upload["UploadHeaders"] == {"content-type": "text/plain", "content-length": "5"}
    assert put(upload, b"hello", content_type="text/html") == 403
    assert put(upload, b"h", content_length="1") == 403
    assert put(upload, b"hello") == 200


@pytest.mark.parametrize("length", [None, 5])
def test_an_upload_whose_type_was_not_announced_may_have_any(queued: LocalStack, length: int | None) -> None:
    upload = prepared(queued, length)
    assert upload["UploadHeaders"] == ({"content-length": "5"} if length else {})
    assert put(upload, b"hello", content_type="text/html") == 200


def uploaded(stack: LocalStack, payload: bytes) -> str:
    """Puts a payload into S3 as the bridge says. Returns its location."""
    upload = prepared(stack, len(payload), "text/plain")
    assert put(upload, payload) == 200
    return upload["InputLocation"]


def test_a_large_payload_and_its_large_output_go_past_the_gateway(queued: LocalStack) -> None:
    payload = os.urandom(LARGE_BYTES // 2).hex().encode()
    location = uploaded(queued, payload)
    headers = {"x_amzn_sagemaker_inputlocation": location, "x_amzn_sagemaker_content_type": "text/plain"}
    redirect = request("POST", f"{queued.http_url}/invocations", b"", **headers, prefer="wait=20")
    assert (redirect.status, redirect.body) == (303, b"")
    output = request("GET", redirect.headers["location"])
    assert (output.status, output.body == payload) == (200, True)


def forged(output: str, failure: str | None = None) -> str:
    """A token that says this, with the right checksum."""
    text = json.dumps([output, failure, None, 0], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()[:6] + text).decode().rstrip("=")


def test_no_token_opens_anything_but_the_output_locations(queued: LocalStack) -> None:
    accepted = request("POST", f"{queued.http_url}/invocations", b"{}", content_type="application/json")
    assert follow(accepted).status == 200
    url, token = accepted.headers["location"].rsplit("/", 1)
    bucket = queued.bucket
    queued.s3.put_object(Bucket=bucket, Key="input/secret", Body=b"secret")
    queued.s3.put_object(Bucket=bucket, Key="output/open", Body=b"open")
    opening = forged(f"s3://{bucket}/output/open")
    assert request("GET", f"{url}/{opening}").body == b"open", "the forgery is well made"
    for bad in (
        f"A{token}",
        token[:-1],
        token[:10],
        token.swapcase(),
        forged(f"s3://{bucket}/input/secret"),
        forged(f"s3://{bucket}/output/../input/secret"),
        forged("s3://deployment-artifacts/submit.zip"),
        forged(f"s3://{bucket}/output/none", f"s3://{bucket}/input/secret"),
        "..",
        "%2e%2e%2finput%2fsecret",
    ):
        answer = request("GET", f"{url}/{bad}")
        assert answer.status == 404, bad
        assert b"secret" not in answer.body
