"""Notifications reach `collect`: each topic has its subscription, confirmed, with a dead-letter queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from doctor.commands import aws
from doctor.faults import is_missing
from doctor.finding import Finding, findings_of, ok, wrong
from doctor.stack import Stack

PENDING = "PendingConfirmation"
NO_FILTER = "{}"


def check(stack: Stack) -> Iterator[Finding]:
    """One subscription for each topic; one topic for successes and errors needs one."""
    members: dict[str, list[str]] = {}
    for member, topic in stack.topics.items():
        members.setdefault(topic, []).append(member)
    for topic, names in members.items():
        subject = f"subscription to {' and '.join(names)}"
        yield from findings_of(subject, subscription, stack, topic, subject)


def subscription(stack: Stack, topic: str, subject: str) -> Iterator[Finding]:
    """The subscription of `collect`, or of the queue before it."""
    protocol, endpoint = receiver(stack)
    try:
        listed = stack.aws.ask_all("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
    except ClientError as error:
        if not is_missing(error):
            raise
        # A topic's ARN follows from its name, so this is the same topic again.
        create = aws("sns create-topic", name=topic.rsplit(":", 1)[-1])
        yield wrong(subject, f"the topic {topic} does not exist", create, subscribe(stack, topic))
        return
    found = [entry for entry in listed if (entry["Protocol"], entry["Endpoint"]) == (protocol, endpoint)]
    if not found:
        yield wrong(subject, f"{endpoint} is not subscribed", subscribe(stack, topic))
        return
    arn = found[0]["SubscriptionArn"]
    if not arn.startswith("arn:"):
        # Subscribed anew by the account that owns the endpoint, it needs no confirmation.
        yield wrong(subject, "not confirmed: nothing is delivered", subscribe(stack, topic))
        return
    attributes = stack.aws.ask("sns", "get_subscription_attributes", SubscriptionArn=arn)["Attributes"]
    yield attributes_finding(stack, topic, subject, arn, attributes)


def attributes_finding(stack: Stack, topic: str, subject: str, arn: str, attributes: dict[str, str]) -> Finding:
    """What the subscription's attributes say."""
    if attributes.get(PENDING) == "true":
        return wrong(subject, "not confirmed: nothing is delivered", subscribe(stack, topic))
    unheard = filtered_out(stack, attributes.get("FilterPolicy", ""))
    if unheard:
        changes = filter_attributes(stack, topic)
        commands = [
            aws("sns set-subscription-attributes", subscription_arn=arn, attribute_name=name, attribute_value=value)
            for name, value in changes.items()
        ]
        return wrong(subject, f"its filter keeps the notifications of {', '.join(unheard)} away", *commands)
    target = json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    wanted = redrive(stack)
    if target != wanted["deadLetterTargetArn"]:
        mend = aws(
            "sns set-subscription-attributes",
            subscription_arn=arn,
            attribute_name="RedrivePolicy",
            attribute_value=wanted,
        )
        none = "it has no dead-letter queue: what SNS cannot deliver is lost"
        return wrong(subject, none if target is None else f"its dead-letter queue is {target}, not the stack's", mend)
    return ok(subject, f"confirmed, to {attributes.get('Endpoint', receiver(stack)[1]).rsplit(':', 1)[-1]}")


def receiver(stack: Stack) -> tuple[str, str]:
    """Protocol and endpoint of the subscriptions, by NotificationDelivery."""
    if stack.is_by_queue:
        return "sqs", stack.queue_arn("NotificationQueue")
    function = stack.resources["CollectFunction"]
    return "lambda", f"arn:{stack.partition}:lambda:{stack.region}:{stack.account}:function:{function}"


def redrive(stack: Stack) -> dict[str, Any]:
    """The RedrivePolicy of the subscriptions."""
    return {"deadLetterTargetArn": stack.queue_arn("NotificationDeadLetterQueue")}


def filtered_out(stack: Stack, policy: str) -> list[str]:
    """Endpoints of the stack that a filter does not name. An empty one lets everything through."""
    if policy in ("", NO_FILTER):
        return []
    return [name for name in stack.endpoint_names if f'"{name.lower()}"' not in policy.lower()]


def filter_attributes(stack: Stack, topic: str) -> dict[str, str]:
    """The filter of a subscription. A topic of the user's may carry notifications of other endpoints too: those of the
    stack's pass, whichever case SageMaker writes their names in, and those that name no endpoint.
    """
    if topic not in (stack.parameters.get("SuccessTopicArn"), stack.parameters.get("ErrorTopicArn")):
        return {"FilterPolicy": NO_FILTER}
    names: list[dict[str, Any]] = [{"equals-ignore-case": name} for name in stack.endpoint_names]
    policy = {"requestParameters": {"endpointName": [{"exists": False}, *names]}}
    return {"FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps(policy)}


def subscribe(stack: Stack, topic: str) -> str:
    """The command that subscribes as the template does."""
    protocol, endpoint = receiver(stack)
    attributes = {"RedrivePolicy": json.dumps(redrive(stack))}
    if stack.is_by_queue:
        attributes["RawMessageDelivery"] = "true"
    attributes |= {name: value for name, value in filter_attributes(stack, topic).items() if value != NO_FILTER}
    return aws(
        "sns subscribe", topic_arn=topic, protocol=protocol, notification_endpoint=endpoint, attributes=attributes
    )
