"""Somebody is told of a dead letter: each dead-letter queue has a CloudWatch alarm, and which of them are in ALARM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from doctor.checks.dead_letters import count_of, move_commands
from doctor.commands import Shell, aws
from doctor.finding import Finding, cannot_tell, findings_of, ok, wrong
from doctor.queue_commands import DEAD_LETTER_QUEUES
from doctor.stack import Stack

NAMESPACE = "AWS/SQS"
# Metrics of a queue that tell of messages in it.
METRICS = ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage")


def check(stack: Stack) -> Iterator[Finding]:
    """The alarms on each dead-letter queue."""
    for logical_id in DEAD_LETTER_QUEUES.values():
        if logical_id not in stack.resources:
            continue
        yield from findings_of(f"alarm on {logical_id}", alarms, stack, logical_id)


def alarms(stack: Stack, logical_id: str) -> Iterator[Finding]:
    """The alarms on one queue."""
    subject = f"alarm on {logical_id}"
    found = on_queue(stack, stack.queue_name(logical_id))
    if not found:
        yield wrong(subject, "no alarm: nobody is told when a message lands there", *create_commands(stack, logical_id))
    for alarm in found:
        yield alarm_finding(stack, logical_id, alarm)


def on_queue(stack: Stack, queue_name: str) -> list[dict[str, Any]]:
    """Alarms on a queue's metrics."""
    dimensions = [{"Name": "QueueName", "Value": queue_name}]
    found = [
        alarm
        for metric in METRICS
        for alarm in stack.aws.ask(
            "cloudwatch", "describe_alarms_for_metric", Namespace=NAMESPACE, MetricName=metric, Dimensions=dimensions
        )["MetricAlarms"]
    ]
    return [alarm for alarm in found if alarm.get("Dimensions") == dimensions]


def alarm_finding(stack: Stack, logical_id: str, alarm: dict[str, Any]) -> Finding:
    """One alarm: whether it acts, and its state."""
    name = alarm["AlarmName"]
    subject = f"alarm on {logical_id}"
    if alarm.get("ActionsEnabled") is False:
        mend = aws("cloudwatch enable-alarm-actions", alarm_names=[name])
        return wrong(subject, f"the actions of {name} are disabled: nobody is told", mend)
    if alarm["StateValue"] != "ALARM":
        to = "" if alarm.get("AlarmActions") else ", without an action of its own"
        return ok(subject, f"{name}: {alarm['StateValue']}{to}")
    if count_of(stack.queue_attributes(stack.resources[logical_id])) == 0:
        return cannot_tell(
            subject, f"{name} is in ALARM although the queue is empty: it returns to OK within its period"
        )
    return wrong(subject, f"{name} is in ALARM: the queue is not empty", *move_commands(stack, logical_id))


def create_commands(stack: Stack, logical_id: str) -> list[str]:
    """Commands that create an alarm, and a topic for it unless the stack knows one."""
    topic = stack.parameters.get("AlarmTopicArn", "")
    mail = 'aws sns subscribe --topic-arn "$TOPIC" --protocol email --notification-endpoint YOU@EXAMPLE.COM'
    new_topic = aws("sns create-topic", name=f"{stack.name}-alarms", query="TopicArn", output="text")
    alarm = aws(
        "cloudwatch put-metric-alarm",
        alarm_name=f"{stack.name}-{logical_id}",
        namespace=NAMESPACE,
        metric_name=METRICS[0],
        dimensions=[f"Name=QueueName,Value={stack.queue_name(logical_id)}"],
        statistic="Maximum",
        period="60",
        evaluation_periods="1",
        threshold="0",
        comparison_operator="GreaterThanThreshold",
        treat_missing_data="notBreaching",
        alarm_actions=[topic or Shell('"$TOPIC"')],
    )
    return [alarm] if topic else [f'TOPIC="$({new_topic})"', f"# who is told: {mail}", alarm]
