"""A durable function as Lambda sees it, without an SDK: it opens a callback, asks, and ends with what came of that.

Its input: `queue`, `body`, `attributes` of the request, `timeoutSeconds` of the callback.
"""

from __future__ import annotations

import json
from typing import Any

import boto3


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Asks when it is first invoked, waits while the callback does, ends with what that came to."""
    operations = event["InitialExecutionState"]["Operations"]
    callback = next((operation for operation in operations if operation["Type"] == "CALLBACK"), None)
    if callback is None:
        ask(event, json.loads(operations[0]["ExecutionDetails"]["InputPayload"]))
        return {"Status": "PENDING"}
    if callback["Status"] == "STARTED":
        return {"Status": "PENDING"}
    ended = {"status": callback["Status"], "details": callback["CallbackDetails"]}
    return {"Status": "SUCCEEDED", "Result": json.dumps(ended)}


def ask(event: dict[str, Any], request: dict[str, Any]) -> None:
    """Opens the callback, and sends a request that ends it."""
    opened = boto3.client("lambda").checkpoint_durable_execution(
        DurableExecutionArn=event["DurableExecutionArn"],
        CheckpointToken=event["CheckpointToken"],
        Updates=[
            {
                "Id": "answer",
                "Type": "CALLBACK",
                "Action": "START",
                "CallbackOptions": {"TimeoutSeconds": request["timeoutSeconds"]},
            }
        ],
    )
    operations = opened["NewExecutionState"]["Operations"]
    callback_id = next(
        operation["CallbackDetails"]["CallbackId"] for operation in operations if operation["Type"] == "CALLBACK"
    )
    attributes = {**request["attributes"], "CallbackId": callback_id}
    boto3.client("sqs").send_message(
        QueueUrl=request["queue"],
        MessageBody=request["body"],
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )
