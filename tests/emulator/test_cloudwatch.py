"""boto3's CloudWatch client reads the endpoints' metrics, by each of the protocols that it has spoken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.model
import pytest

from local.bridge import PATIENCE_SECONDS, wait_for
from tests.emulator.conftest import Emulator

# A minute of CloudWatch's takes a tenth of a second.
FAST = ("--time-scale", "600")
ENDPOINT = [{"Name": "EndpointName", "Value": "demo"}]
VARIANT = [*ENDPOINT, {"Name": "VariantName", "Value": "AllTraffic"}]


@pytest.fixture(params=["smithy-rpc-v2-cbor", "json", "query"])
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The next CloudWatch client speaks it, whatever botocore would choose."""
    monkeypatch.setattr(botocore.model, "PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", [request.param, "rest-json"])
    return request.param


def client(emulator: Emulator, protocol: str) -> Any:
    cloudwatch = emulator.client("cloudwatch")
    assert cloudwatch.meta.service_model.resolved_protocol == protocol
    return cloudwatch


def hour() -> dict[str, datetime]:
    now = datetime.now(UTC)
    return {"StartTime": now - timedelta(minutes=30), "EndTime": now + timedelta(minutes=30)}


def test_metrics_of_an_endpoint_are_listed_and_read(start: Callable[..., Emulator], protocol: str) -> None:
    minute = timedelta(minutes=1)
    begun = datetime.now(UTC)
    emulator = start("--endpoint", "demo=echo", *FAST)
    cloudwatch = client(emulator, protocol)
    for _ in range(3):
        emulator.client("sagemaker-runtime").invoke_endpoint_async(EndpointName="demo", Body=b"x")

    def processed() -> list[dict]:
        return cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName="InvocationsProcessed",
            Dimensions=VARIANT,
            Period=60,
            Statistics=["Sum", "Maximum"],
            **hour(),
        )["Datapoints"]

    wait_for(lambda: sum(point["Sum"] for point in processed()) == 3, PATIENCE_SECONDS, "datapoints")
    for point in processed():
        assert point["Unit"] == "Count"
        assert point["Maximum"] == 1
        assert begun - minute < point["Timestamp"] < datetime.now(UTC) + minute
    listed = cloudwatch.list_metrics(Namespace="AWS/SageMaker", Dimensions=ENDPOINT)["Metrics"]
    dimensions = {metric["MetricName"]: metric["Dimensions"] for metric in listed}
    assert dimensions["ApproximateBacklogSizePerInstance"] == ENDPOINT
    assert dimensions["TimeInBacklog"] == VARIANT
    assert cloudwatch.list_metrics(MetricName="TimeInBacklog", Dimensions=[{"Name": "Other"}])["Metrics"] == []


def test_metrics_of_ones_own_are_written_read_and_calculated_with(
    start: Callable[..., Emulator], protocol: str
) -> None:
    cloudwatch = client(start(), protocol)
    now = datetime.now(UTC).replace(second=30, microsecond=0)
    dimensions = [{"Name": "Queue & <more>", "Value": "7"}]
    data: list[dict[str, Any]] = [
        {"Value": 4.5},
        {"Values": [1.0, 2.0], "Counts": [1.0, 3.0], "Timestamp": now - timedelta(minutes=2)},
        {"StatisticValues": {"SampleCount": 2, "Sum": 8, "Minimum": 3, "Maximum": 5}},
    ]
    common = {"MetricName": "Waiting", "Dimensions": dimensions, "Unit": "Count", "Timestamp": now}
    cloudwatch.put_metric_data(Namespace="Mine", MetricData=[common | datum for datum in data])
    metric = {"Namespace": "Mine", "MetricName": "Waiting", "Dimensions": dimensions}
    assert cloudwatch.list_metrics()["Metrics"] == [metric]
    queries = [
        {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "Label": "waiting"},
        {"Id": "hidden", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "SampleCount"}, "ReturnData": False},
        {"Id": "half", "Expression": "m / 2"},
        {"Id": "average", "Expression": "m / hidden"},
    ]
    answer = cloudwatch.get_metric_data(MetricDataQueries=queries, ScanBy="TimestampAscending", **hour())
    results = {result["Id"]: result for result in answer["MetricDataResults"]}
    assert {name: result["Values"] for name, result in results.items()} == {
        "m": [7.0, 12.5],
        "half": [3.5, 6.25],
        "average": [1.75, 12.5 / 3],
    }
    minute = now.replace(second=0)
    assert results["m"]["Timestamps"] == [minute - timedelta(minutes=2), minute]
    assert (results["m"]["Label"], results["m"]["StatusCode"]) == ("waiting", "Complete")
    assert cloudwatch.get_metric_data(MetricDataQueries=queries, **hour())["MetricDataResults"][0]["Values"] == [
        12.5,
        7.0,
    ]


def test_a_compressed_request_is_told_what_to_do(start: Callable[..., Emulator]) -> None:
    cloudwatch = start().client("cloudwatch")
    data = [{"MetricName": f"metric-{number}", "Value": 1.0} for number in range(1000)]
    with pytest.raises(cloudwatch.exceptions.ClientError, match="AWS_DISABLE_REQUEST_COMPRESSION=true"):
        cloudwatch.put_metric_data(Namespace="Mine", MetricData=data)
    for first in range(0, 1000, 100):
        cloudwatch.put_metric_data(Namespace="Mine", MetricData=data[first : first + 100])
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace="Mine")
    assert [len(page["Metrics"]) for page in pages] == [500, 500]


def test_all_of_time_is_read_as_quickly_as_a_day(start: Callable[..., Emulator]) -> None:
    cloudwatch = start().client("cloudwatch")
    cloudwatch.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "m", "Value": 1}])
    metric = {"Namespace": "Mine", "MetricName": "m"}
    query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    always = {"StartTime": datetime(1970, 1, 1, tzinfo=UTC), "EndTime": datetime(9999, 1, 1, tzinfo=UTC)}
    (result,) = cloudwatch.get_metric_data(MetricDataQueries=[query], **always)["MetricDataResults"]
    assert result["Values"] == [1.0]


@pytest.mark.parametrize(
    ("operation", "request_", "code", "message"),
    [
        ("put_metric_data", {"Namespace": "AWS/SageMaker", "MetricData": []}, "InvalidParameterValue", "AWS/"),
        ("put_metric_data", {"Namespace": "N", "MetricData": [{"MetricName": "m"}]}, "MissingParameter", "Values"),
        (
            "get_metric_statistics",
            {"Namespace": "N", "MetricName": "m", "Period": 60, **hour()},
            "InvalidParameterCombination",
            "At least one of the parameters Statistics",
        ),
        (
            "get_metric_statistics",
            {"Namespace": "N", "MetricName": "m", "Period": 61, "Statistics": ["Sum"], **hour()},
            "InvalidParameterValue",
            "multiple of 60",
        ),
        (
            "get_metric_data",
            {"MetricDataQueries": [{"Id": "m", "Expression": "SUM(METRICS())"}], **hour()},
            "ValidationError",
            "does not know `SUM`",
        ),
        ("delete_dashboards", {"DashboardNames": ["d"]}, "InvalidAction", "no operation DeleteDashboards"),
    ],
)
def test_what_is_refused_has_cloudwatchs_codes(
    start: Callable[..., Emulator], protocol: str, operation: str, request_: dict, code: str, message: str
) -> None:
    cloudwatch = client(start(), protocol)
    with pytest.raises(cloudwatch.exceptions.ClientError, match=message) as refused:
        getattr(cloudwatch, operation)(**request_)
    assert refused.value.response["Error"]["Code"] == code
