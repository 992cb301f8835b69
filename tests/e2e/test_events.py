"""Requests in events that nobody waits for: objects put into S3, events of EventBridge, messages of SNS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, body_json, wait_for
from local.cases import decoded
from local.sources import EVENT_SOURCE, REQUEST_TOPIC, S3_PARAMETERS, by_eventbridge, by_sns, connect
from local.stack import LocalStack

OWN_BUCKET, FOREIGN_BUCKET = "own-objects", "foreign-objects"
# An endpoint that a request may name and SageMaker does not have.
AWAY = "away"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """The SDK tries a call four times: the first three invocations that name `busy` meet its throttling."""
    with LocalStack(
        {"echo": "echo", "busy": "echo"},
        parameters={**S3_PARAMETERS, "AllowedEndpointNames": f"busy,{AWAY}"},
        emulator_arguments=("--throttle", "busy=6"),
        name="events",
    ) as stack:
        connect(stack)
        connect_buckets(stack)
        yield stack


def connect_buckets(stack: LocalStack) -> None:
    """A bucket of the user's own, told of in the two ways that need no queue, and one that is none of the bridge's."""
    functions, events, function = stack.client("lambda"), stack.client("events"), stack.outputs["SubmitFunctionArn"]
    for bucket in (OWN_BUCKET, FOREIGN_BUCKET):
        stack.s3.create_bucket(Bucket=bucket)
        permit(stack, bucket, "s3.amazonaws.com", f"arn:aws:s3:::{bucket}")
        prefix = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "by-s3/"}]}}
        invoking = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"], "Filter": prefix}
        configuration = {"LambdaFunctionConfigurations": [invoking], "EventBridgeConfiguration": {}}
        stack.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    created = {"source": ["aws.s3"], "detail-type": ["Object Created"]}
    pattern = json.dumps({**created, "detail": {"object": {"key": [{"prefix": "by-bus/"}]}}})
    permit(stack, "objects", "events.amazonaws.com", events.put_rule(Name="objects", EventPattern=pattern)["RuleArn"])
    events.put_targets(Rule="objects", Targets=[{"Id": "bridge", "Arn": function}])
    variables = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    locations = f"{variables['BRIDGE_ALLOWED_INPUT_LOCATIONS']},s3://{OWN_BUCKET}/"
    stack.configure("SubmitFunction", {"BRIDGE_ALLOWED_INPUT_LOCATIONS": locations})
    describe = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{OWN_BUCKET}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [describe]})
    role = stack.resource("SubmitRole")
    stack.client("iam").put_role_policy(RoleName=role, PolicyName="own-bucket", PolicyDocument=document)


def permit(stack: LocalStack, name: str, principal: str, source: str) -> None:
    """Lets a service invoke `submit`."""
    stack.client("lambda").add_permission(
        FunctionName=stack.outputs["SubmitFunctionArn"],
        StatementId=name,
        Action="lambda:InvokeFunction",
        Principal=principal,
        SourceArn=source,
    )


def results_of(stack: LocalStack, location: str, count: int) -> list[dict[str, Any]]:
    """The results of an object's requests."""

    def found() -> list[dict[str, Any]]:
        bodies = [body_json(message) for messages in stack.results.values() for message in messages]
        return [body for body in bodies if body["requestParameters"].get("inputLocation") == location]

    def have_come() -> bool:
        stack.poll_results()
        return len(found()) >= count

    wait_for(have_come, PATIENCE_SECONDS, f"{count} results of {location}")
    return found()


@pytest.mark.parametrize("folder", ["requests", "by-s3", "by-bus"])
def test_an_object_is_a_request_by_its_location_with_its_own_content_type(stack: LocalStack, folder: str) -> None:
    bucket, key = stack.bucket if folder == "requests" else OWN_BUCKET, f"{folder}/réunion 1+1 100%.txt"
    stack.s3.put_object(Bucket=bucket, Key=key, Body=b"to be transcribed", ContentType="text/plain")
    (result,) = results_of(stack, f"s3://{bucket}/{key}", 1)
    assert result["invocationStatus"] == "Completed"
    assert result["requestParameters"]["contentType"] == "text/plain"
    assert decoded(result["responseBody"]) == b"to be transcribed"
    assert len(result["inferenceId"]) == 32


def test_an_object_that_is_written_again_is_another_request(stack: LocalStack) -> None:
    for _ in range(2):
        # What S3 makes of an object that is put without a content type.
        stack.s3.put_object(
            Bucket=stack.bucket, Key="requests/twice.json", Body=b"{}", ContentType="binary/octet-stream"
        )
    results = results_of(stack, f"s3://{stack.bucket}/requests/twice.json", 2)
    assert len({result["inferenceId"] for result in results}) == 2
    assert {result["requestParameters"]["contentType"] for result in results} == {"application/json"}


def test_a_folder_is_no_request_and_an_empty_object_is_rejected(stack: LocalStack) -> None:
    for key in ("requests/folder/", "requests/empty.json", "requests/folder/behind.json"):
        stack.s3.put_object(Bucket=stack.bucket, Key=key, Body=b"" if key != "requests/folder/behind.json" else b"{}")
    (empty,) = results_of(stack, f"s3://{stack.bucket}/requests/empty.json", 1)
    assert (empty["invocationStatus"], "is empty" in empty["failureReason"]) == ("Rejected", True)
    results_of(stack, f"s3://{stack.bucket}/requests/folder/behind.json", 1)
    assert results_of(stack, f"s3://{stack.bucket}/requests/folder/", 0) == []
    letter = letter_of(stack, "requests/empty.json")
    assert letter["FailureReason"]["StringValue"] == empty["failureReason"]


def letter_of(stack: LocalStack, end: str) -> dict[str, Any]:
    """The attributes of the dead letter whose `InputLocation` ends so."""
    found: list[dict[str, Any]] = []

    def has_come() -> bool:
        for message in stack.receive("RequestDeadLetterQueueUrl"):
            attributes = message.get("MessageAttributes", {})
            if attributes.get("InputLocation", {}).get("StringValue", "").endswith(end):
                found.append(attributes)
        return bool(found)

    wait_for(has_come, PATIENCE_SECONDS, f"a dead letter of {end}")
    (attributes,) = found
    return attributes


def test_an_event_of_s3_about_a_foreign_bucket_is_refused_and_kept(stack: LocalStack) -> None:
    stack.s3.put_object(Bucket=FOREIGN_BUCKET, Key="by-s3/x", Body=b"somebody else's")
    (result,) = results_of(stack, f"s3://{FOREIGN_BUCKET}/by-s3/x", 1)
    assert result["invocationStatus"] == "Rejected"
    assert result["failureReason"].startswith("AccessDeniedException: InputLocation is not under")
    assert letter_of(stack, f"{FOREIGN_BUCKET}/by-s3/x")
    assert FOREIGN_BUCKET not in stack.emulator_log.read_text(encoding="utf-8")


def test_a_detail_that_is_no_request_is_rejected_by_its_event_s_id_and_kept_whole(stack: LocalStack) -> None:
    detail = {"order": 4711}
    event = {"Source": EVENT_SOURCE, "DetailType": "Order Placed", "Detail": json.dumps(detail)}
    event_id = stack.client("events").put_events(Entries=[event])["Entries"][0]["EventId"]
    result = body_json(stack.wait_for_result(event_id))
    assert result["failureReason"].startswith("ValidationError: the request has neither a Body nor an InputLocation")
    found: list[dict[str, Any]] = []

    def has_come() -> bool:
        found.extend(stack.receive("RequestDeadLetterQueueUrl"))
        return bool(found)

    wait_for(has_come, PATIENCE_SECONDS, "the dead letter")
    (letter,) = found
    assert json.loads(letter["Body"])["detail"] == detail


@pytest.mark.parametrize("send", [by_eventbridge, by_sns])
def test_a_throttled_request_is_tried_again(stack: LocalStack, send: Any) -> None:
    # Each time more than one invocation's tries, of those that are left.
    send(stack, '{"again": 1}', {"InferenceId": f"throttled-{send.__name__}", "EndpointName": "busy"})
    result = body_json(stack.wait_for_result(f"throttled-{send.__name__}"))
    assert result["invocationStatus"] == "Completed"


@pytest.mark.parametrize("send", [by_eventbridge, by_sns])
def test_what_keeps_failing_lies_whole_among_the_dead_letters_of_events(stack: LocalStack, send: Any) -> None:
    send(stack, '{"lost": 0}', {"InferenceId": f"kept-{send.__name__}", "EndpointName": AWAY})
    (letter,) = stack.receive_all("EventDeadLetterQueueUrl", 1)
    record = json.loads(letter["Body"])
    assert f"kept-{send.__name__}" in json.dumps(record["requestPayload"])
    assert record["responsePayload"]["errorType"] == "ServiceUnavailable"
    assert f"kept-{send.__name__}" not in stack.results


def test_the_topic_is_the_one_that_the_function_is_subscribed_to(stack: LocalStack) -> None:
    subscriptions = stack.sns.list_subscriptions_by_topic(TopicArn=REQUEST_TOPIC)["Subscriptions"]
    assert [entry["Endpoint"] for entry in subscriptions] == [stack.outputs["SubmitFunctionArn"]]
