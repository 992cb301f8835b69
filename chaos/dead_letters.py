"""What lies in the dead-letter queues, read: whose request it is, and whether it is whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from chaos.evidence import of_notification
from chaos.ledger import REASON, DeadLetter, named, whole

Read = TypeVar("Read")


def dead_request(message: Mapping[str, Any]) -> DeadLetter:
    """A request."""
    attributes = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
    inference_id = named(attributes.get("InferenceId", message["MessageId"]), attributes.get("InputLocation"))
    return DeadLetter(inference_id, whole(message["Body"], attributes), reason=attributes.get(REASON))


def dead_notification(message: Mapping[str, Any]) -> DeadLetter:
    """A notification: whole while it says which result is where."""
    return quietly(lambda: _notification(json.loads(message["Body"])), DeadLetter("", ""))


def _notification(body: Mapping[str, Any]) -> DeadLetter:
    inference_id, location = of_notification(body)
    return DeadLetter(inference_id, "whole" if inference_id and location else "", location)


def dead_events(message: Mapping[str, Any]) -> list[DeadLetter]:
    """The requests in Lambda's record of an event that kept failing, or in a message of S3's."""
    return quietly(lambda: _requests(json.loads(message["Body"])), [DeadLetter("", "")])


def _requests(body: Mapping[str, Any]) -> list[DeadLetter]:
    event = body.get("requestPayload", body)
    if "detail" in event:
        parameters = {name: str(value) for name, value in event["detail"].items()}
        payload = parameters.pop("Body")
        return [DeadLetter(parameters.get("InferenceId", event["id"]), whole(payload, parameters))]
    return [_by_sns(record["Sns"]) if "Sns" in record else _by_s3(record["s3"]) for record in event["Records"]]


def _by_sns(message: Mapping[str, Any]) -> DeadLetter:
    attributes = {name: given["Value"] for name, given in message["MessageAttributes"].items()}
    return DeadLetter(attributes.get("InferenceId", message["MessageId"]), whole(message["Message"], attributes))


def _by_s3(entity: Mapping[str, Any]) -> DeadLetter:
    location = f"s3://{entity['bucket']['name']}/{unquote_plus(entity['object']['key'])}"
    return DeadLetter(named("", location), whole("", {"InputLocation": location}))


def quietly(read: Callable[[], Read], otherwise: Read) -> Read:
    """What cannot be read is not whole."""
    try:
        return read()
    except (ValueError, LookupError, AttributeError, TypeError):
        return otherwise
