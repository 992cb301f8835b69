"""Events on their way to their function once more. SQS could not give them back: their source is no queue.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

from __future__ import annotations

import json
from typing import Any

from doctor.aws import Aws


def invoke(aws: Aws, function: str, event: dict[str, Any]) -> str | None:
    """Why the function did not take the event; None if it did."""
    answer = aws.call("lambda", "invoke", FunctionName=function, Payload=json.dumps(event).encode())
    content = json.loads(answer["Payload"].read() or b"null") or {}
    if "FunctionError" in answer:
        return f"{content.get('errorType', answer['FunctionError'])}: {content.get('errorMessage', '')}"
    return "the function gives it back: its log says why" if content.get("batchItemFailures") else None


def recorded_event(body: str) -> dict[str, Any] | None:
    """The event in a dead letter; None if it is none.

    A function's destination gets Lambda's record of the invocation, with the event in `requestPayload`; its own
    dead-letter queue, if it has one, gets the event as it was, and so does that of a queue of S3's notifications.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    try:
        content = json.loads(body)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    if "requestContext" in content and "requestPayload" in content:
        return content["requestPayload"]
    return content if "Records" in content or "detail-type" in content else None


def notification_event(message: dict[str, Any]) -> dict[str, Any]:
    """The event of a notification: what a function failed at, or what SNS would have invoked it with.

    SNS puts into a subscription's dead-letter queue what it could not deliver, in its envelope or raw.
    """
    sns = {"MessageId": message["MessageId"], "Message": unwrapped(message["Body"])}
    return recorded_event(message["Body"]) or {"Records": [{"EventSource": "aws:sns", "Sns": sns}]}


def unwrapped(body: str) -> str:
    """A notification without SNS's envelope.

    https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    """
    try:
        content = json.loads(body)
    except ValueError:
        return body
    is_envelope = isinstance(content, dict) and content.get("Type") == "Notification"
    return content["Message"] if is_envelope and isinstance(content.get("Message"), str) else body
