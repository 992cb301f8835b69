"""Payloads, messages and HTTP requests of `SEND=1`."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from canned import stack_of

from doctor.commands import log
from doctor.finding import State
from doctor.send.payload import Payload
from doctor.send.requests import BY_HTTP, INLINE, THROUGH_S3, Request, Sender

LIMIT = 128_000


def test_json_grows_beyond_the_limit_and_means_the_same() -> None:
    longer = Payload(b'{"a": [1, 2]}').longer_than(LIMIT)
    assert longer is not None
    assert len(longer.content) == LIMIT + 1
    assert json.loads(longer.content) == {"a": [1, 2]}


def test_what_is_no_json_does_not_grow_and_what_is_long_stays_as_it_is() -> None:
    assert Payload(b"\x89PNG").longer_than(LIMIT) is None
    long = Payload(b"x" * (LIMIT + 1))
    assert long.longer_than(LIMIT) is long


@pytest.mark.parametrize("content", [b"\x00\x01", b"\xff\xfe", "￾".encode(), b"bell\x07"])
def test_what_sqs_takes_no_body_of_travels_as_base64(content: bytes) -> None:
    message = Payload(content, "application/octet-stream").message()
    assert message is not None
    body, attributes = message
    assert base64.b64decode(body) == content
    assert attributes == {"ContentType": "application/octet-stream", "ContentEncoding": "base64"}


def test_text_travels_as_it_is_with_its_parameters() -> None:
    payload = Payload("grün\n".encode(), "text/plain", "text/csv", "trace=1")
    attributes = {"ContentType": "text/plain", "Accept": "text/csv", "CustomAttributes": "trace=1"}
    assert payload.message() == ("grün\n", attributes)
    assert payload.headers() == {
        "Content-Type": "text/plain",
        "X-Amzn-SageMaker-Accept": "text/csv",
        "X-Amzn-SageMaker-Custom-Attributes": "trace=1",
    }


def test_a_payload_that_no_message_holds_is_not_sent() -> None:
    assert Payload(b"x" * 1_048_576).message() is None
    assert Payload(b"\xff" * 800_000).message() is None


def test_a_payload_from_a_file_is_the_user_s(tmp_path: Path) -> None:
    file = tmp_path / "image.png"
    file.write_bytes(b"\x89PNG")
    assert Payload.of(str(file), "image/png", None, None) == Payload(b"\x89PNG", "image/png", is_own=False)
    assert Payload.of(None, None, None, None).is_own


def function(**variables: str) -> tuple[str, str, dict[str, Any]]:
    return ("lambda", "get_function", {"Configuration": {"Environment": {"Variables": variables}}})


def sent(kind: str, payload: Payload, **variables: str) -> Request:
    request = Request(kind, "doctor-0-x", "doctor-0-x.out")
    Sender(stack_of([function(**variables)]), payload, None).send(request)
    return request


def test_a_payload_over_the_inline_limit_is_not_called_inline() -> None:
    finding = sent(INLINE, Payload(b"x" * 11, is_own=False), BRIDGE_INLINE_LIMIT_BYTES="10").finding
    assert finding is not None
    assert (finding.state, finding.words) == (State.CANNOT_TELL, "not sent: PAYLOAD has 11 bytes, and 10 go inline")


def test_a_small_payload_that_cannot_be_padded_is_not_called_through_s3() -> None:
    finding = sent(THROUGH_S3, Payload(b"\x89PNG", "image/png", is_own=False)).finding
    assert finding is not None
    assert "a PAYLOAD of more than 128,000 bytes" in finding.words


# ---- by HTTP ----


@contextmanager
def gateway(status: int, **headers: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """An HTTP API that answers so, and the headers that it got, names in lower case."""
    got: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append({name.lower(): value for name, value in self.headers.items()})
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            for name, value in {**headers, "content-length": "0"}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", got
    finally:
        server.shutdown()
        server.server_close()


def by_http(url: str, auth: str, token: str | None = None) -> Request:
    request = Request(BY_HTTP, "doctor-0-http", "doctor-0-http.out")
    stack = stack_of([function(BRIDGE_API_URL=url)], parameters={"HttpAuth": auth})
    Sender(stack, Payload(), token).send(request)
    return request


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def test_each_http_auth_is_served_in_its_way() -> None:
    with gateway(202, location="http://x/t", x_amzn_sagemaker_outputlocation="s3://b/k") as (url, got):
        assert by_http(url, "AWS_IAM").output == "s3://b/k"
        assert by_http(url, "NONE").url == "http://x/t"
        assert by_http(url, "JWT", "the-token").finding is None
    signed, open_to_all, bearer = got
    assert signed["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-central-1/execute-api/aws4_request" in signed["authorization"]
    assert "authorization" not in open_to_all
    assert bearer["authorization"] == "Bearer the-token"
    for headers in got:
        assert headers["x-amzn-sagemaker-inference-id"] == "doctor-0-http"
        assert headers["x-amzn-sagemaker-filename"] == "doctor-0-http.out"


def test_jwt_without_a_token_cannot_be_told() -> None:
    finding = by_http("http://127.0.0.1:1", "JWT").finding
    assert finding is not None
    assert (finding.state, finding.words) == (
        State.CANNOT_TELL,
        "not sent: HttpAuth is JWT, and no TOKEN is given",
    )


@pytest.mark.parametrize(
    ("status", "auth", "state", "words"),
    [
        (
            403,
            "AWS_IAM",
            State.CANNOT_TELL,
            "POST /invocations answered 403 Forbidden: the credentials lack execute-api",
        ),
        (401, "JWT", State.CANNOT_TELL, "POST /invocations answered 401 Forbidden: TOKEN is not accepted"),
        (413, "NONE", State.CANNOT_TELL, "PAYLOAD is too large for the gateway"),
        (503, "NONE", State.WRONG, "POST /invocations answered 503"),
        (500, "NONE", State.WRONG, "POST /invocations answered 500"),
    ],
)
def test_an_answer_other_than_202_is_told(status: int, auth: str, state: State, words: str) -> None:
    with gateway(status, x_amzn_errortype="Forbidden") as (url, _):
        finding = by_http(url, auth, "the-token").finding
    assert finding is not None
    assert finding.state is state
    assert words in finding.words
    assert "the-token" not in str(finding)


def test_an_api_that_is_not_there_is_wrong() -> None:
    finding = by_http("http://127.0.0.1:1", "NONE").finding
    assert finding is not None
    assert (finding.state, finding.commands) == (State.WRONG, (log("/aws/lambda/bridge-submit"),))
