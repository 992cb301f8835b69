"""Queues that the doctor has made again are those of the template."""

from __future__ import annotations

import json
from typing import Any

import pytest
from canned import ACCOUNT, OUTPUTS, PREFIX, QUEUES, REGION, stack_of

from doctor.queue_commands import attributes
from local.stack import ROOT
from tests.template.resolve import Template

TEMPLATE = Template((ROOT / "template.yaml").read_text(encoding="utf-8"))
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0"
FURTHER = {"NotificationQueue": f"{QUEUES}-notification", "S3RequestQueue": f"{QUEUES}-s3-request"}
ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:bridge"
SUFFIXES = {
    "RequestQueue": "request",
    "RequestDeadLetterQueue": "request-dead",
    "NotificationQueue": "notification",
    "NotificationDeadLetterQueue": "notification-dead",
    "EventDeadLetterQueue": "event-dead",
    "ResultsQueue": "results",
    "S3RequestQueue": "s3-request",
}
# SQS's own: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
FOUR_DAYS = "345600"


def looked_up(node: Any) -> Any:
    """The node with what CloudFormation would put for its functions."""
    if isinstance(node, list):
        return [looked_up(part) for part in node]
    if not isinstance(node, dict):
        return node
    if set(node) == {"Fn::GetAtt"}:
        logical_id = node["Fn::GetAtt"][0] if isinstance(node["Fn::GetAtt"], list) else node["Fn::GetAtt"].split(".")[0]
        return f"{ARN}-{SUFFIXES[logical_id]}"
    if set(node) == {"Ref"}:
        known = {"SuccessTopic": f"{PREFIX}-success", "ErrorTopic": f"{PREFIX}-error", "AWS::AccountId": ACCOUNT}
        return {**known, "KmsKeyArn": KEY, "MaxReceiveCount": 5}[node["Ref"]]
    if set(node) == {"Fn::Sub"}:
        return node["Fn::Sub"].replace("${AWS::Partition}", "aws")
    return {key: looked_up(part) for key, part in node.items() if part != {"Ref": "AWS::NoValue"}}


@pytest.mark.parametrize("key", ["", KEY], ids=["SQS's key", "a key of one's own"])
@pytest.mark.parametrize("logical_id", SUFFIXES)
def test_a_queue_made_again_is_the_template_s(logical_id: str, key: str) -> None:
    given = {"NotificationDelivery": "QUEUE", "S3Requests": "true", "KmsKeyArn": key}
    stack = stack_of(parameters=given, resources=FURTHER)
    assert stack.topics == {name: OUTPUTS[f"{name}Arn"] for name in stack.topics}
    resources = TEMPLATE.resources(EndpointName="summarizer", **given)
    properties = looked_up(resources[logical_id]["Properties"])
    (policy,) = [
        looked_up(resource["Properties"]["PolicyDocument"])
        for resource in resources.values()
        if resource["Type"] == "AWS::SQS::QueuePolicy" and resource["Properties"]["Queues"] == [{"Ref": logical_id}]
    ]

    made = attributes(stack, logical_id)

    assert json.loads(made.pop("Policy")) == policy
    assert json.loads(made.pop("RedrivePolicy", "null")) == properties.pop("RedrivePolicy", None)
    expected = {name: str(value) for name, value in properties.items()}
    if key:
        assert expected.pop("SqsManagedSseEnabled") == "False"
    else:
        assert expected.pop("SqsManagedSseEnabled") == "True"
        assert made.pop("SqsManagedSseEnabled") == "true"
    assert {"MessageRetentionPeriod": FOUR_DAYS, **made} == expected
