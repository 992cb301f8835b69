"""What a call through the proxy was about: whose request, which invocation. The checker explains duplicates by it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from chaos.ledger import whole

# What the SDKs send with each try of one call: equal among its tries.
SDK_CALL_HEADER = "amz-sdk-invocation-id"
INFERENCE_ID_HEADER = "x-amzn-sagemaker-inference-id"
# Of an answer: where the output will be, or else what tells of the failure. Their names need have nothing in common.
LOCATION_HEADERS = ("x-amzn-sagemaker-outputlocation", "x-amzn-sagemaker-failurelocation")

INVOKE, PUBLISH, SEND, KEEP = "InvokeEndpointAsync", "Publish", "SendMessageBatch", "SendMessage"


def subjects(
    service: str, method: str, headers: Mapping[str, str], body: bytes
) -> tuple[str, list[tuple[str, str | None]]]:
    """A call's operation, and the requests in it: inference id, and the location that tells invocations apart; for a
    dead letter the digest by which a request is recognised.
    """
    try:
        if service == "sagemaker":
            return INVOKE, [(headers.get(INFERENCE_ID_HEADER, ""), None)]
        if service == "sns":
            message = parse_qs(body.decode())["Message"][0]
            return PUBLISH, [of_notification(json.loads(message))]
        if service == "sqs":
            call = json.loads(body)
            if "MessageBody" in call:
                return KEEP, [of_dead_letter(call)]
            entries = call.get("Entries", [])
            return SEND, [of_notification(json.loads(entry["MessageBody"])) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError):
        # A call that is none of these is passed on all the same.
        return f"{service} {method}", []
    return f"{service} {method}", []


def of_dead_letter(message: Mapping[str, Any]) -> tuple[str, str]:
    """Inference id, if it has one, and digest of a request that is put into the dead-letter queue."""
    values = message.get("MessageAttributes") or {}
    attributes = {name: value["StringValue"] for name, value in values.items()}
    return attributes.get("InferenceId", ""), whole(message["MessageBody"], attributes)


def of_notification(notification: Mapping[str, Any]) -> tuple[str, str | None]:
    """Inference id and location of a notification, or of the result that it became."""
    places = notification.get("responseParameters") or {}
    return notification.get("inferenceId", ""), places.get("outputLocation") or places.get("failureLocation")
