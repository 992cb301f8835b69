"""Key, VPC and permissions boundary: everywhere if they are named, nowhere and nothing else if not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from resolve import Template, of_type

KEY = {"Ref": "KmsKeyArn"}
# Where each resource that keeps data says which key encrypts it.
KEY_PROPERTIES = {
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
}
VPC = {"VpcSubnetIds": "subnet-00000001,subnet-00000002", "VpcSecurityGroupIds": "sg-00000001"}
NAMED = {
    "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/stack",
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/bound",
    **VPC,
}


@pytest.fixture(
    scope="module", params=[{}, {"NotificationDelivery": "QUEUE", "WatchUnanswered": "true", "S3Requests": "true"}]
)
def named(template: Template, request: pytest.FixtureRequest) -> dict[str, Any]:
    return template.resources(EndpointName="demo", **NAMED, **request.param)


def references(node: Any) -> Iterator[str]:
    """Every name that a Ref or a Sub in a node has."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                yield value
            yield from references(value)


def test_the_key_encrypts_every_queue_every_topic_every_log_group_and_the_bucket(named: dict[str, Any]) -> None:
    for kind, name in KEY_PROPERTIES.items():
        found = of_type(named, kind)
        assert len(found) >= 2
        assert {logical_id: entry.get(name) for logical_id, entry in found.items()} == dict.fromkeys(found, KEY)
    # SQS takes one of the two.
    assert {entry["SqsManagedSseEnabled"] for entry in of_type(named, "AWS::SQS::Queue").values()} == {False}
    (rule,) = named["Bucket"]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    # One call of KMS for many objects.
    assert rule["BucketKeyEnabled"] is True


def test_only_sqs_and_s3_use_the_key_in_the_roles_names(named: dict[str, Any]) -> None:
    for policy in ("KeyPolicy", "KeyPolicyForStoring"):
        for statement in named[policy]["Properties"]["PolicyDocument"]["Statement"]:
            assert statement["Resource"] == KEY
            (through,) = statement["Condition"]["StringLike"].values()
            assert through["Fn::Sub"].partition(".")[0] in ("sqs", "s3")


def test_every_function_is_in_the_vpc_by_a_role_that_may_be(named: dict[str, Any]) -> None:
    functions = of_type(named, "AWS::Serverless::Function").values()
    split = {name.removeprefix("Vpc"): {"Fn::Split": [",", {"Ref": name}]} for name in VPC}
    assert [function["VpcConfig"] for function in functions] == [split, split]
    for function in functions:
        role = function["Role"]["Fn::GetAtt"][0]
        # Named by the role, so that it is there before the function.
        assert named[role]["Properties"]["ManagedPolicyArns"] == [{"Ref": "VpcPolicy"}]


def test_no_function_may_touch_network_interfaces_itself(named: dict[str, Any]) -> None:
    statements = named["VpcPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert len(statements) == 4
    for statement in statements:
        assert statement["Condition"] == {"Null": {"lambda:SourceFunctionArn": "true"}}


def test_the_boundary_bounds_every_role(named: dict[str, Any]) -> None:
    roles = of_type(named, "AWS::IAM::Role").values()
    assert [role["PermissionsBoundary"] for role in roles] == [{"Ref": "PermissionsBoundaryArn"}] * len(roles)


def test_what_is_not_named_is_neither_a_resource_nor_a_property(template: Template, direct: dict[str, Any]) -> None:
    assert set(references(direct)) & NAMED.keys() == set()
    named = template.resources(EndpointName="demo", **NAMED)
    assert named.keys() - direct.keys() == {"KeyPolicy", "KeyPolicyForStoring", "VpcPolicy"}
