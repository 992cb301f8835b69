"""The longest values that the parameters admit still fit into what Lambda and IAM take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from render import rendered
from resolve import Template, of_type

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; Lambda measures the variables as JSON.
ENVIRONMENT_BYTES = 4_096
# Of all inline policies of a role, white space not counted:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
ROLE_POLICY_CHARACTERS = 10_240
# Of a managed policy; the same page.
MANAGED_POLICY_CHARACTERS = 6_144
# Attached to one role, by default; the same page.
MANAGED_POLICIES = 10
# The longest partition and Region, and what CloudFormation makes of the longest stack name.
PARTITION, REGION, ACCOUNT = "aws-us-gov", "ap-northeast-1", "123456789012"
BUCKET, QUEUE = "b" * 63, "q" * 80


class PhysicalNames(Mapping[str, Any]):
    """Values of the parameters, and the longest name or ARN for each resource."""

    def __init__(self, template: Template, parameters: Mapping[str, Any]) -> None:
        self._known = {
            **parameters,
            "AWS::Partition": PARTITION,
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::StackName": "s" * 128,
        }
        for name, resource in template.raw["Resources"].items():
            self._known |= longest(name, resource["Type"])

    def __getitem__(self, name: str) -> Any:
        return self._known[name]

    def __iter__(self) -> Any:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def longest(name: str, kind: str) -> dict[str, str]:
    if kind == "AWS::S3::Bucket":
        return {name: BUCKET, f"{name}.Arn": f"arn:{PARTITION}:s3:::{BUCKET}"}
    if kind == "AWS::SQS::Queue":
        url = f"https://sqs.{REGION}.amazonaws.com.cn/{ACCOUNT}/{QUEUE}"
        return {name: url, f"{name}.Arn": f"arn:{PARTITION}:sqs:{REGION}:{ACCOUNT}:{QUEUE}"}
    if kind == "AWS::Logs::LogGroup":
        return {f"{name}.Arn": f"arn:{PARTITION}:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{'s' * 128}-collect:*"}
    if kind == "AWS::IAM::Role":
        return {name: "r" * 64}
    return {}


def longest_values() -> dict[str, str]:
    """Values as long as the template lets them be; `test_they_are_the_longest` holds them to that."""
    name = 63 * "n"
    key = f"arn:aws-us-gov:kms:{REGION}:{ACCOUNT}:key/mrk-{32 * 'a'}"
    endpoint = f"arn:aws-us-gov:sagemaker:{REGION}:{ACCOUNT}:endpoint/"
    return {
        "EndpointName": name,
        # Short names: each costs the policy more than its own characters.
        "AllowedEndpointNames": ",".join(["n" * 13] * 72 + ["n" * 16]),
        "EndpointArns": filled(endpoint + name, 2_048),
        "OutputLocation": f"s3://{BUCKET}/{'p' * 186}/",
        "FailureLocation": f"s3://{BUCKET}/{'p' * 186}/",
        "OutputKmsKeyArn": key,
        "KmsKeyArn": key,
        "VpcSubnetIds": ",".join(["subnet-" + 17 * "a"] * 16),
        "VpcSecurityGroupIds": ",".join(["sg-" + 17 * "a"] * 5),
        "SageMakerRuntimeEndpointUrl": "https://" + "h" * 248,
        "ApiBaseUrl": "https://" + "h" * 248,
        "NotificationDelivery": "QUEUE",
        "ResultFormat": "raw",
        "ReplyToArns": filled(f"arn:aws-us-gov:sqs:{REGION}:{ACCOUNT}:q", 1_024),
        "StateMachineArns": filled(f"arn:aws-us-gov:states:{REGION}:{ACCOUNT}:stateMachine:s", 1_024),
        "DurableFunctionArns": filled(f"arn:aws-us-gov:lambda:{REGION}:{ACCOUNT}:function:f", 1_024),
    }


def filled(item: str, length: int) -> str:
    """The item again and again, separated by commas, the last one longer, in all of this length."""
    items = ",".join([item] * (length // (len(item) + 1)))
    return items + "n" * (length - len(items))


@pytest.fixture(scope="module")
def resources(template: Template) -> dict[str, Any]:
    return template.resources(**longest_values())


@pytest.fixture(scope="module")
def names(template: Template) -> PhysicalNames:
    return PhysicalNames(template, template.values(**longest_values()))


def test_they_are_the_longest(template: Template) -> None:
    values = longest_values()
    bounds = {name: entry["MaxLength"] for name, entry in template.raw["Parameters"].items() if "MaxLength" in entry}
    assert {name: len(values[name]) for name in bounds} == bounds


@pytest.mark.parametrize("function", ["SubmitFunction", "CollectFunction"])
def test_the_environment_fits(resources: dict[str, Any], names: PhysicalNames, function: str) -> None:
    variables = rendered(resources[function]["Properties"]["Environment"]["Variables"], names)
    measured = json.dumps({name: str(value) for name, value in variables.items()}, separators=(",", ":"))
    assert len(measured) <= ENVIRONMENT_BYTES


def test_each_policy_by_itself_fits(resources: dict[str, Any], names: PhysicalNames) -> None:
    policies = of_type(resources, "AWS::IAM::ManagedPolicy")
    assert {"ReplyPolicy", "KeyPolicy", "VpcPolicy"} < policies.keys()
    for name, policy in policies.items():
        document = rendered(policy["PolicyDocument"], names)
        assert len(json.dumps(document, separators=(",", ":"))) <= MANAGED_POLICY_CHARACTERS, name


@pytest.mark.parametrize("role", ["SubmitRole", "CollectRole"])
def test_a_role_has_no_more_policies_than_iam_takes(resources: dict[str, Any], role: str) -> None:
    attached = of_type(resources, "AWS::IAM::ManagedPolicy").values()
    by_policy = [policy for policy in attached if {"Ref": role} in policy.get("Roles", [])]
    assert len(by_policy) + len(resources[role]["Properties"]["ManagedPolicyArns"]) <= MANAGED_POLICIES


@pytest.mark.parametrize("role", ["SubmitRole", "CollectRole"])
def test_the_role_s_policies_fit(resources: dict[str, Any], names: PhysicalNames, role: str) -> None:
    policies = [policy["PolicyDocument"] for policy in resources[role]["Properties"]["Policies"]]
    measured = "".join(json.dumps(rendered(policy, names), separators=(",", ":")) for policy in policies)
    assert len(measured) <= ROLE_POLICY_CHARACTERS
