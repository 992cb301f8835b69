"""Subscriptions to topics of the user's take the notifications of the stack's own endpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from render import rendered
from resolve import Template, of_type

from local.stack import ROOT

TOPIC = "arn:aws:sns:us-east-1:123456789012:"
SUBSCRIPTION = "AWS::SNS::Subscription"
# https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
COMBINATIONS = 150
LEVEL_OF_THE_NAME = 2
SAMPLES = sorted((ROOT / "events" / "notifications").glob("*.json"))
TEST_NOTIFICATION = {"eventVersion": "1.0", "eventSource": "aws:sagemaker", "eventName": "TestNotification"}


def filters(template: Template, **given: str) -> list[dict[str, Any]]:
    """Filter policies of the subscriptions, {} for one that takes everything."""
    found = of_type(template.resources(EndpointName="summarizer", **given), SUBSCRIPTION).values()
    names = template.values(EndpointName="summarizer", **given)
    for properties in found:
        assert properties.get("FilterPolicyScope") == ("MessageBody" if "FilterPolicy" in properties else None)
    return [json.loads(rendered(properties.get("FilterPolicy", "{}"), names)) for properties in found]


def accepts(policy: dict[str, Any], message: dict[str, Any]) -> bool:
    """As AWS's SNS judges: by leaves, so that a name is also missing where the object around it is.

    https://github.com/aws/event-ruler#exists-matching; the local SNS asks for the object.
    """
    ((parent, leaves),) = policy.items()
    ((leaf, rules),) = leaves.items()
    value = message.get(parent, {}).get(leaf)
    if value is None:
        return {"exists": False} in rules
    return value.lower() in [rule.get("equals-ignore-case", "").lower() for rule in rules]


@pytest.mark.parametrize("delivery", ["DIRECT", "QUEUE"])
@pytest.mark.parametrize(
    ("success", "error", "filtered"),
    [
        ("", "", [False, False]),
        (TOPIC + "a", TOPIC + "b", [True, True]),
        (TOPIC + "a", "", [True, False]),
        ("", TOPIC + "b", [False, True]),
        (TOPIC + "both", TOPIC + "both", [True]),
    ],
)
def test_a_topic_of_the_user_s_is_filtered_and_one_of_the_stack_s_is_not(
    template: Template, delivery: str, success: str, error: str, filtered: list[bool]
) -> None:
    given = {"SuccessTopicArn": success, "ErrorTopicArn": error, "NotificationDelivery": delivery}
    assert [bool(policy) for policy in filters(template, **given)] == filtered


def test_the_filter_lets_through_the_stack_s_endpoints_by_any_case_and_what_names_none(template: Template) -> None:
    for policy in filters(template, SuccessTopicArn=TOPIC + "a", AllowedEndpointNames="b,C-2", ErrorTopicArn=TOPIC):
        assert policy == {
            "requestParameters": {
                "endpointName": [
                    {"exists": False},
                    {"equals-ignore-case": "summarizer"},
                    {"equals-ignore-case": "b"},
                    {"equals-ignore-case": "C-2"},
                ]
            }
        }


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_every_known_notification_of_an_own_endpoint_passes_and_of_another_does_not(
    template: Template, sample: Path
) -> None:
    notification = json.loads(sample.read_text(encoding="utf-8"))
    name = notification["requestParameters"]["endpointName"]
    (policy,) = filters(template, SuccessTopicArn=TOPIC, ErrorTopicArn=TOPIC, AllowedEndpointNames=name)
    assert accepts(policy, notification)
    for own in (name.lower(), name.upper()):
        assert accepts(policy, {**notification, "requestParameters": {"endpointName": own}})
    assert not accepts(policy, {**notification, "requestParameters": {"endpointName": f"{name}-2"}})
    without = {key: value for key, value in notification.items() if key != "requestParameters"}
    assert accepts(policy, without)
    assert accepts(policy, {**without, "requestParameters": {}})
    assert accepts(policy, TEST_NOTIFICATION)


def test_as_many_names_as_the_parameters_admit_make_a_filter_that_sns_takes(template: Template) -> None:
    names = ",".join(f"e{n}" for n in range(73))
    (policy,) = filters(template, SuccessTopicArn=TOPIC, ErrorTopicArn=TOPIC, AllowedEndpointNames=names)
    values = policy["requestParameters"]["endpointName"]
    assert len(values) * LEVEL_OF_THE_NAME <= COMBINATIONS
    assert (len(values) + 1) * LEVEL_OF_THE_NAME > COMBINATIONS, "no bound narrower than it has to be"
