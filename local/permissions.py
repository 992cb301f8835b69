"""What ministack asks for where AWS is content with the template's permissions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def allowed_besides(statement: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a statement allows on AWS too, in ministack's words.

    The permission to send or publish one message covers batches: ministack asks for actions that AWS does not have,
    so the template cannot name them. A token tells which state machine or function it belongs to: ministack asks for a
    permission on `*`.
    """
    more = []
    if {"sqs:SendMessage", "sns:Publish"} & set(as_list(statement["Action"])):
        more.append({**statement, "Action": ["sqs:SendMessageBatch", "sns:PublishBatch"]})
    if statement["Sid"] in ("EndTasks", "EndCallbacks"):
        more.append({**statement, "Resource": "*"})
    return more


def as_list(value: Any) -> list[Any]:
    """A value of a policy that may be one or several."""
    return value if isinstance(value, list) else [value]
