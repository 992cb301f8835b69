"""Messages on their way to their queue once more."""

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
    request = message_of(message, is_fifo=queue_url.endswith(".fifo"))
    attributes = identified(message["MessageId"], message["Body"], request["MessageAttributes"])
    aws.call("sqs", "send_message", QueueUrl=queue_url, **{**request, "MessageAttributes": attributes})


def message_of(message: dict[str, Any], *, is_fifo: bool = False) -> dict[str, Any]:
    """SendMessage's parameters for a received message: as it is, without the bridge's reason."""
    own = message.get("Attributes", {})
    again: dict[str, Any] = {
        "MessageBody": message["Body"],
        "MessageAttributes": {
            name: value
            for name, value in message.get("MessageAttributes", {}).items()
            if not (name == FAILURE_REASON and value.get("DataType") == OWN_REASON_TYPE)
        },
    }
    if "AWSTraceHeader" in own:
        header = {"DataType": "String", "StringValue": own["AWSTraceHeader"]}
        again["MessageSystemAttributes"] = {"AWSTraceHeader": header}
    # A standard queue takes a group too.
    group = own.get("MessageGroupId") or (message["MessageId"] if is_fifo else None)
    if group:
        again["MessageGroupId"] = group
    if is_fifo:
        # Another one than the request had, which may have come within five minutes; the same one if this is sent twice.
        again["MessageDeduplicationId"] = message["MessageId"]
    return again


def identified(message_id: str, body: str, attributes: dict[str, Any]) -> dict[str, Any]:
    """A request's attributes, with its inference id where it had none.

    An inference id is the message's id by default, and what is sent gets a new one. So its sender would not know the
    result.
    """
    if INFERENCE_ID in attributes:
        return attributes
    named = {**attributes, INFERENCE_ID: {"DataType": "String", "StringValue": message_id}}
    fits = len(named) <= ATTRIBUTES_LIMIT and size(body, named) <= MESSAGE_LIMIT_BYTES
    return named if fits else attributes


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
