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


def recreate_commands(stack: Stack, logical_id: str) -> list[str]:
    """Commands that create a queue of the template again, under its name."""
    return [
        "# the name of a deleted queue is free again after 60 seconds",
        aws("sqs create-queue", queue_name=stack.queue_name(logical_id), attributes=attributes(stack, logical_id)),
    ]


def attributes(stack: Stack, logical_id: str) -> dict[str, str]:
    """The attributes that the template gives to a queue, as `CreateQueue` takes them."""
    given = {"MaximumMessageSize": "1048576", "Policy": json.dumps(policy(stack, logical_id))}
    if key := stack.parameters.get("KmsKeyArn"):
        given["KmsMasterKeyId"] = key
    else:
        given["SqsManagedSseEnabled"] = "true"
    if logical_id in DEAD_LETTER_QUEUES:
        given["VisibilityTimeout"] = VISIBILITY_SECONDS[logical_id]
        given["RedrivePolicy"] = redrive_policy(stack, logical_id)
    else:
        given["MessageRetentionPeriod"] = RETENTION_SECONDS
    return given


def policy(stack: Stack, logical_id: str) -> dict[str, object]:
    """The policy of a queue: which services send to it, and that nobody speaks to it without TLS."""
    arn = stack.queue_arn(logical_id)
    statements = []
    if logical_id == "S3RequestQueue":
        condition = {
            "StringEquals": {"aws:SourceAccount": stack.account},
            "ArnLike": {"aws:SourceArn": f"arn:{stack.partition}:s3:::*"},
        }
        statements.append(sends(arn, "S3Sends", "s3", condition))
    if logical_id in TOPICS_SEND_TO:
        topics = list(dict.fromkeys(stack.topics.values()))
        statements.append(sends(arn, "TopicsSend", "sns", {"ArnEquals": {"aws:SourceArn": topics}}))
    only_over_tls = {
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [*statements, only_over_tls]}


def sends(arn: str, sid: str, service: str, condition: dict[str, object]) -> dict[str, object]:
    """The statement by which a service sends to a queue."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": condition,
    }
