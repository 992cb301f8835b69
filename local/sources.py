"""A request by each way in: the same payload, the same parameters under the API's names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from local.bridge import Bridge

SQS, HTTP, DIRECT = "SQS", "HTTP", "direct invocation"

HEADERS = {
    "ContentType": "X-Amzn-SageMaker-Content-Type",
    "CustomAttributes": "X-Amzn-SageMaker-Custom-Attributes",
    "InferenceId": "X-Amzn-SageMaker-Inference-Id",
    "Filename": "X-Amzn-SageMaker-Filename",
    "RequestTTLSeconds": "X-Amzn-SageMaker-RequestTTLSeconds",
    "InvocationTimeoutSeconds": "X-Amzn-SageMaker-InvocationTimeoutSeconds",
    "ReplyTo": "X-Bridge-Reply-To",
}


class NotAcceptedError(Exception):
    """The bridge said no: the fault's name, and its words."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


def by_sqs(bridge: Bridge, payload: str, parameters: Mapping[str, str]) -> None:
    """A message with attributes."""
    bridge.send(payload, **parameters)


def by_http(bridge: Bridge, payload: str, parameters: Mapping[str, str]) -> None:
    """A signed POST with headers."""
    answer = bridge.http("POST", "/invocations", payload.encode(), headers=headers_of(parameters))
    if answer.status != 202:
        raise NotAcceptedError(answer.headers.get("x-amzn-errortype", str(answer.status)), answer.body.decode())


def headers_of(parameters: Mapping[str, str]) -> dict[str, str]:
    """Parameters as headers; what is no text is no payload's content type."""
    return {"Content-Type": "application/json"} | {HEADERS[name]: value for name, value in parameters.items()}


def by_direct_invocation(bridge: Bridge, payload: str, parameters: Mapping[str, str]) -> None:
    """Lambda's `Invoke` with an object."""
    event = json.dumps({"Body": payload, **parameters}).encode()
    answer = bridge.client("lambda").invoke(FunctionName=bridge.outputs["SubmitFunctionArn"], Payload=event)
    told = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise NotAcceptedError(told["errorType"], told["errorMessage"])


SENDERS: Mapping[str, Callable[[Bridge, str, Mapping[str, str]], None]] = {
    SQS: by_sqs,
    HTTP: by_http,
    DIRECT: by_direct_invocation,
}
