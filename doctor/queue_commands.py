"""Queues as the template makes them, for commands."""

from __future__ import annotations

import json

from doctor.commands import aws
from doctor.stack import Stack

DEAD_LETTER_QUEUES = {
    "RequestQueue": "RequestDeadLetterQueue",
    "NotificationQueue": "NotificationDeadLetterQueue",
    "S3RequestQueue": "EventDeadLetterQueue",
}
# Six times the function's timeout, and the batching window.
VISIBILITY_SECONDS = {"RequestQueue": "180", "S3RequestQueue": "180", "NotificationQueue": "361"}
# What SNS sends to.
TOPICS_SEND_TO = {"NotificationQueue", "NotificationDeadLetterQueue"}
RETENTION_SECONDS = "1209600"  # 14 days, the longest
# AWS asks for at least so many in front of a function:
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
DEFAULT_RECEIVE_COUNT = 5


def redrive_policy(stack: Stack, logical_id: str) -> str:
    """RedrivePolicy of a queue in front of a function."""
    count = int(stack.parameters.get("MaxReceiveCount") or DEFAULT_RECEIVE_COUNT)
    target = stack.queue_arn(DEAD_LETTER_QUEUES[logical_id])
    return json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": count})


def recreated(stack: Stack, logical_id: str) -> list[str]:
    """Commands that create a queue of the template again, under its name."""
    attributes = {"MaximumMessageSize": "1048576", "SqsManagedSseEnabled": "true"}
    if logical_id in DEAD_LETTER_QUEUES:
        attributes["VisibilityTimeout"] = VISIBILITY_SECONDS[logical_id]
        attributes["RedrivePolicy"] = redrive_policy(stack, logical_id)
    else:
        attributes["MessageRetentionPeriod"] = RETENTION_SECONDS
    if logical_id == "S3RequestQueue":
        attributes["Policy"] = json.dumps(s3_sends(stack, logical_id))
    if logical_id in TOPICS_SEND_TO:
        attributes["Policy"] = json.dumps(topics_send(stack, logical_id))
    return [
        "# the name of a deleted queue is free again after 60 seconds",
        aws("sqs create-queue", queue_name=stack.queue_name(logical_id), attributes=attributes),
    ]


def s3_sends(stack: Stack, logical_id: str) -> dict[str, object]:
    """The policy by which S3 tells a queue of objects."""
    condition = {
        "StringEquals": {"aws:SourceAccount": stack.account},
        "ArnLike": {"aws:SourceArn": f"arn:{stack.partition}:s3:::*"},
    }
    return sends(stack, logical_id, "S3Sends", "s3", condition)


def topics_send(stack: Stack, logical_id: str) -> dict[str, object]:
    """The policy by which SNS delivers to a queue."""
    topics = list(dict.fromkeys(stack.topics.values()))
    return sends(stack, logical_id, "TopicsSend", "sns", {"ArnEquals": {"aws:SourceArn": topics}})


def sends(stack: Stack, logical_id: str, sid: str, service: str, condition: dict[str, object]) -> dict[str, object]:
    """The policy by which a service sends to a queue."""
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": stack.queue_arn(logical_id),
        "Condition": condition,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
