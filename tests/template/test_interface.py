"""What a user of the stack sees: parameters and outputs, named and explained."""

from __future__ import annotations

import json
import re
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from render import rendered
from resolve import Template

OUTPUTS = {
    "SubmitFunctionArn",
    "ApiUrl",
    "ApiId",
    "RequestQueueUrl",
    "RequestDeadLetterQueueUrl",
    "ResultsQueueUrl",
    "NotificationDeadLetterQueueUrl",
    "EventDeadLetterQueueUrl",
    "SuccessTopicArn",
    "ErrorTopicArn",
    "BucketName",
    "AsyncInferenceConfig",
}
DEFAULTS = {
    "EndpointName": None,
    "AllowedEndpointNames": "",
    "EndpointArns": "",
    "OutputLocation": "",
    "FailureLocation": "",
    "OutputKmsKeyArn": "",
    "SuccessTopicArn": "",
    "ErrorTopicArn": "",
    "InlineLimitBytes": 128000,
    "SageMakerRuntimeEndpointUrl": "",
    "NotificationDelivery": "DIRECT",
    "HttpAuth": "AWS_IAM",
    "JwtIssuer": "",
    "JwtAudience": "",
    "CorsAllowOrigins": "",
    "MaxWaitSeconds": 20,
    "ThrottlingRateLimit": 25,
    "ThrottlingBurstLimit": 50,
    "ApiBaseUrl": "",
    "Deduplicate": "false",
    "MaxReceiveCount": 5,
    "MaxConcurrency": 10,
    "S3Requests": "false",
    "ResultFormat": "notification",
    "WatchUnanswered": "false",
    "ReplyToArns": "",
    "StateMachineArns": "",
    "DurableFunctionArns": "",
    "KmsKeyArn": "",
    "VpcSubnetIds": "",
    "VpcSecurityGroupIds": "",
    "PermissionsBoundaryArn": "",
    "Architecture": "arm64",
    "MemorySize": 256,
    "ReservedConcurrency": "",
    "LogRetentionInDays": 30,
    "Metrics": "true",
    "Dashboard": "true",
    "AlarmTopicArn": "",
    "AlarmRequestToResultSeconds": 1800,
    "CanaryMinutes": "0",
    "CanaryRequest": '{"Body":{},"InferenceId":"canary","ReplyTo":"none"}',
    "Tracing": "false",
}
# Parameter, values that it takes, values that it refuses.
VALUES = [
    ("EndpointName", ["a", "Summarizer-2"], ["", "-a", "a-", "a_b", "a b", "a,b"]),
    (
        "AllowedEndpointNames",
        ["", "a", "a,B-2", ",".join(["a"] * 73)],
        [",a", "a,", "a, b", "a,,b", ",".join(["a"] * 74)],
    ),
    (
        "OutputLocation",
        ["", "s3://b-1/", "s3://bucket/p/q/"],
        ["s3://bucket/p", "bucket/p/", "s3://B/p/", "s3://bucket/*/"],
    ),
    ("FailureLocation", ["", "s3://bucket/p/"], ["s3://bucket", "https://bucket/p/", "s3://bucket//"]),
    (
        "OutputKmsKeyArn",
        ["", "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd"],
        ["alias/outputs", "arn:aws:kms:eu-west-1:123456789012:alias/outputs"],
    ),
    (
        "SuccessTopicArn",
        ["", "arn:aws-cn:sns:cn-north-1:123456789012:t_1"],
        ["t", "arn:aws:sqs:us-east-1:123456789012:t"],
    ),
    ("ErrorTopicArn", ["", "arn:aws:sns:us-east-1:123456789012:t"], ["arn:aws:sns:us-east-1:1:t"]),
    (
        "EndpointArns",
        ["", "arn:aws:sagemaker:us-east-1:123456789012:endpoint/low"],
        ["arn:aws:sagemaker:us-east-1:123456789012:endpoint/Up", "low"],
    ),
    (
        "ReplyToArns",
        [
            "",
            "arn:aws:sqs:us-east-1:123456789012:team-a",
            "arn:aws-cn:sqs:cn-north-1:123456789012:a_1,arn:aws-cn:sqs:cn-north-1:123456789012:b.fifo",
            "arn:aws:sns:us-east-1:123456789012:t,arn:aws:events:us-east-1:123456789012:event-bus/b",
        ],
        [
            "team-a",
            "https://sqs.us-east-1.amazonaws.com/123456789012/team-a",
            "arn:aws:sqs:us-east-1:123456789012:*",
            "arn:aws:sqs:us-east-1:123456789012:a, arn:aws:sqs:us-east-1:123456789012:b",
            "arn:aws:s3:us-east-1:123456789012:a",
            "arn:aws:sns:us-east-1:123456789012:a:subscription",
        ],
    ),
    (
        "StateMachineArns",
        [
            "",
            "arn:aws:states:us-east-1:123456789012:stateMachine:Orders-2",
            "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:a,arn:aws-cn:states:cn-north-1:123456789012:stateMachine:b",
        ],
        [
            "Orders",
            "arn:aws:states:us-east-1:123456789012:stateMachine:*",
            "arn:aws:states:us-east-1:123456789012:execution:Orders:1",
            "arn:aws:states:us-east-1:123456789012:stateMachine:a,",
        ],
    ),
    (
        "DurableFunctionArns",
        [
            "",
            "arn:aws:lambda:us-east-1:123456789012:function:orders",
            "arn:aws:lambda:us-east-1:123456789012:function:a,arn:aws:lambda:us-east-1:123456789012:function:b_2",
        ],
        [
            "orders",
            "arn:aws:lambda:us-east-1:123456789012:function:*",
            "arn:aws:lambda:us-east-1:123456789012:function:orders:1",
            "arn:aws:lambda:us-east-1:123456789012:layer:orders",
        ],
    ),
    ("SageMakerRuntimeEndpointUrl", ["", "https://vpce-1.example", "http://127.0.0.1:1"], ["127.0.0.1", "ftp://h"]),
    ("JwtIssuer", ["", "https://issuer.example/p"], ["http://issuer.example"]),
    (
        "CorsAllowOrigins",
        ["", "*", "https://app.example.com", "http://localhost:5173,https://b.example"],
        ["app.example.com", "https://a.example/", "*,https://a.example", "https://a.example, https://b.example"],
    ),
    ("ApiBaseUrl", ["", "https://api.example.com/models"], ["api.example.com", "https://a.example/?x=y"]),
    ("JwtAudience", ["", "a", "a,b"], ["a, b"]),
    ("ReservedConcurrency", ["", "1", "500"], ["0", "-1", "1.5", "many"]),
    (
        "KmsKeyArn",
        ["", "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd"],
        ["alias/aws/sqs", "arn:aws:kms:eu-west-1:123456789012:alias/stack", "1234abcd"],
    ),
    (
        "VpcSubnetIds",
        ["", "subnet-0123abcd", ",".join(["subnet-0123456789abcdef0"] * 16)],
        ["vpc-0123abcd", "subnet-0123abcd, subnet-0123abce", ",".join(["subnet-0123abcd"] * 17)],
    ),
    (
        "VpcSecurityGroupIds",
        ["", "sg-0123abcd", ",".join(["sg-0123456789abcdef0"] * 5)],
        ["default", "sg-0123abcd,", ",".join(["sg-0123abcd"] * 6)],
    ),
    (
        "PermissionsBoundaryArn",
        ["", "arn:aws:iam::123456789012:policy/team/bound_1", "arn:aws-cn:iam::aws:policy/PowerUserAccess"],
        ["bound", "arn:aws:iam::123456789012:role/bound", "arn:aws:iam::123456789012:policy/*"],
    ),
    (
        "AlarmTopicArn",
        ["", "arn:aws:sns:us-east-1:123456789012:on-call"],
        ["on-call", "arn:aws:sns:us-east-1:123456789012:on-call.fifo", "arn:aws:sqs:us-east-1:123456789012:on-call"],
    ),
    (
        "CanaryRequest",
        [
            '{"Body":"x","ReplyTo":"none"}',
            '{"InputLocation": "s3://b/input/k", "ReplyTo": "none", "ContentType": "audio/wav"}',
        ],
        ["", "{}", '{"Body":"x"}', '{"Body":"x","ReplyTo":"team-a"}', '"ReplyTo":"none"'],
    ),
]


def test_the_parameters_and_their_defaults_are_those_of_the_documentation(template: Template) -> None:
    assert {name: entry.get("Default") for name, entry in template.raw["Parameters"].items()} == DEFAULTS


def test_every_parameter_is_explained_bounded_and_shown(template: Template) -> None:
    shown = template.raw["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in shown for name in group["Parameters"]) == sorted(DEFAULTS)
    for name, entry in template.raw["Parameters"].items():
        assert len(entry["Description"]) > 20, name
        assert entry["ConstraintDescription"], name
        bounds = [bound for bound in ("AllowedPattern", "AllowedValues", "MinValue") if bound in entry]
        assert len(bounds) == 1, name
        assert ("MinValue" in entry) == ("MaxValue" in entry), name


@pytest.mark.parametrize(("name", "taken", "refused"), VALUES)
def test_a_parameter_takes_what_the_services_take(
    template: Template, name: str, taken: list[str], refused: list[str]
) -> None:
    pattern = re.compile(template.raw["Parameters"][name]["AllowedPattern"])
    assert [value for value in taken if not pattern.fullmatch(value)] == []
    assert [value for value in refused if pattern.fullmatch(value)] == []


def test_jwt_without_issuer_or_audience_is_refused(template: Template) -> None:
    rule = template.raw["Rules"]["JwtNeedsIssuerAndAudience"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "HttpAuth"}, "JWT"]}
    asserted = [entry["Assert"]["Fn::Not"][0]["Fn::Equals"] for entry in rule["Assertions"]]
    assert asserted == [[{"Ref": "JwtIssuer"}, ""], [{"Ref": "JwtAudience"}, ""]]


@pytest.mark.parametrize(
    ("rule", "given", "needed"),
    [
        ("SubnetsNeedSecurityGroups", "VpcSubnetIds", "VpcSecurityGroupIds"),
        ("SecurityGroupsNeedSubnets", "VpcSecurityGroupIds", "VpcSubnetIds"),
    ],
)
def test_subnets_and_security_groups_are_given_together_or_not_at_all(
    template: Template, rule: str, given: str, needed: str
) -> None:
    found = template.raw["Rules"][rule]
    assert found["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": given}, ""]}]}
    assert [entry["Assert"] for entry in found["Assertions"]] == [{"Fn::Not": [{"Fn::Equals": [{"Ref": needed}, ""]}]}]


def test_the_outputs_are_those_of_the_documentation(template: Template) -> None:
    outputs = template.outputs(EndpointName="demo")
    assert set(outputs) == OUTPUTS
    assert [name for name, entry in outputs.items() if not entry.get("Description")] == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {},
            {
                "S3OutputPath": "s3://BUCKET/output",
                "S3FailurePath": "s3://BUCKET/failure",
                "NotificationConfig": {"SuccessTopic": "SuccessTopic", "ErrorTopic": "ErrorTopic"},
            },
        ),
        (
            {
                "OutputLocation": "s3://mine/out/",
                "FailureLocation": "s3://mine/failed/",
                "SuccessTopicArn": "arn:aws:sns:us-east-1:123456789012:both",
                "ErrorTopicArn": "arn:aws:sns:us-east-1:123456789012:both",
            },
            {
                "S3OutputPath": "s3://mine/out/",
                "S3FailurePath": "s3://mine/failed/",
                "NotificationConfig": {
                    "SuccessTopic": "arn:aws:sns:us-east-1:123456789012:both",
                    "ErrorTopic": "arn:aws:sns:us-east-1:123456789012:both",
                },
            },
        ),
        (
            {"KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/stack"},
            {
                "S3OutputPath": "s3://BUCKET/output",
                "S3FailurePath": "s3://BUCKET/failure",
                "KmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/stack",
                "NotificationConfig": {"SuccessTopic": "SuccessTopic", "ErrorTopic": "ErrorTopic"},
            },
        ),
        (
            {
                "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/stack",
                "OutputKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/endpoint",
            },
            {
                "S3OutputPath": "s3://BUCKET/output",
                "S3FailurePath": "s3://BUCKET/failure",
                "KmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/endpoint",
                "NotificationConfig": {"SuccessTopic": "SuccessTopic", "ErrorTopic": "ErrorTopic"},
            },
        ),
    ],
    ids=["created", "given", "the stack's key", "the endpoint's own key"],
)
def test_async_inference_config_is_what_create_endpoint_config_takes(
    template: Template, given: dict[str, str], expected: dict[str, Any]
) -> None:
    pattern, parts = template.outputs(EndpointName="demo", **given)["AsyncInferenceConfig"]["Value"]["Fn::Sub"]
    values = template.values(EndpointName="demo", **given)
    for name, part in parts.items():
        pattern = pattern.replace(f"${{{name}}}", substituted(part, values))
    config = json.loads(pattern)
    assert config == {"OutputConfig": expected}
    model = botocore.session.get_session().get_service_model("sagemaker")
    shape = model.shape_for("AsyncInferenceConfig")
    assert not ParamValidator().validate(config, shape).has_errors()


def substituted(part: str | dict[str, str], values: dict[str, Any]) -> str:
    """The text of a Ref or a Sub; a reference to a resource becomes its logical id."""
    return rendered(part, {**values, "Bucket": "BUCKET", "SuccessTopic": "SuccessTopic", "ErrorTopic": "ErrorTopic"})
