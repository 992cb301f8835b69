"""Requests by HTTP through the deployed bridge, AWS's own SDK among the callers."""

from __future__ import annotations

import json

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from local.bridge import aws_client, body_json
from local.processes import ReservedPort
from local.stack import LocalStack

LARGE = b"x" * 200_000


def sagemaker_runtime(stack: LocalStack, **config) -> object:
    """boto3's own client, pointed at the bridge."""
    return aws_client("sagemaker-runtime", stack.http_url, config=Config(retries={"max_attempts": 1}, **config))


def test_boto3_s_own_client_calls_the_bridge_as_if_it_were_sagemaker(queued: LocalStack) -> None:
    client = sagemaker_runtime(queued, signature_version=UNSIGNED)
    answer = client.invoke_endpoint_async(
        EndpointName="echo", Body=LARGE, InferenceId="boto3", ContentType="text/plain"
    )
    assert answer["InferenceId"] == "boto3"
    assert answer["OutputLocation"].startswith(f"s3://{queued.bucket}/output/")
    assert answer["FailureLocation"].startswith(f"s3://{queued.bucket}/failure/")
    assert queued.wait_for_result("boto3")["Body"] == LARGE.decode()


def test_boto3_s_own_client_can_sign_for_an_api_with_iam(direct: LocalStack) -> None:
    client = sagemaker_runtime(direct)

    def sign_for_the_gateway(request, **_) -> None:
        request.context.setdefault("signing", {})["signing_name"] = "execute-api"

    sent = []
    client.meta.events.register("before-sign.sagemaker-runtime", sign_for_the_gateway)
    client.meta.events.register("before-send.sagemaker-runtime", lambda request, **_: sent.append(request.headers))
    answer = client.invoke_endpoint_async(EndpointName="echo", Body=LARGE, InferenceId="boto3-iam")
    assert answer["OutputLocation"].startswith("s3://")
    assert b"/execute-api/aws4_request" in sent[0]["Authorization"]
    assert body_json(direct.wait_for_result("boto3-iam"))["responseParameters"]["contentLength"] == len(LARGE)


def test_boto3_raises_its_modelled_exceptions(queued: LocalStack) -> None:
    client = sagemaker_runtime(queued, signature_version=UNSIGNED)
    with pytest.raises(client.exceptions.ValidationError, match="neither a body nor an InputLocation"):
        client.invoke_endpoint_async(EndpointName="echo")
    with pytest.raises(client.exceptions.ClientError, match="AccessDeniedException"):
        client.invoke_endpoint_async(EndpointName="other", Body=b"{}")


def test_an_unsigned_request_is_refused_where_iam_is_asked_for(direct: LocalStack) -> None:
    assert direct.http("POST", "/invocations", b"{}", sign=False).status == 403
    assert direct.http("POST", "/invocations", b"{}").status == 202


@pytest.mark.parametrize("path", ["/invocations", "/endpoints/echo/async-invocations"])
@pytest.mark.parametrize("body", [b'{"n": 1}', bytes(range(256)) * 1000], ids=["text", "256 KB of bytes"])
def test_both_routes_take_text_and_bytes(direct: LocalStack, path: str, body: bytes) -> None:
    content_type = "application/json" if body[0] == ord("{") else "application/octet-stream"
    answer = direct.http("POST", path, body, headers={"Content-Type": content_type})
    assert answer.status == 202
    accepted = json.loads(answer.body)
    assert answer.headers["x-amzn-sagemaker-outputlocation"] == accepted["OutputLocation"]
    assert answer.headers["x-amzn-sagemaker-inference-id"] == accepted["InferenceId"]
    result = body_json(direct.wait_for_result(accepted["InferenceId"]))
    bucket, key = result["responseParameters"]["outputLocation"].removeprefix("s3://").split("/", 1)
    assert direct.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
    assert result["responseParameters"]["outputLocation"] == accepted["OutputLocation"]
    assert result["responseParameters"]["contentType"] == content_type


@pytest.mark.parametrize(
    ("method", "path", "status", "error_type"),
    [
        ("POST", "/invocations", 400, "ValidationError"),
        ("POST", "/endpoints/other/async-invocations", 403, "AccessDeniedException"),
        ("GET", "/invocations", 405, "MethodNotAllowedException"),
        ("GET", "/invocations/x", 404, "ResourceNotFound"),
        ("DELETE", "/invocations/x", 405, "MethodNotAllowedException"),
        ("PUT", "/uploads", 405, "MethodNotAllowedException"),
        ("DELETE", "/endpoints/echo/async-invocations", 405, "MethodNotAllowedException"),
    ],
)
def test_an_error_is_sagemaker_s(direct: LocalStack, method: str, path: str, status: int, error_type: str) -> None:
    answer = direct.http(method, path, b"" if path == "/invocations" else b"{}")
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (status, error_type)
    assert json.loads(answer.body)["Message"]


def test_an_endpoint_that_is_down_is_unavailable_and_the_caller_told_to_come_back() -> None:
    port = ReservedPort()
    nobody = {"SageMakerRuntimeEndpointUrl": f"http://127.0.0.1:{port.release()}"}
    with LocalStack({"echo": "echo"}, parameters=nobody, name="down") as stack:
        answer = stack.http("POST", "/invocations", b"{}")
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (503, "ServiceUnavailable")
    assert int(answer.headers["retry-after"]) > 0
