"""A durable function that asks a model and goes on with its output. It neither runs nor costs while it waits."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from aws_durable_execution_sdk_python import (
    CallbackExternalError,
    CallbackTimeoutError,
    DurableContext,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig

REQUEST_QUEUE_URL, ENDPOINT_NAME = os.environ["REQUEST_QUEUE_URL"], os.environ["ENDPOINT_NAME"]
CALLBACK_TIMEOUT = Duration.from_seconds(int(os.environ["CALLBACK_TIMEOUT_SECONDS"]))
# How long the request may wait, and how long the model may take: together less than the callback's timeout.
REQUEST_TTL_SECONDS, INVOCATION_TIMEOUT_SECONDS = 3_600, 900

sqs = boto3.client("sqs")


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Asks for an inference of `event["request"]`."""

    def ask(callback_id: str, _context: Any) -> None:
        sqs.send_message(
            QueueUrl=REQUEST_QUEUE_URL,
            MessageBody=json.dumps(event["request"]),
            MessageAttributes={
                "CallbackId": text(callback_id),
                "EndpointName": text(ENDPOINT_NAME),
                "RequestTTLSeconds": number(REQUEST_TTL_SECONDS),
                "InvocationTimeoutSeconds": number(INVOCATION_TIMEOUT_SECONDS),
            },
        )

    try:
        answer = context.wait_for_callback(ask, name="ask", config=WaitForCallbackConfig(timeout=CALLBACK_TIMEOUT))
    except CallbackExternalError as error:
        # The whole result: the model failed, the bridge rejected the request, or nobody ever answered it.
        result = json.loads(error.data or "{}")
        return {"status": result.get("invocationStatus"), "failureReason": result.get("failureReason")}
    except CallbackTimeoutError:
        return {"status": "TimedOut"}
    return {"status": "Completed", **output_of(json.loads(answer))}


def output_of(result: dict[str, Any]) -> dict[str, Any]:
    """The output, or where it is if it is too large for a callback (256 KB)."""
    if "responseBody" in result:
        return {"output": result["responseBody"]["content"]}
    return {"outputLocation": result["responseParameters"]["outputLocation"]}


def text(value: str) -> dict[str, str]:
    """A message attribute."""
    return {"DataType": "String", "StringValue": value}


def number(value: int) -> dict[str, str]:
    """A message attribute that is a number."""
    return {"DataType": "Number", "StringValue": str(value)}
