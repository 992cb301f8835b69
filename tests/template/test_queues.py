"""Nothing is lost between the queues and the functions, and nothing is handed out twice too early."""

from __future__ import annotations

from typing import Any

import pytest
from resolve import Template, attribute, of_type

DAY_SECONDS = 86_400
QUEUE, MAPPING = "AWS::SQS::Queue", "AWS::Lambda::EventSourceMapping"
# SageMaker's longest RequestTTLSeconds and InvocationTimeoutSeconds.
LONGEST_TTL_SECONDS, LONGEST_INVOCATION_SECONDS = 21_600, 3_600


def logical_id(arn: dict[str, Any]) -> str:
    return arn["Fn::GetAtt"][0]


@pytest.mark.parametrize(
    ("fixture", "mappings"),
    [
        ("direct", {"RequestQueue": "SubmitFunction"}),
        ("queued", {"RequestQueue": "SubmitFunction", "NotificationQueue": "CollectFunction"}),
    ],
)
def test_each_queue_feeds_its_function_and_hides_a_message_for_six_timeouts(
    request: pytest.FixtureRequest, fixture: str, mappings: dict[str, str]
) -> None:
    resources = request.getfixturevalue(fixture)
    found = of_type(resources, MAPPING).values()
    assert {logical_id(entry["EventSourceArn"]): entry["FunctionName"]["Ref"] for entry in found} == mappings
    for entry in found:
        queue = resources[logical_id(entry["EventSourceArn"])]["Properties"]
        timeout = resources[entry["FunctionName"]["Ref"]]["Properties"]["Timeout"]
        assert queue["VisibilityTimeout"] >= 6 * timeout + entry["MaximumBatchingWindowInSeconds"]


def test_batches_are_answered_in_part_and_bounded(queued: dict[str, Any]) -> None:
    for entry in of_type(queued, MAPPING).values():
        assert entry["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert entry["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "MaxConcurrency"}}
        assert entry["BatchSize"] <= 10 or entry["MaximumBatchingWindowInSeconds"] >= 1


@pytest.mark.parametrize(
    ("queue", "dead_letters"),
    [("RequestQueue", "RequestDeadLetterQueue"), ("NotificationQueue", "NotificationDeadLetterQueue")],
)
def test_what_keeps_failing_is_kept_for_fourteen_days(
    template: Template, queued: dict[str, Any], queue: str, dead_letters: str
) -> None:
    source, target = queued[queue]["Properties"], queued[dead_letters]["Properties"]
    receipts = {"Ref": "MaxReceiveCount"}
    assert source["RedrivePolicy"] == {"deadLetterTargetArn": attribute(dead_letters), "maxReceiveCount": receipts}
    assert target["MessageRetentionPeriod"] == 14 * DAY_SECONDS
    most = template.raw["Parameters"]["MaxReceiveCount"]["MaxValue"] * source["VisibilityTimeout"]
    assert most < source["MessageRetentionPeriod"] / 2, "a message must not expire on its way to the dead-letter queue"
    # The age of a message that SQS moved counts from its first send, also in the dead-letter queue.
    assert source["MessageRetentionPeriod"] < target["MessageRetentionPeriod"]


def test_receipts_that_lambda_throttles_do_not_soon_make_a_dead_letter(template: Template) -> None:
    # "Set the maxReceiveCount on the queue's redrive policy to at least 5":
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    parameter = template.raw["Parameters"]["MaxReceiveCount"]
    assert (parameter["Default"], parameter["MinValue"]) == (5, 5)


def test_queues_take_a_mebibyte_encrypted(queued: dict[str, Any]) -> None:
    queues = of_type(queued, QUEUE)
    assert len(queues) == 6
    for name, queue in queues.items():
        assert (queue["MaximumMessageSize"], queue["SqsManagedSseEnabled"]) == (1_048_576, True), name
        assert "KmsMasterKeyId" not in queue, name


def test_deleting_the_stack_deletes_no_data(template: Template) -> None:
    holding = {
        name: (entry.get("DeletionPolicy"), entry.get("UpdateReplacePolicy"))
        for name, entry in template.raw["Resources"].items()
        if entry["Type"] in (QUEUE, "AWS::S3::Bucket")
    }
    assert set(holding.values()) == {("RetainExceptOnCreate", "Retain")}
    assert "Bucket" in holding


def test_an_input_outlives_the_longest_way_of_its_request(direct: dict[str, Any]) -> None:
    rules = {rule["Id"]: rule for rule in direct["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]}
    # Rejected at the end of its time in the request queue, moved back at the end of its time among the dead letters.
    way = ("RequestQueue", "RequestDeadLetterQueue", "RequestQueue")
    retention = [direct[name]["Properties"]["MessageRetentionPeriod"] for name in way]
    needed = sum(retention) + LONGEST_TTL_SECONDS + LONGEST_INVOCATION_SECONDS
    inputs = rules["ExpireInputs"]
    assert (inputs["Prefix"], inputs["Status"]) == ("input/", "Enabled")
    assert inputs["ExpirationInDays"] * DAY_SECONDS > needed
    results = rules["ExpireResults"]
    assert (results["Prefix"], results["Status"]) == ("results/", "Enabled")
    assert results["ExpirationInDays"] * DAY_SECONDS > direct["ResultsQueue"]["Properties"]["MessageRetentionPeriod"]
    assert rules["AbortUploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert not [rule for rule in rules.values() if rule.get("Prefix", "") in ("output/", "failure/")]
