"""The examples of https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-autoscale.html, run by boto3.

A minute of CloudWatch's and Application Auto Scaling's takes a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, wait_for
from tests.emulator.conftest import Emulator
from tests.gate import Gate

ENDPOINT = "demo"
VARIANT = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": f"endpoint/{ENDPOINT}/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
DIMENSIONS = [{"Name": "EndpointName", "Value": ENDPOINT}]
BACKLOG_PER_INSTANCE = {
    "MetricName": "ApproximateBacklogSizePerInstance",
    "Namespace": "AWS/SageMaker",
    "Dimensions": DIMENSIONS,
    "Statistic": "Average",
}


class Scaled:
    """An endpoint and the clients to scale it with."""

    def __init__(self, emulator: Emulator) -> None:
        self.sagemaker = emulator.client("sagemaker")
        self.runtime = emulator.client("sagemaker-runtime")
        self.scaling = emulator.client("application-autoscaling")
        self.cloudwatch = emulator.client("cloudwatch")
        self.s3 = emulator.client("s3")

    def register(self, maximum: int = 5, minimum: int = 0) -> str:
        answer = self.scaling.register_scalable_target(**VARIANT, MinCapacity=minimum, MaxCapacity=maximum)
        return answer["ScalableTargetARN"]

    def track(self, metric: dict[str, Any] | None = None, target: float = 5.0, **more: Any) -> dict[str, Any]:
        return self.scaling.put_scaling_policy(
            **VARIANT,
            PolicyName="Invocations-ScalingPolicy",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": target,
                "CustomizedMetricSpecification": metric or BACKLOG_PER_INSTANCE,
                "ScaleInCooldown": 300,
                "ScaleOutCooldown": 300,
                **more,
            },
        )

    def wake_on_backlog(self) -> str:
        """The optional policy that scales up from zero for new requests."""
        policy = self.scaling.put_scaling_policy(
            **VARIANT,
            PolicyName="HasBacklogWithoutCapacity-ScalingPolicy",
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration={
                "AdjustmentType": "ChangeInCapacity",
                "MetricAggregationType": "Average",
                "Cooldown": 300,
                "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
            },
        )
        self.cloudwatch.put_metric_alarm(
            AlarmName="has-backlog",
            MetricName="HasBacklogWithoutCapacity",
            Namespace="AWS/SageMaker",
            Statistic="Average",
            EvaluationPeriods=2,
            DatapointsToAlarm=2,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="missing",
            Dimensions=DIMENSIONS,
            Period=60,
            AlarmActions=[policy["PolicyARN"]],
        )
        return policy["PolicyARN"]

    def invoke(self, times: int) -> None:
        for _ in range(times):
            self.runtime.invoke_endpoint_async(EndpointName=ENDPOINT, Body=b"x")

    def instances(self) -> int:
        return self.sagemaker.describe_endpoint(EndpointName=ENDPOINT)["ProductionVariants"][0]["CurrentInstanceCount"]

    def wait_for_instances(self, instances: int) -> None:
        wait_for(lambda: self.instances() == instances, PATIENCE_SECONDS, f"{instances} instances")

    def activities(self) -> list[dict[str, Any]]:
        """The oldest first."""
        activities = self.scaling.describe_scaling_activities(**VARIANT)["ScalingActivities"]
        return activities[::-1]

    def decided(self) -> list[int]:
        """The numbers of instances that the activities have set."""
        return [int(activity["Description"].split()[-1].rstrip(".")) for activity in self.activities()]

    def outputs(self) -> int:
        """How many invocations have been answered."""
        return self.s3.list_objects_v2(Bucket="sagemaker", Prefix="output/")["KeyCount"]

    def minutes(self, metric: str, since: datetime) -> list[float]:
        """A metric by the minute."""
        answer = self.cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=DIMENSIONS,
            StartTime=since,
            EndTime=since + timedelta(hours=1),
            Period=60,
            Statistics=["Average"],
        )
        return [point["Average"] for point in answer["Datapoints"]]

    def newest(self, metric: str, since: datetime) -> float | None:
        """A metric's last minute, if there is one."""
        return next(reversed(self.minutes(metric, since)), None)

    def put(self, name: dict[str, Any], value: float) -> None:
        """A metric of one's own, for seconds in advance: no minute is without it, however seldom this is called."""
        now = datetime.now(UTC)
        # A little more than one for each minute, and at once no more than boto3 sends uncompressed.
        for first in range(-10, 110, 40):
            times = [now + timedelta(milliseconds=70 * number) for number in range(first, first + 40)]
            data = [name | {"Value": value, "Timestamp": time} for time in times]
            self.cloudwatch.put_metric_data(Namespace="Mine", MetricData=data)


@pytest.fixture
def scaled(start: Callable[..., Emulator]) -> Callable[..., Scaled]:
    def scaled(model: str = "echo", *arguments: str) -> Scaled:
        one_at_a_time = ("--max-concurrent-invocations-per-instance", "1")
        return Scaled(start("--endpoint", f"{ENDPOINT}={model}", "--time-scale", "600", *one_at_a_time, *arguments))

    return scaled


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate.serving() as gate:
        yield gate


def test_an_endpoint_scales_from_zero_up_under_load_and_down_again(scaled: Callable[..., Scaled], gate: Gate) -> None:
    endpoint = scaled(gate.url)
    endpoint.register(maximum=1)
    endpoint.track()
    endpoint.wake_on_backlog()
    endpoint.wait_for_instances(0)
    since = datetime.now(UTC)
    with gate.closed():
        endpoint.invoke(40)
        # However long the sending has taken, further instances are allowed when all of it is there.
        wait_for(lambda: endpoint.newest("ApproximateBacklogSize", since) == 40, PATIENCE_SECONDS, "the whole backlog")
        wait_for(lambda: endpoint.decided() == [0, 1], PATIENCE_SECONDS, "the first instance")
        endpoint.register()
        # By the activities: who asks for the instances now and then may miss those that are there for a moment.
        wait_for(lambda: endpoint.decided()[:3] == [0, 1, 5], PATIENCE_SECONDS, "up to five instances")
    wait_for(lambda: endpoint.decided()[-1] == 0, PATIENCE_SECONDS, "down to none")
    endpoint.wait_for_instances(0)
    down, woken, up = endpoint.activities()[:3]
    assert "-AlarmLow-" in down["Cause"]
    assert woken["Cause"] == (
        "monitor alarm has-backlog in state ALARM triggered policy HasBacklogWithoutCapacity-ScalingPolicy"
    )
    assert "-AlarmHigh-" in up["Cause"]
    assert "triggered policy Invocations-ScalingPolicy" in up["Cause"]
    assert {activity["StatusCode"] for activity in endpoint.activities()} == {"Successful"}
    assert all(activity["EndTime"] >= activity["StartTime"] for activity in endpoint.activities())
    assert up["StatusMessage"] == (
        "Successfully set desired instance count to 5. Change successfully fulfilled by sagemaker."
    )


def test_without_the_step_policy_a_backlog_below_the_target_hangs(scaled: Callable[..., Scaled]) -> None:
    endpoint = scaled()
    endpoint.register()
    endpoint.track()
    endpoint.wait_for_instances(0)
    since = datetime.now(UTC)
    endpoint.invoke(4)
    # Half an hour of the emulator's: AWS's own alarm of the step policy would have fired after two minutes.
    wait_for(
        lambda: endpoint.minutes("HasBacklogWithoutCapacity", since).count(1) >= 30, PATIENCE_SECONDS, "half an hour"
    )
    assert endpoint.instances() == 0
    assert [activity["Description"] for activity in endpoint.activities()] == ["Setting desired instance count to 0."]
    assert endpoint.minutes("ApproximateBacklogSizePerInstance", since)[-1] == 4

    endpoint.wake_on_backlog()
    endpoint.wait_for_instances(1)


def test_a_backlog_above_the_target_wakes_without_the_step_policy(scaled: Callable[..., Scaled]) -> None:
    endpoint = scaled("sleep:3600")
    endpoint.register()
    endpoint.track()
    endpoint.wait_for_instances(0)
    endpoint.invoke(6)
    endpoint.wait_for_instances(2)


def test_a_registered_target_decides_instead_of_scale_to_zero_after(scaled: Callable[..., Scaled]) -> None:
    endpoint = scaled("echo", "--scale-to-zero-after", "0.2")
    # Before it was registered, the endpoint may have gone to zero already.
    endpoint.register(minimum=1)
    endpoint.wait_for_instances(1)
    endpoint.register()
    since = datetime.now(UTC)
    wait_for(lambda: len(endpoint.minutes("ApproximateBacklogSize", since)) >= 10, PATIENCE_SECONDS, "ten minutes")
    assert endpoint.instances() == 1
    endpoint.scaling.deregister_scalable_target(**VARIANT)
    endpoint.wait_for_instances(0)
    # The instance that wakes for it is gone again at once.
    endpoint.invoke(1)
    wait_for(endpoint.outputs, PATIENCE_SECONDS, "the answer of an endpoint at zero")


def test_a_metric_of_ones_own_is_tracked_too(scaled: Callable[..., Scaled]) -> None:
    endpoint = scaled()
    endpoint.register()
    name = {"MetricName": "Waiting", "Dimensions": [{"Name": "Queue", "Value": "orders"}]}
    metrics = [
        {
            "Id": "waiting",
            "MetricStat": {"Metric": {"Namespace": "Mine", **name}, "Stat": "Average"},
            "ReturnData": False,
        },
        {"Id": "tens", "Expression": "waiting / 10", "ReturnData": True},
    ]
    endpoint.track({"Metrics": metrics}, target=2.0, DisableScaleIn=True)

    def scales() -> bool:
        endpoint.put(name, 80.0)
        return endpoint.activities() != []

    wait_for(scales, PATIENCE_SECONDS, "an activity")
    assert endpoint.activities()[0]["Description"] == "Setting desired instance count to 4."


def test_an_alarm_that_is_set_scales_at_once(scaled: Callable[..., Scaled]) -> None:
    endpoint = scaled()
    endpoint.register()
    step = {"AdjustmentType": "ExactCapacity", "StepAdjustments": [{"ScalingAdjustment": 3}]}
    policy = endpoint.scaling.put_scaling_policy(**VARIANT, PolicyName="three", StepScalingPolicyConfiguration=step)
    load = {"MetricName": "Load"}
    endpoint.cloudwatch.put_metric_alarm(
        AlarmName="busy",
        Namespace="Mine",
        **load,
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=100,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[policy["PolicyARN"]],
    )
    # A policy needs a value to go by.
    endpoint.put(load, 1.0)
    endpoint.cloudwatch.set_alarm_state(AlarmName="busy", StateValue="ALARM", StateReason="to see")
    assert endpoint.activities()[0]["Cause"] == "monitor alarm busy in state ALARM triggered policy three"
    endpoint.wait_for_instances(3)


def test_new_bounds_hold_at_once_and_the_accounts_limit_does_too(scaled: Callable[..., Scaled]) -> None:
    endpoint = scaled("echo", "--instance-limit", "3")
    endpoint.scaling.register_scalable_target(**VARIANT, MinCapacity=2, MaxCapacity=5)
    endpoint.wait_for_instances(2)
    (activity,) = endpoint.activities()
    assert activity["Cause"] == "minimum capacity was set to 2"
    endpoint.scaling.register_scalable_target(**VARIANT, MinCapacity=4)
    wait_for(lambda: endpoint.activities()[-1]["StatusCode"] == "Failed", PATIENCE_SECONDS, "failure")
    failed = endpoint.activities()[-1]
    assert "The account-level service limit" in failed["StatusMessage"]
    assert endpoint.instances() == 2
    endpoint.scaling.register_scalable_target(**VARIANT, MinCapacity=0, MaxCapacity=1)
    endpoint.wait_for_instances(1)


def test_a_suspended_target_does_not_scale(scaled: Callable[..., Scaled]) -> None:
    endpoint = scaled()
    endpoint.scaling.register_scalable_target(
        **VARIANT, MinCapacity=0, MaxCapacity=1, SuspendedState={"DynamicScalingInSuspended": True}
    )
    alarms = endpoint.track()["Alarms"]
    low = next(alarm["AlarmName"] for alarm in alarms if "AlarmLow" in alarm["AlarmName"])

    def states() -> list[str]:
        return [a["StateValue"] for a in endpoint.cloudwatch.describe_alarms(AlarmNames=[low])["MetricAlarms"]]

    wait_for(lambda: states() == ["ALARM"], PATIENCE_SECONDS, "low alarm")
    since = datetime.now(UTC)
    wait_for(lambda: len(endpoint.minutes("ApproximateBacklogSize", since)) >= 3, PATIENCE_SECONDS, "three minutes")
    assert endpoint.instances() == 1
    endpoint.scaling.register_scalable_target(**VARIANT, SuspendedState={"DynamicScalingInSuspended": False})
    endpoint.wait_for_instances(0)


def test_targets_and_policies_are_described_as_they_were_made(scaled: Callable[..., Scaled]) -> None:
    endpoint = scaled()
    arn = endpoint.register()
    (target,) = endpoint.scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[VARIANT["ResourceId"]]
    )["ScalableTargets"]
    assert target.items() >= (VARIANT | {"MinCapacity": 0, "MaxCapacity": 5, "ScalableTargetARN": arn}).items()
    assert "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint" in target["RoleARN"]
    assert endpoint.register(maximum=7) == arn

    tracking = endpoint.track()
    high, low = (alarm["AlarmName"] for alarm in tracking["Alarms"])
    assert high.startswith(f"TargetTracking-{VARIANT['ResourceId']}-AlarmHigh-")
    assert low.startswith(f"TargetTracking-{VARIANT['ResourceId']}-AlarmLow-")
    described = {alarm["AlarmName"]: alarm for alarm in endpoint.cloudwatch.describe_alarms()["MetricAlarms"]}
    members = ("ComparisonOperator", "Threshold", "EvaluationPeriods", "Period", "AlarmActions")
    assert [described[high][member] for member in members] == [
        "GreaterThanThreshold",
        5,
        3,
        60,
        [tracking["PolicyARN"]],
    ]
    assert [described[low][member] for member in members] == ["LessThanThreshold", 4.5, 15, 60, [tracking["PolicyARN"]]]
    assert endpoint.track(target=6.0)["Alarms"] == tracking["Alarms"]

    step_arn = endpoint.wake_on_backlog()
    policies = endpoint.scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert [policy["PolicyName"] for policy in policies] == [
        "HasBacklogWithoutCapacity-ScalingPolicy",
        "Invocations-ScalingPolicy",
    ]
    step, tracked = policies
    assert (step["PolicyARN"], [alarm["AlarmName"] for alarm in step["Alarms"]]) == (step_arn, ["has-backlog"])
    assert tracked["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"] == BACKLOG_PER_INSTANCE
    assert step_arn.endswith(f":resource/sagemaker/{VARIANT['ResourceId']}:policyName/{step['PolicyName']}")

    endpoint.scaling.delete_scaling_policy(**VARIANT, PolicyName="Invocations-ScalingPolicy")
    assert [alarm["AlarmName"] for alarm in endpoint.cloudwatch.describe_alarms()["MetricAlarms"]] == ["has-backlog"]
    endpoint.track()
    endpoint.scaling.deregister_scalable_target(**VARIANT)
    assert endpoint.scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"] == []
    # Those that the user put stay.
    assert [alarm["AlarmName"] for alarm in endpoint.cloudwatch.describe_alarms()["MetricAlarms"]] == ["has-backlog"]


def test_lists_have_pages(scaled: Callable[..., Scaled]) -> None:
    endpoint = scaled()
    endpoint.register()
    step = {"AdjustmentType": "ExactCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}]}
    for number in range(3):
        endpoint.scaling.put_scaling_policy(**VARIANT, PolicyName=str(number), StepScalingPolicyConfiguration=step)
    pages = endpoint.scaling.get_paginator("describe_scaling_policies").paginate(
        ServiceNamespace="sagemaker", PaginationConfig={"PageSize": 2}
    )
    assert [[policy["PolicyName"] for policy in page["ScalingPolicies"]] for page in pages] == [["0", "1"], ["2"]]


STEP = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}]}


@pytest.mark.parametrize(
    ("operation", "request_", "code", "message"),
    [
        ("register_scalable_target", {"MaxCapacity": 1}, "ValidationException", "MinCapacity is required"),
        (
            "register_scalable_target",
            {"MinCapacity": 2, "MaxCapacity": 1},
            "ValidationException",
            "Maximum capacity cannot be less",
        ),
        (
            "register_scalable_target",
            {"ResourceId": "endpoint/none/variant/AllTraffic", "MinCapacity": 0, "MaxCapacity": 1},
            "ValidationException",
            r'Could not find endpoint "arn:aws:sagemaker:us-east-1:000000000000:endpoint/none"\.',
        ),
        (
            "register_scalable_target",
            {"ResourceId": "endpoint/demo/variant/none", "MinCapacity": 0, "MaxCapacity": 1},
            "ValidationException",
            "no variant none",
        ),
        (
            "register_scalable_target",
            {"ResourceId": "demo", "MinCapacity": 0, "MaxCapacity": 1},
            "ValidationException",
            "endpoint/ENDPOINT/variant/VARIANT",
        ),
        ("deregister_scalable_target", {}, "ObjectNotFoundException", "No scalable target registered for service nam"),
        ("delete_scaling_policy", {"PolicyName": "p"}, "ObjectNotFoundException", "No scaling policy found"),
        (
            "put_scaling_policy",
            {"PolicyName": "p", "StepScalingPolicyConfiguration": STEP},
            "ObjectNotFoundException",
            "No scalable target registered",
        ),
        ("describe_scalable_targets", {"NextToken": "x"}, "InvalidNextTokenException", "next token"),
        ("describe_scalable_targets", {"ServiceNamespace": "ecs"}, "ValidationException", "sagemaker alone, not ecs"),
    ],
)
def test_what_is_refused_has_application_auto_scalings_codes(
    scaled: Callable[..., Scaled], operation: str, request_: dict, code: str, message: str
) -> None:
    scaling = scaled().scaling
    variant = {"ServiceNamespace": "sagemaker"} if operation.startswith("describe") else VARIANT
    with pytest.raises(scaling.exceptions.ClientError, match=message) as refused:
        getattr(scaling, operation)(**variant | request_)
    assert refused.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"PolicyType": "StepScaling"}, "needs a StepScalingPolicyConfiguration"),
        ({"PolicyType": "PredictiveScaling"}, "enum value set"),
        ({"StepScalingPolicyConfiguration": STEP | {"StepAdjustments": []}}, "1 to 20 StepAdjustments"),
        ({"StepScalingPolicyConfiguration": STEP | {"AdjustmentType": "Change"}}, "ExactCapacity"),
        (
            {"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 1.0}},
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification",
        ),
        (
            {
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": 0.0,
                    "CustomizedMetricSpecification": BACKLOG_PER_INSTANCE,
                },
            },
            "be greater than 0",
        ),
        (
            {
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": 1.0,
                    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
                },
            },
            "SageMakerVariantInvocationsPerInstance alone",
        ),
    ],
)
def test_a_policy_that_cannot_scale_is_refused(scaled: Callable[..., Scaled], policy: dict, message: str) -> None:
    endpoint = scaled()
    endpoint.register()
    with pytest.raises(endpoint.scaling.exceptions.ValidationException, match=message):
        endpoint.scaling.put_scaling_policy(**VARIANT, PolicyName="p", **policy)
