"""CloudWatch alarms on the endpoints' metrics, by boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, wait_for
from tests.emulator.conftest import Emulator

# A minute of CloudWatch's takes a tenth of a second.
FAST = ("--time-scale", "600")
# As AWS's page has it: https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-autoscale.html
HAS_BACKLOG: dict[str, Any] = {
    "AlarmName": "has-backlog",
    "MetricName": "HasBacklogWithoutCapacity",
    "Namespace": "AWS/SageMaker",
    "Statistic": "Average",
    "EvaluationPeriods": 2,
    "DatapointsToAlarm": 2,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "TreatMissingData": "missing",
    "Dimensions": [{"Name": "EndpointName", "Value": "demo"}],
    "Period": 60,
}


def state(cloudwatch: Any, name: str = "has-backlog") -> str:
    return cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


def test_an_alarm_follows_its_metric(start: Callable[..., Emulator]) -> None:
    emulator = start("--endpoint", "demo=echo", "--instances", "1", *FAST)
    sagemaker, cloudwatch = emulator.client("sagemaker"), emulator.client("cloudwatch")
    cloudwatch.put_metric_alarm(**HAS_BACKLOG)
    wait_for(lambda: state(cloudwatch) == "OK", PATIENCE_SECONDS, "state OK")

    def resize(instances: int) -> None:
        sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="demo",
            DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": instances}],
        )

    resize(0)
    emulator.client("sagemaker-runtime").invoke_endpoint_async(EndpointName="demo", Body=b"x")

    def in_alarm() -> list[dict[str, Any]]:
        return cloudwatch.describe_alarms(StateValue="ALARM", AlarmNamePrefix="has-")["MetricAlarms"]

    wait_for(in_alarm, PATIENCE_SECONDS, "state ALARM")
    resize(1)
    wait_for(lambda: state(cloudwatch) == "OK", PATIENCE_SECONDS, "state OK again")


@pytest.mark.parametrize("resolved", ["smithy-rpc-v2-cbor", "json", "query"])
def test_an_alarm_is_described_as_it_was_put(
    start: Callable[..., Emulator], resolved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", [resolved])
    cloudwatch = start().client("cloudwatch")
    arn = "arn:aws:sns:us-east-1:000000000000:topic"
    cloudwatch.put_metric_alarm(**HAS_BACKLOG, AlarmActions=[arn], ActionsEnabled=False)
    metric = {"Namespace": "N", "MetricName": "m"}
    queries = [
        {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
        {"Id": "e", "Expression": "m * 2", "ReturnData": True},
    ]
    cloudwatch.put_metric_alarm(
        AlarmName="math",
        Metrics=queries,
        EvaluationPeriods=1,
        Threshold=2.5,
        ComparisonOperator="LessThanThreshold",
    )
    page = cloudwatch.describe_alarms(MaxRecords=1)
    (described,) = page["MetricAlarms"]
    assert described.items() >= (HAS_BACKLOG | {"AlarmActions": [arn], "ActionsEnabled": False}).items()
    assert described["AlarmArn"] == "arn:aws:cloudwatch:us-east-1:000000000000:alarm:has-backlog"
    (described,) = cloudwatch.describe_alarms(MaxRecords=1, NextToken=page["NextToken"])["MetricAlarms"]
    assert (described["AlarmName"], described["Threshold"], described["Metrics"]) == ("math", 2.5, queries)
    found = cloudwatch.describe_alarms_for_metric(
        Namespace="AWS/SageMaker", MetricName="HasBacklogWithoutCapacity", Dimensions=HAS_BACKLOG["Dimensions"]
    )
    assert [alarm["AlarmName"] for alarm in found["MetricAlarms"]] == ["has-backlog"]

    cloudwatch.set_alarm_state(AlarmName="math", StateValue="ALARM", StateReason="to see")
    (described,) = cloudwatch.describe_alarms(AlarmNames=["math"])["MetricAlarms"]
    assert (described["StateValue"], described["StateReason"]) == ("ALARM", "to see")
    with pytest.raises(cloudwatch.exceptions.ResourceNotFound, match="Unknown alarm other"):
        cloudwatch.delete_alarms(AlarmNames=["math", "other"])
    cloudwatch.delete_alarms(AlarmNames=["math", "has-backlog"])
    assert cloudwatch.describe_alarms()["MetricAlarms"] == []
