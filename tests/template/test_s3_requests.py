"""`S3Requests`: what it adds to the stack, and that it adds nothing while it is off."""

from __future__ import annotations

from typing import Any

import pytest

from tests.template.resolve import Template, attribute

RESOURCES = {"S3RequestQueue", "S3RequestQueuePolicy", "S3RequestPolicy", "SubmitFromS3RequestQueue"}
VARIABLES = {"BRIDGE_S3_EVENT_QUEUE_ARN", "BRIDGE_ALLOWED_INPUT_LOCATIONS"}
DAY_SECONDS = 86_400


@pytest.fixture(scope="module")
def taking(template: Template) -> dict[str, Any]:
    return template.resources(EndpointName="demo", S3Requests="true")


def variables(resources: dict[str, Any]) -> dict[str, Any]:
    return resources["SubmitFunction"]["Properties"]["Environment"]["Variables"]


def test_off_there_is_neither_a_resource_nor_a_variable_nor_a_notification(
    direct: dict[str, Any], taking: dict[str, Any]
) -> None:
    assert taking.keys() - direct.keys() == RESOURCES
    assert variables(taking).keys() - variables(direct).keys() == VARIABLES
    assert "NotificationConfiguration" not in direct["Bucket"]["Properties"]


def test_the_bucket_tells_the_queue_of_objects_under_requests_alone(taking: dict[str, Any]) -> None:
    (told,) = taking["Bucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    # The policy besides: S3 tries whether it may send.
    queue = {"Fn::Select": [0, [attribute("S3RequestQueue"), {"Ref": "S3RequestQueuePolicy"}]]}
    assert (told["Event"], told["Queue"]) == ("s3:ObjectCreated:*", queue)
    assert told["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": "requests/"}]


def test_only_s3_sends_to_the_queue_and_only_for_this_account(taking: dict[str, Any]) -> None:
    policy = taking["S3RequestQueuePolicy"]["Properties"]
    (statement,) = [entry for entry in policy["PolicyDocument"]["Statement"] if entry["Effect"] == "Allow"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", attribute("S3RequestQueue"))
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def test_the_queue_is_like_the_request_queue(taking: dict[str, Any]) -> None:
    own, other = (taking[name]["Properties"] for name in ("S3RequestQueue", "RequestQueue"))
    redrive = {"deadLetterTargetArn": attribute("EventDeadLetterQueue"), "maxReceiveCount": {"Ref": "MaxReceiveCount"}}
    assert own == {**other, "RedrivePolicy": redrive}
    mapping, model = (taking[name]["Properties"] for name in ("SubmitFromS3RequestQueue", "SubmitFromRequestQueue"))
    assert mapping == {**model, "EventSourceArn": attribute("S3RequestQueue")}
    assert taking["EventDeadLetterQueue"]["Properties"] == taking["RequestDeadLetterQueue"]["Properties"]


def test_submit_knows_the_queue_and_may_take_and_describe_what_it_tells_of(taking: dict[str, Any]) -> None:
    assert variables(taking)["BRIDGE_S3_EVENT_QUEUE_ARN"] == attribute("S3RequestQueue")
    locations = {"Fn::Sub": "s3://${Bucket}/input/,s3://${Bucket}/requests/"}
    assert variables(taking)["BRIDGE_ALLOWED_INPUT_LOCATIONS"] == locations
    policy = taking["S3RequestPolicy"]["Properties"]
    assert policy["Roles"] == [{"Ref": "SubmitRole"}]
    granted = [(entry["Action"], entry["Resource"]) for entry in policy["PolicyDocument"]["Statement"]]
    assert granted == [
        (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], attribute("S3RequestQueue")),
        ("s3:GetObject", {"Fn::Sub": "${Bucket.Arn}/requests/*"}),
        ("s3:ListBucket", attribute("Bucket")),
    ]
    listing = policy["PolicyDocument"]["Statement"][-1]["Condition"]
    assert listing == {"StringLikeIfExists": {"s3:prefix": "requests/*"}}


def test_an_object_outlives_the_longest_way_of_its_request(direct: dict[str, Any], taking: dict[str, Any]) -> None:
    def rules(resources: dict[str, Any]) -> dict[str, Any]:
        found = resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
        return {rule["Id"]: rule for rule in found}

    assert "ExpireRequests" not in rules(direct)
    own, inputs = rules(taking)["ExpireRequests"], rules(taking)["ExpireInputs"]
    assert (own["Prefix"], own["ExpirationInDays"]) == ("requests/", inputs["ExpirationInDays"])
    way = ("S3RequestQueue", "EventDeadLetterQueue", "S3RequestQueue")
    assert own["ExpirationInDays"] * DAY_SECONDS > sum(
        taking[name]["Properties"]["MessageRetentionPeriod"] for name in way
    )
