"""Parts of pipelines around a stack: queues that listen, a state machine and a durable function that ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from local.archive import source_archive
from local.bridge import REGION, Bridge

ACCOUNT = "000000000000"
# What the state machine catches, each in a state of that name.
CAUGHT = ("ModelError", "ValidationError", "States.Timeout")


def inbox(stack: Bridge, name: str, **attributes: str) -> str:
    """A queue that SNS and EventBridge may send to, an output of the stack under its name; its ARN."""
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    services = ["sns.amazonaws.com", "events.amazonaws.com"]
    allow = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    created = stack.sqs.create_queue(QueueName=name, Attributes={"Policy": policy, **attributes})
    stack.outputs[name] = created["QueueUrl"]
    return arn


def asking(request: dict[str, Any], timeout_seconds: int, caught: tuple[str, ...] = CAUGHT) -> dict[str, Any]:
    """A state machine that sends a message and waits until somebody ends its task."""
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": request,
        "TimeoutSeconds": timeout_seconds,
        "End": True,
    }
    if caught:
        ask["Catch"] = [{"ErrorEquals": [name], "ResultPath": "$.caught", "Next": name} for name in caught]
    ends = {name: {"Type": "Pass", "End": True} for name in caught}
    return {"StartAt": "Ask", "States": {"Ask": ask, **ends}}


def create_role(stack: Bridge, name: str, service: str, actions: list[str]) -> str:
    """A role that the service assumes and that allows these actions; its ARN."""
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    documents = [json.dumps({"Version": "2012-10-17", "Statement": [statement]}) for statement in (trust, allow)]
    iam = stack.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=documents[0])["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=documents[1])
    return role


def create_durable_function(stack: Bridge, name: str) -> None:
    """The function of durable_function.py."""
    source = Path(__file__).with_name("durable_function.py")
    actions = ["sqs:SendMessage", "lambda:CheckpointDurableExecution"]
    role = create_role(stack, name, "lambda.amazonaws.com", actions)
    functions = stack.client("lambda")
    functions.meta.events.register("before-call.lambda.CreateFunction", enable_durability)
    functions.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="durable_function.handler",
        Role=role,
        Code={"ZipFile": source_archive(source.name, source.read_text(encoding="utf-8"))},
        Timeout=30,
        DurableConfig={"ExecutionTimeout": 600, "RetentionPeriodInDays": 1},
    )


def enable_durability(params: dict[str, Any], **_more: Any) -> None:
    """On AWS a function with a DurableConfig is a durable one. ministack asks for a field that AWS does not have."""
    request = json.loads(params["body"])
    request["DurableConfig"]["Enabled"] = True
    params["body"] = json.dumps(request)
