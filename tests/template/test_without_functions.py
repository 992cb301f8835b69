"""The templates of docs/cargo-lambda.md follow template.yaml, or say what they cannot follow."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from render import rendered as plain
from resolve import Template, of_type

from examples.cargo_lambda import without_functions
from local.stack import ROOT

TIMEOUT = "      Timeout: 30\n"
HANDLER = "      Handler: bootstrap\n"


def rendered(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    first, stack = without_functions(text)
    return json.loads(first), json.loads(stack)


def test_only_functions_and_what_needs_them_is_left_out_at_first(template: Template, text: str) -> None:
    first, stack = rendered(text)
    functions = of_type(template.raw["Resources"], "AWS::Serverless::Function")
    assert set(stack["Resources"]) == set(template.raw["Resources"]) - set(functions)
    later = {entry["Type"] for name, entry in stack["Resources"].items() if name not in first["Resources"]}
    assert {"AWS::Lambda::EventSourceMapping", "AWS::ApiGatewayV2::Route", "AWS::SNS::Subscription"} < later
    assert {"AWS::IAM::Role", "AWS::SQS::Queue", "AWS::S3::Bucket", "AWS::Logs::LogGroup"} & later == set()
    left = {entry["Type"] for entry in first["Resources"].values()}
    assert {kind for kind in left if kind.startswith("AWS::CloudWatch::")} == set()


def test_a_resource_is_as_in_the_template_but_for_the_names_of_functions(template: Template, text: str) -> None:
    _, stack = rendered(text)
    for name, entry in stack["Resources"].items():
        assert re.search(r"SubmitFunction|CollectFunction", json.dumps(entry)) is None
        if not re.search(r"SubmitFunction|CollectFunction", json.dumps(template.raw["Resources"][name])):
            assert entry == template.raw["Resources"][name]
    mapping = stack["Resources"]["SubmitFromRequestQueue"]["Properties"]
    assert mapping["FunctionName"] == {"Fn::Sub": "${AWS::StackName}-submit"}
    arn = stack["Resources"]["SubmitIntegration"]["Properties"]["IntegrationUri"]["Fn::Sub"]
    assert arn == "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${AWS::StackName}-submit"


def test_parameters_stay_but_for_the_architecture(template: Template, text: str) -> None:
    for rendering in rendered(text):
        assert set(rendering["Parameters"]) == set(template.raw["Parameters"]) - {"Architecture"}


def test_cloudformation_takes_the_first_by_value_the_second_by_s3_and_none_needs_sam(text: str) -> None:
    first, stack = without_functions(text)
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    assert len(first.encode()) <= 51_200
    assert len(stack.encode()) <= 1_000_000
    assert "Serverless" not in first + stack


def test_a_function_writes_to_the_log_group_of_its_name(text: str) -> None:
    """cargo-lambda cannot choose another, and the role allows no other."""
    _, stack = rendered(text)
    groups = of_type(stack["Resources"], "AWS::Logs::LogGroup")
    for name, binary in (("SubmitLogGroup", "submit"), ("CollectLogGroup", "collect")):
        assert groups[name]["LogGroupName"] == {"Fn::Sub": f"/aws/lambda/${{AWS::StackName}}-{binary}"}


def test_a_property_that_may_be_missing_is_an_output_that_may_be_missing(text: str) -> None:
    reserved = "      ReservedConcurrentExecutions: !If [UseCors, 7, !Ref AWS::NoValue]\n"
    text = re.sub(r"^      ReservedConcurrentExecutions: .*\n", "", text, flags=re.MULTILINE)
    assert text.count(TIMEOUT) == 1
    _, stack = rendered(text.replace(TIMEOUT, TIMEOUT + reserved))
    assert stack["Outputs"]["submitReservedConcurrentExecutions"] == {"Condition": "UseCors", "Value": 7}


def test_the_vpc_is_an_output_in_the_shorthand_of_the_aws_cli(text: str) -> None:
    _, stack = rendered(text)
    for name in ("submit", "collect"):
        output = stack["Outputs"][f"{name}VpcConfig"]
        assert output["Condition"] == "InVpc"
        groups = {"VpcSubnetIds": "subnet-1,subnet-2", "VpcSecurityGroupIds": "sg-1,sg-2"}
        assert plain(output["Value"], groups) == "SubnetIds=subnet-1,subnet-2,SecurityGroupIds=sg-1,sg-2"


@pytest.mark.parametrize(
    ("written", "instead", "error"),
    [
        (HANDLER, HANDLER + "      EphemeralStorage: {Size: 1024}\n", "SubmitFunction: .* where EphemeralStorage goes"),
        ("!GetAtt SubmitFunction.Arn", "!GetAtt SubmitFunction.SnapStartResponse", "SubmitFunction: only !Ref"),
        ("Transform: AWS::Serverless", "Transform: AWS::Other", "Transform is AWS::Other"),
        ("AWS::SNS::Topic\n", "AWS::Serverless::Api\n", "SuccessTopic: of SAM's resources, only functions"),
    ],
)
def test_what_would_be_lost_is_named(text: str, written: str, instead: str, error: str) -> None:
    assert written in text
    with pytest.raises(ValueError, match=error):
        without_functions(text.replace(written, instead, 1))


def test_the_local_variables_are_ones_that_a_function_reads() -> None:
    config = (ROOT / "src/config.rs").read_text(encoding="utf-8")
    variables = (ROOT / "examples/cargo-lambda.env").read_text(encoding="utf-8")
    names = re.findall(r"^(\w+)=.+$", variables, re.MULTILINE)
    assert [name for name in names if name.startswith("BRIDGE_") and f'"{name}"' not in config] == []
    assert [name for name in names if not name.startswith(("BRIDGE_", "AWS_"))] == []
