"""The AWS CLI's commands of https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-autoscale.html."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local.bridge import PATIENCE_SECONDS, REGION, ROOT_KEY, wait_for
from tests.emulator.conftest import Emulator

AWS = Path(sys.executable).with_name("aws")
VARIANT = [
    *("--service-namespace", "sagemaker"),
    *("--resource-id", "endpoint/demo/variant/AllTraffic"),
    *("--scalable-dimension", "sagemaker:variant:DesiredInstanceCount"),
]
TRACKING = {
    "TargetValue": 5.0,
    "CustomizedMetricSpecification": {
        "MetricName": "ApproximateBacklogSizePerInstance",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": "EndpointName", "Value": "demo"}],
        "Statistic": "Average",
    },
}


def test_an_endpoint_is_scaled_and_watched_by_the_command_line(start: Callable[..., Emulator]) -> None:
    emulator = start("--endpoint", "demo=echo", "--time-scale", "600")
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
    }

    def aws(*arguments: str) -> Any:
        done = subprocess.run(
            [AWS, *arguments], env=environment, stdout=subprocess.PIPE, check=True, timeout=PATIENCE_SECONDS, text=True
        )
        return json.loads(done.stdout) if done.stdout.strip() else None

    def scaling(command: str, *more: str) -> Any:
        return aws("application-autoscaling", command, *VARIANT, *more)

    scaling("register-scalable-target", "--min-capacity", "0", "--max-capacity", "5")
    policy = scaling(
        "put-scaling-policy",
        *("--policy-name", "backlog"),
        *("--policy-type", "TargetTrackingScaling"),
        *("--target-tracking-scaling-policy-configuration", json.dumps(TRACKING)),
    )
    names = [alarm["AlarmName"] for alarm in policy["Alarms"]]
    wait_for(lambda: scaling("describe-scaling-activities")["ScalingActivities"], PATIENCE_SECONDS, "activity")

    def states() -> set[str]:
        alarms = aws("cloudwatch", "describe-alarms", "--alarm-names", *names)["MetricAlarms"]
        return {alarm["StateValue"] for alarm in alarms}

    # An emulator that has got no turn for some of its minutes does not know for a while.
    wait_for(lambda: states() == {"OK", "ALARM"}, PATIENCE_SECONDS, "both states")
    now = datetime.now(UTC)
    statistics = aws(
        *("cloudwatch", "get-metric-statistics", "--namespace", "AWS/SageMaker"),
        *("--metric-name", "ApproximateBacklogSizePerInstance", "--dimensions", "Name=EndpointName,Value=demo"),
        *("--statistics", "Average", "--period", "60"),
        *("--start-time", (now - timedelta(minutes=5)).isoformat(), "--end-time", now.isoformat()),
    )
    assert {point["Average"] for point in statistics["Datapoints"]} == {0}
    scaling("deregister-scalable-target")
    assert aws("application-autoscaling", "describe-scalable-targets", *VARIANT[:2])["ScalableTargets"] == []
