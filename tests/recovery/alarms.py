"""The alarms of a deployed stack against what CloudWatch would measure of it.

ministack has the alarms, but looks at no dimension of theirs, and it knows neither SQS's metrics nor those that the
functions write to their logs."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

from local.stack import LocalStack

OPERATORS = {
    "GreaterThanThreshold": float.__gt__,
    "GreaterThanOrEqualToThreshold": float.__ge__,
    "LessThanThreshold": float.__lt__,
}
STATISTICS = {"Sum": sum, "Maximum": max, "Average": lambda values: sum(values) / len(values), "p99": max}
# As much of SQS's metrics as the queues' attributes say.
QUEUE_METRICS = {"ApproximateNumberOfMessagesVisible": "ApproximateNumberOfMessages"}


class Alarms:
    """Each look is a period: what was measured since the look before."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._cloudwatch = stack.client("cloudwatch")
        pages = stack.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.name)
        listed = [resource for page in pages for resource in page["StackResourceSummaries"]]
        names = {
            resource["PhysicalResourceId"]: resource["LogicalResourceId"]
            for resource in listed
            if resource["ResourceType"] == "AWS::CloudWatch::Alarm"
        }
        found = self._cloudwatch.describe_alarms(AlarmNames=list(names))["MetricAlarms"]
        self.deployed = {names[alarm["AlarmName"]]: alarm for alarm in found}
        assert len(self.deployed) == len(names)
        self._since = datetime.datetime.now(datetime.UTC)

    def breached(self) -> set[str]:
        """The alarms whose threshold the values since the last look breach."""
        since, self._since = self._since, datetime.datetime.now(datetime.UTC)
        written = list(self._written(since))
        return {name for name, alarm in self.deployed.items() if self._is_breached(alarm, since, written)}

    def _is_breached(self, alarm: dict[str, Any], since: datetime.datetime, written: list[dict[str, Any]]) -> bool:
        values = [float(value) for value in self._values(alarm, since, written)]
        if not values:
            return bool(alarm["TreatMissingData"] == "breaching")
        value = STATISTICS[alarm.get("Statistic") or alarm["ExtendedStatistic"]](values)
        return OPERATORS[alarm["ComparisonOperator"]](float(value), float(alarm["Threshold"]))

    def _values(
        self, alarm: dict[str, Any], since: datetime.datetime, written: list[dict[str, Any]]
    ) -> Iterator[float]:
        if "MetricName" not in alarm:  # by a query, of the endpoint's own metrics
            return
        metric = alarm["MetricName"]
        ((dimension, value),) = [(each["Name"], each["Value"]) for each in alarm["Dimensions"]]
        if alarm["Namespace"] == "AWS/SQS" and metric in QUEUE_METRICS:
            url = self._stack.sqs.get_queue_url(QueueName=value)["QueueUrl"]
            attribute = QUEUE_METRICS[metric]
            answer = self._stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[attribute])
            yield float(answer["Attributes"][attribute])
        elif alarm["Namespace"] == "AWS/Lambda":
            points = self._cloudwatch.get_metric_statistics(
                Namespace="AWS/Lambda",
                MetricName=metric,
                Dimensions=alarm["Dimensions"],
                StartTime=since,
                EndTime=self._since,
                Period=60,
                Statistics=["Sum"],
            )["Datapoints"]
            yield from (point["Sum"] for point in points)
        else:
            for line in written:
                if line.get(dimension) == value and metric in line:
                    yield from line[metric] if isinstance(line[metric], list) else [line[metric]]

    def _written(self, since: datetime.datetime) -> Iterator[dict[str, Any]]:
        """The metrics in the functions' logs."""
        start = int(since.timestamp() * 1000)
        for name in ("SubmitLogGroup", "CollectLogGroup"):
            group = self._stack.resource(name)
            pages = self._stack.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
            for event in (event for page in pages for event in page["events"]):
                for line in event["message"].splitlines():
                    if line.startswith('{"_aws"') and (metrics := json.loads(line))["_aws"]["Timestamp"] >= start:
                        yield metrics
