"""examples/endpoint.yaml makes an endpoint that a stack of template.yaml can use as it is."""

from __future__ import annotations

import re

import pytest
from resolve import Template

from local.stack import ROOT


@pytest.fixture(scope="module")
def example() -> Template:
    return Template((ROOT / "examples" / "endpoint.yaml").read_text(encoding="utf-8"))


def test_its_name_is_one_that_the_role_s_arn_matches(example: Template, template: Template) -> None:
    pattern = re.compile(example.raw["Parameters"]["EndpointName"]["AllowedPattern"])
    names = ["summarizer", "a", "model-2"]
    assert all(pattern.fullmatch(name) for name in names)
    assert all(re.fullmatch(template.raw["Parameters"]["EndpointName"]["AllowedPattern"], name) for name in names)
    assert not any(pattern.fullmatch(name) for name in ("Summarizer", "-a", "a-", "a_b", ""))
    assert example.raw["Resources"]["Endpoint"]["Properties"]["EndpointName"] == {"Ref": "EndpointName"}
    assert example.raw["Outputs"]["EndpointArn"]["Value"] == {"Ref": "Endpoint"}


def test_its_outputs_lie_where_the_stack_reads_them(example: Template) -> None:
    config = example.raw["Resources"]["EndpointConfig"]["Properties"]["AsyncInferenceConfig"]["OutputConfig"]
    assert (config["S3OutputPath"], config["S3FailurePath"]) == (
        {"Fn::Sub": "s3://${BucketName}/output"},
        {"Fn::Sub": "s3://${BucketName}/failure"},
    )


def test_it_encrypts_outputs_with_the_key_that_is_named_and_with_none_else(
    example: Template, template: Template
) -> None:
    given = {"KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/stack"}
    for parameters, expected in (({}, None), (given, {"Ref": "KmsKeyArn"})):
        config = example.resources(**parameters)["EndpointConfig"]["Properties"]["AsyncInferenceConfig"]
        assert config["OutputConfig"].get("KmsKeyId") == expected
    pattern = template.raw["Parameters"]["KmsKeyArn"]["AllowedPattern"]
    assert example.raw["Parameters"]["KmsKeyArn"]["AllowedPattern"] == pattern
