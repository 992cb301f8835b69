"""Requests on their way to a request queue once more."""

from __future__ import annotations

from typing import Any

from doctor.aws import Aws

FAILURE_REASON = "FailureReason"
# By this type `submit` knows its own (src/submit/sources/sqs/dead_letter.rs); what a sender has under that name stays.
OWN_REASON_TYPE = "String.sagemaker-async-bridge"
INFERENCE_ID = "InferenceId"
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
ATTRIBUTES_LIMIT = 10
MESSAGE_LIMIT_BYTES = 1_048_576


def send(aws: Aws, queue_url: str, message: dict[str, Any]) -> None:
    """Sends a dead letter to a queue as the request that it was."""
    aws.call("sqs", "send_message", QueueUrl=queue_url, **request_of(message, is_fifo=queue_url.endswith(".fifo")))


def request_of(message: dict[str, Any], *, is_fifo: bool) -> dict[str, Any]:
    """SendMessage's parameters for a received message: as it is, without the bridge's reason."""
    own = message.get("Attributes", {})
    request: dict[str, Any] = {
        "MessageBody": message["Body"],
        "MessageAttributes": attributes_of(message),
    }
    if "AWSTraceHeader" in own:
        header = {"DataType": "String", "StringValue": own["AWSTraceHeader"]}
        request["MessageSystemAttributes"] = {"AWSTraceHeader": header}
    # A standard queue takes a group too.
    group = own.get("MessageGroupId") or (message["MessageId"] if is_fifo else None)
    if group:
        request["MessageGroupId"] = group
    if is_fifo:
        # Another one than the request had, which may have come within five minutes; the same one if this is sent twice.
        request["MessageDeduplicationId"] = message["MessageId"]
    return request


def attributes_of(message: dict[str, Any]) -> dict[str, Any]:
    """The message's attributes, and its inference id where it had none.

    An inference id is the message's id by default, and what is sent gets a new one. So its sender would not know the
    result.
    """
    given = message.get("MessageAttributes", {})
    attributes = {
        name: value
        for name, value in given.items()
        if not (name == FAILURE_REASON and value.get("DataType") == OWN_REASON_TYPE)
    }
    named = {**attributes, INFERENCE_ID: {"DataType": "String", "StringValue": message["MessageId"]}}
    fits = len(named) <= ATTRIBUTES_LIMIT and size(message["Body"], named) <= MESSAGE_LIMIT_BYTES
    return named if fits and INFERENCE_ID not in attributes else attributes


def size(body: str, attributes: dict[str, Any]) -> int:
    """A message's size as SQS counts it: the body, and each attribute's name, type and value."""
    values = (
        len(name.encode())
        + len(value["DataType"])
        + len(value.get("StringValue", "").encode())
        # boto3 gives bytes.
        + len(value.get("BinaryValue", b""))
        for name, value in attributes.items()
    )
    return len(body.encode()) + sum(values)
