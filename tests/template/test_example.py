"""examples/endpoint.yaml makes an endpoint that a stack of template.yaml can use as it is."""

from __future__ import annotations

import re

import pytest
from resolve import Template

from local.stack import ROOT
from simulate.autoscaling import MINUTE_SECONDS, WITHOUT_CAPACITY_MINUTES
from simulate.parameters import Bridge, Endpoint, Scaling
from simulate.pipeline import COLLECT_BATCH_SIZE, COLLECT_WINDOW_SECONDS


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


def test_the_simulation_s_defaults_are_its_capacity_and_policies(example: Template) -> None:
    resources = {name: resource["Properties"] for name, resource in example.raw["Resources"].items()}
    endpoint, scaling = Endpoint(), Scaling()
    assert resources["EndpointConfig"]["AsyncInferenceConfig"]["ClientConfig"] == {
        "MaxConcurrentInvocationsPerInstance": endpoint.concurrency
    }
    assert resources["EndpointConfig"]["ProductionVariants"][0]["InitialInstanceCount"] == endpoint.initial_instances
    assert (resources["ScalableTarget"]["MinCapacity"], resources["ScalableTarget"]["MaxCapacity"]) == (
        {"Ref": "MinInstances"},
        {"Ref": "MaxInstances"},
    )
    defaults = [example.raw["Parameters"][name]["Default"] for name in ("MinInstances", "MaxInstances")]
    assert defaults == [endpoint.min_instances, endpoint.max_instances]
    tracking = resources["BacklogPolicy"]["TargetTrackingScalingPolicyConfiguration"]
    assert (tracking["TargetValue"], tracking["ScaleOutCooldown"], tracking["ScaleInCooldown"]) == (
        scaling.target,
        scaling.scale_out_cooldown,
        scaling.scale_in_cooldown,
    )
    step = resources["FromZeroPolicy"]["StepScalingPolicyConfiguration"]
    assert (step["Cooldown"], step["StepAdjustments"]) == (
        scaling.from_zero_cooldown,
        [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
    )
    alarm = resources["BacklogWithoutCapacity"]
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (MINUTE_SECONDS, WITHOUT_CAPACITY_MINUTES)


def test_the_simulation_s_batches_and_bounds_are_those_of_the_template(template: Template) -> None:
    resources = {name: resource.get("Properties", {}) for name, resource in template.raw["Resources"].items()}
    defaults = {name: parameter.get("Default") for name, parameter in template.raw["Parameters"].items()}
    bridge = Bridge()
    submit, collect = resources["SubmitFromRequestQueue"], resources["CollectFromNotificationQueue"]
    assert (submit["BatchSize"], submit["MaximumBatchingWindowInSeconds"]) == (bridge.batch_size, 0)
    assert (collect["BatchSize"], collect["MaximumBatchingWindowInSeconds"]) == (
        COLLECT_BATCH_SIZE,
        COLLECT_WINDOW_SECONDS,
    )
    assert resources["RequestQueue"]["VisibilityTimeout"] == bridge.visibility_timeout
    assert (
        defaults.items()
        >= {
            "MaxConcurrency": bridge.max_concurrency,
            "MaxReceiveCount": bridge.max_receive_count,
            "NotificationDelivery": bridge.notification_delivery,
            "InlineLimitBytes": bridge.inline_limit_bytes,
            "MemorySize": bridge.memory_mb,
            "WatchUnanswered": str(bridge.watch_unanswered).lower(),
            "Deduplicate": str(bridge.deduplicate).lower(),
        }.items()
    )
