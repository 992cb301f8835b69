"""What a call through the proxy was about: whose request, which invocation. The checker explains duplicates by it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

from chaos.ledger import named, whole

# What the SDKs send with each try of one call: equal among its tries.
SDK_CALL_HEADER = "amz-sdk-invocation-id"
INFERENCE_ID_HEADER = "x-amzn-sagemaker-inference-id"
INPUT_LOCATION_HEADER = "x-amzn-sagemaker-inputlocation"
# Of an answer: where the output will be, or else what tells of the failure. Their names need have nothing in common.
LOCATION_HEADERS = ("x-amzn-sagemaker-outputlocation", "x-amzn-sagemaker-failurelocation")

INVOKE, PUBLISH, SEND, KEEP = "InvokeEndpointAsync", "Publish", "SendMessageBatch", "SendMessage"
PUBLISH_RESULTS, PUT, END_TASK, END_CALLBACK = "PublishBatch", "PutEvents", "SendTask", "SendCallback"
ENDINGS = (END_TASK, END_CALLBACK)
# By which results are sent.
SENDS = (SEND, PUBLISH_RESULTS, PUT, *ENDINGS)
# Of the record of a request that waits for its answer.
REMEMBER, LOOK, FORGET = "remember", "look", "forget"
RECORDED = {("PUT", "s3"): REMEMBER, ("GET", "s3"): LOOK, ("DELETE", "s3"): FORGET}
RECORD_PATH = re.compile(r"/pending/(\d{8}T\d{4}Z-[0-9a-f]{32})(?:\?|$)")
# `eventName` of results that no notification brought.
SWEPT_EVENTS = ("InferenceRecovered", "InferenceUnanswered")


def subjects(
    service: str, method: str, headers: Mapping[str, str], body: bytes, path: str = ""
) -> tuple[str, list[tuple[str, str | None]]]:
    """A call's operation, and the requests in it: inference id, and the location that tells invocations apart; for a
    dead letter the digest by which a request is recognised; for a record its key. Only the call that writes it names
    the request.
    """
    # A call that is none of these is passed on all the same.
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        if service == "sagemaker":
            return INVOKE, [(named(headers.get(INFERENCE_ID_HEADER, ""), headers.get(INPUT_LOCATION_HEADER)), None)]
        if (method, service) in RECORDED and (record := RECORD_PATH.search(path)):
            owner = of_notification(json.loads(body))[0] if method == "PUT" else ""
            return RECORDED[method, service], [(owner, record[1])]
        if service == "sns":
            message = parse_qs(body.decode())["Message"][0]
            return PUBLISH, [of_notification(json.loads(message))]
        if service == "sqs" and "MessageBody" in (call := json.loads(body)):
            return KEEP, [of_dead_letter(call)]
        if service in RESULTS_IN:
            operation, results_in = RESULTS_IN[service]
            return operation, [of_notification(json.loads(result)) for result in results_in(body)]
    return f"{service} {method}", []


def is_swept(body: bytes) -> bool:
    """Whether a call sends results of the sweep, which shares no call with notifications' results."""
    return any(name.encode() in body for name in SWEPT_EVENTS)


def results_of(service: str, operation: str, body: bytes) -> list[tuple[str, str]]:
    """Inference id and status of each result in a call that sends results."""
    # As above.
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        if operation in SENDS:
            results = [json.loads(result) for result in RESULTS_IN[service][1](body)]
            return [(result.get("inferenceId") or "", result["invocationStatus"]) for result in results]
    return []


def sent(body: bytes) -> list[str]:
    """The results in a call of SendMessageBatch."""
    return [entry["MessageBody"] for entry in json.loads(body).get("Entries", [])]


def published(body: bytes) -> list[str]:
    """The results in a call of PublishBatch."""
    fields = parse_qs(body.decode())
    return [values[0] for name, values in fields.items() if name.endswith(".Message")]


def put(body: bytes) -> list[str]:
    """The results in a call of PutEvents."""
    return [entry["Detail"] for entry in json.loads(body)["Entries"]]


def told_task(body: bytes) -> list[str]:
    """The result in a call of SendTaskSuccess or SendTaskFailure."""
    call = json.loads(body)
    return [call["output"] if "output" in call else call["cause"]]


def told_callback(body: bytes) -> list[str]:
    """The result in a call of SendDurableExecutionCallbackSuccess or -Failure."""
    call = json.loads(body)
    return [call["ErrorData"] if "ErrorData" in call else body.decode()]


RESULTS_IN: Mapping[str, tuple[str, Callable[[bytes], list[str]]]] = {
    "sqs": (SEND, sent),
    "topics": (PUBLISH_RESULTS, published),
    "events": (PUT, put),
    "states": (END_TASK, told_task),
    "lambda": (END_CALLBACK, told_callback),
}


def of_dead_letter(message: Mapping[str, Any]) -> tuple[str, str]:
    """Inference id, if it has one, and digest of a request that is put into the dead-letter queue."""
    values = message.get("MessageAttributes") or {}
    attributes = {name: value["StringValue"] for name, value in values.items()}
    inference_id = named(attributes.get("InferenceId", ""), attributes.get("InputLocation"))
    return inference_id, whole(message["MessageBody"], attributes)


def of_notification(notification: Mapping[str, Any]) -> tuple[str, str | None]:
    """The request's id and the location of a notification, or of the result that it became."""
    places = notification.get("responseParameters") or {}
    asked = notification.get("requestParameters") or {}
    owner = named(notification.get("inferenceId", ""), asked.get("inputLocation"))
    return owner, places.get("outputLocation") or places.get("failureLocation")
