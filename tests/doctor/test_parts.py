"""What the doctor says of the stack's own parts, in states that a local AWS cannot be brought into."""

from __future__ import annotations

import datetime
import io
import json
import uuid
import zipfile
from pathlib import Path
from typing import Any

import pytest
from canned import ACCOUNT, OUTPUTS, PREFIX, QUEUES, REGION, Answers, only, stack_of

from doctor.checks import alarms, concurrency, dead_letters, functions, mappings, subscriptions, whole
from doctor.finding import State
from doctor.queue_commands import DEAD_LETTER_QUEUES

NOW = datetime.datetime(2025, 8, 3, tzinfo=datetime.UTC)
COLLECT = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:bridge-collect"


# ---- the stack ----


@pytest.mark.parametrize(
    ("status", "first_command"),
    [
        ("CREATE_IN_PROGRESS", "aws cloudformation wait stack-create-complete"),
        ("UPDATE_IN_PROGRESS", "aws cloudformation wait stack-update-complete"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "aws cloudformation wait stack-rollback-complete"),
        ("DELETE_IN_PROGRESS", "aws cloudformation wait stack-delete-complete"),
        ("IMPORT_IN_PROGRESS", "aws cloudformation wait stack-import-complete"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback"),
        ("UPDATE_FAILED", "aws cloudformation rollback-stack"),
        ("REVIEW_IN_PROGRESS", "aws cloudformation delete-stack"),
        ("ROLLBACK_FAILED", "aws cloudformation delete-stack"),
        ("ROLLBACK_COMPLETE", "aws cloudformation delete-stack"),
        ("CREATE_FAILED", "aws cloudformation delete-stack"),
        ("DELETE_FAILED", "aws cloudformation delete-stack"),
    ],
)
def test_a_stack_that_is_not_deployed_to_its_end_is_wrong(status: str, first_command: str) -> None:
    row = only(whole.check(stack_of(status=status)))
    assert (row.state, row.words) == (State.WRONG, status)
    assert row.commands[0] == f"{first_command} --stack-name bridge"


def test_no_stack_that_has_ever_worked_is_to_be_deleted() -> None:
    for status in (
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_FAILED",
        "UPDATE_IN_PROGRESS",
        "IMPORT_ROLLBACK_FAILED",
        "UNKNOWN",
    ):
        row = only(whole.check(stack_of(status=status)))
        assert not [command for command in row.commands if "delete-stack" in command], status


def test_a_failed_update_that_was_taken_back_is_no_fault() -> None:
    assert only(whole.check(stack_of(status="UPDATE_ROLLBACK_COMPLETE"))).state is State.OK


def test_a_resource_that_failed_and_an_output_that_is_missing_are_named() -> None:
    stack = stack_of()
    stack.resource_list[0]["ResourceStatus"] = "UPDATE_FAILED"
    del stack.outputs["ResultsQueueUrl"]
    row = only(whole.check(stack))
    assert (row.state, row.words) == (State.WRONG, "RequestQueue is UPDATE_FAILED; no output ResultsQueueUrl")


# ---- subscriptions and mappings ----


def subscribed(arn: str, **attributes: str) -> Answers:
    entry = {"Protocol": "lambda", "Endpoint": COLLECT, "SubscriptionArn": arn, "TopicArn": f"{PREFIX}-x"}
    answers: Answers = [("sns", "list_subscriptions_by_topic", {"Subscriptions": [entry]})]
    if attributes:
        answers.append(("sns", "get_subscription_attributes", {"Attributes": attributes}))
    return answers


@pytest.mark.parametrize(
    "answers",
    [
        subscribed("PendingConfirmation"),
        subscribed(f"{PREFIX}-success:0f0e", PendingConfirmation="true"),
    ],
    ids=["in the list", "in its attributes"],
)
def test_a_subscription_that_is_not_confirmed_is_wrong(answers: Answers) -> None:
    one_topic = {**OUTPUTS, "ErrorTopicArn": OUTPUTS["SuccessTopicArn"]}
    stack = stack_of(answers)
    stack.outputs = one_topic
    row = only(subscriptions.check(stack))
    assert (row.state, row.subject) == (State.WRONG, "subscription to SuccessTopic and ErrorTopic")
    assert row.words == "not confirmed: nothing is delivered"
    assert row.commands[0].startswith("aws sns subscribe")
    assert f"--notification-endpoint {COLLECT}" in row.commands[0]


def test_a_dead_letter_queue_that_is_not_the_stack_s_is_wrong() -> None:
    other = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:other"})
    stack = stack_of(subscribed(f"{PREFIX}-success:0f0e", PendingConfirmation="false", RedrivePolicy=other) * 2)
    rows = list(subscriptions.check(stack))
    assert {row.state for row in rows} == {State.WRONG}
    assert rows[0].words == f"its dead-letter queue is arn:aws:sqs:{REGION}:{ACCOUNT}:other, not the stack's"


@pytest.mark.parametrize("state", ["Creating", "Enabling", "Updating"])
def test_a_mapping_on_its_way_cannot_be_told(state: str) -> None:
    entry = {"UUID": str(uuid.uuid4()), "State": state, "FunctionResponseTypes": ["ReportBatchItemFailures"]}
    answer = ("lambda", "list_event_source_mappings", {"EventSourceMappings": [entry]})
    assert only(mappings.check(stack_of([answer]))).state is State.CANNOT_TELL


# ---- functions ----


def function(location: str = "", **configuration: Any) -> dict[str, Any]:
    given = {"FunctionName": "bridge-submit", "Architectures": ["arm64"], **configuration}
    return {"Configuration": given, "Code": {"Location": location} if location else {}}


def functions_rows(answer: dict[str, Any]) -> list[Any]:
    """Rows of SubmitFunction: both functions get the same answer."""
    rows = list(functions.check(stack_of([("lambda", "get_function", answer)] * 2)))
    return rows[: len(rows) // 2]


@pytest.mark.parametrize(
    ("configuration", "words", "first_command"),
    [
        ({"State": "Pending", "StateReason": "Creating"}, "Pending", "aws lambda wait function-active-v2"),
        ({"LastUpdateStatus": "InProgress"}, "Active, last update InProgress", "aws lambda wait function-updated-v2"),
        ({"State": "Inactive"}, "Inactive", "aws lambda invoke"),
        ({"State": "Failed", "StateReason": "InvalidRuntime"}, "Failed, last update Successful: Inv", "make deploy"),
        (
            {"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "the KMS key is disabled"},
            "Active, last update Failed: the KMS key is disabled",
            "make deploy",
        ),
    ],
    ids=["pending", "updating", "inactive", "failed", "update failed"],
)
def test_a_function_that_cannot_run_is_wrong(configuration: dict[str, str], words: str, first_command: str) -> None:
    row = functions_rows(function(**{"State": "Active", **configuration}))[0]
    assert row.state is State.WRONG
    assert row.words.startswith(words)
    assert row.commands[0].startswith(first_command)


def elf(machine: int) -> bytes:
    return b"\x7fELF" + bytes(14) + machine.to_bytes(2, "little") + bytes(44)


def packed(tmp_path: Path, name: str, content: bytes) -> str:
    """URL of a package with one entry."""
    package = tmp_path / "package.zip"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    package.write_bytes(buffer.getvalue())
    return package.as_uri()


@pytest.mark.parametrize(
    ("name", "content", "state", "words"),
    [
        ("bootstrap", elf(0xB7), State.OK, "built for arm64, as configured"),
        ("bootstrap", elf(0x3E), State.WRONG, "built for x86_64, but the function is configured for arm64"),
        ("bootstrap", elf(0xF3), State.WRONG, "built for an unknown processor (e_machine 0xf3)"),
        ("bootstrap", b"#!/bin/sh\n" + bytes(20), State.WRONG, "the package's bootstrap is not a Linux program"),
        ("bootstrap", b"\x7fELF", State.WRONG, "the package's bootstrap is not a Linux program"),
        ("lambda.py", b"", State.WRONG, "the package has no bootstrap"),
    ],
    ids=["arm64", "x86_64", "risc-v", "script", "cut off", "other entry"],
)
def test_the_package_is_judged_by_its_elf_header(
    tmp_path: Path, name: str, content: bytes, state: State, words: str
) -> None:
    row = functions_rows(function(packed(tmp_path, name, content)))[1]
    assert (row.subject, row.state) == ("package of SubmitFunction", state)
    assert words in row.words


def test_a_package_that_is_no_zip_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "package.zip").write_bytes(b"<html>")
    row = functions_rows(function((tmp_path / "package.zip").as_uri()))[1]
    assert (row.state, row.commands) == (State.WRONG, ("make deploy",))


def test_a_processor_that_lambda_does_not_have_is_no_configuration_to_be_offered(tmp_path: Path) -> None:
    row = functions_rows(function(packed(tmp_path, "bootstrap", elf(0xF3))))[1]
    assert row.commands == ("make deploy",)


# ---- dead letters ----

SECRET = "what the customer wrote"


def messages(*entries: dict[str, Any]) -> dict[str, Any]:
    base = {"MessageId": "m", "ReceiptHandle": "r", "Body": SECRET}
    return {"Messages": [{"Attributes": {"SentTimestamp": "1754222460586"}, **base, **entry} for entry in entries]}


def dead_letter_rows(received: dict[str, Any] | str, **resources: str) -> list[Any]:
    attributes = {"ApproximateNumberOfMessages": "2", "ApproximateNumberOfMessagesNotVisible": "1"}
    answers: Answers = []
    for _ in range(3):
        answers.append(("sqs", "get_queue_attributes", {"Attributes": attributes}))
        answers.append(("sqs", "receive_message", received))
    return list(dead_letters.check(stack_of(answers, resources=resources)))


def test_dead_letters_are_told_by_count_age_and_reason() -> None:
    why = {"FailureReason": {"DataType": "String", "StringValue": "ValidationError: too long"}}
    source = {"SentTimestamp": "1754222461000", "DeadLetterQueueSourceArn": "arn:aws:sqs:x:1:bridge-request"}
    row = dead_letter_rows(messages({"MessageAttributes": why}, {"MessageAttributes": why}, {"Attributes": source}))[0]
    assert row.words == (
        "3 messages; of the 3 looked at, the oldest was sent 2025-08-03 12:01 UTC; reasons: "
        "ValidationError: too long (2); too many receipts from bridge-request (1)"
    )
    assert SECRET not in str(row)


def test_lambda_s_record_of_a_failed_invocation_gives_its_error_and_not_its_event() -> None:
    record = {
        "requestContext": {"condition": "RetriesExhausted"},
        "requestPayload": {"Records": [{"Sns": {"Message": SECRET}}]},
        "responsePayload": {"errorType": "Fault", "errorMessage": "GetObject: AccessDenied"},
    }
    row = dead_letter_rows(messages({"Body": json.dumps(record)}))[1]
    assert row.words.endswith("reasons: RetriesExhausted: Fault: GetObject: AccessDenied (1)")
    assert SECRET not in str(row)


@pytest.mark.parametrize("body", ["[]", "null", "{}", "no JSON", '{"requestContext": 1}', '{"requestContext": {}}'])
def test_any_other_body_gives_no_reason_and_is_not_shown(body: str) -> None:
    row = dead_letter_rows(messages({"Body": body}))[1]
    assert row.words.endswith("reasons: no reason given (1)")


def test_a_reason_cannot_steer_the_terminal_or_the_shell() -> None:
    given = "bad\x1b[2J\nrm -rf ~"
    why = {"FailureReason": {"DataType": "String", "StringValue": given}}
    row = dead_letter_rows(messages({"MessageAttributes": why}))[0]
    assert row.words.isprintable()


def test_dead_letters_that_may_not_be_received_are_counted_all_the_same() -> None:
    row = dead_letter_rows("AccessDenied: no")[0]
    assert row.words == "3 messages; the reasons are unknown: access denied: the credentials lack sqs:ReceiveMessage"
    assert row.state is State.WRONG


def test_dead_letters_are_redriven_each_queue_by_itself() -> None:
    for row, queue in zip(dead_letter_rows(messages({})), DEAD_LETTER_QUEUES.values(), strict=True):
        assert row.commands[1] == f"make redrive STACK=bridge QUEUE={queue} RUN=1"


# ---- concurrency ----


def account(unreserved: int) -> tuple[str, str, dict[str, Any]]:
    limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": unreserved}
    return ("lambda", "get_account_settings", {"AccountLimit": limit})


MAPPED = (
    "lambda",
    "list_event_source_mappings",
    {"EventSourceMappings": [{"ScalingConfig": {"MaximumConcurrency": 10}}]},
)


def stage(rate: float) -> tuple[str, str, dict[str, Any]]:
    settings = {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": 50}
    return ("apigatewayv2", "get_stage", {"StageName": "$default", "DefaultRouteSettings": settings})


def variables(**given: str) -> dict[str, Any]:
    return {"Configuration": {"FunctionName": "bridge-submit", "Environment": {"Variables": given}}}


def concurrency_row(limit: int, rate: float, **given: str) -> Any:
    submit, collect = ("lambda", "get_function", variables(**given)), ("lambda", "get_function", variables())
    return only(concurrency.check(stack_of([submit, collect, account(limit), MAPPED, stage(rate)])))


@pytest.mark.parametrize(
    ("limit", "rate", "wait", "state", "words"),
    [
        (1000, 25, "20", State.OK, "up to 560 of 1000"),
        (1000, 100, "20", State.WRONG, "up to 2060 of 1000"),
        (1000, 100, "0", State.OK, "up to 160 of 1000"),
        (1000, 47, "20", State.OK, "up to 1000 of 1000"),
        (10, 1, "20", State.WRONG, "up to 80 of 10"),
    ],
)
def test_rate_times_wait_and_the_mappings_have_to_fit(
    limit: int, rate: float, wait: str, state: State, words: str
) -> None:
    row = concurrency_row(limit, rate, BRIDGE_MAX_WAIT_SECONDS=wait)
    assert (row.state, row.words.split(":")[0]) == (state, words)


def test_the_lower_rate_leaves_half_of_the_account_to_others() -> None:
    row = concurrency_row(1000, 100)
    assert '--default-route-settings \'{"ThrottlingRateLimit":22,"ThrottlingBurstLimit":50}\'' in row.commands[0]


def test_an_account_that_is_too_small_for_any_rate_is_raised() -> None:
    row = concurrency_row(10, 1)
    assert row.commands[0].startswith("aws service-quotas request-service-quota-increase")
    assert "--desired-value 1000" in row.commands[0]


def test_what_is_reserved_takes_nothing_from_others() -> None:
    reserved = {**variables(), "Concurrency": {"ReservedConcurrentExecutions": 50}}
    answers: Answers = [
        ("lambda", "get_function", reserved),
        MAPPED,
        ("lambda", "get_function", variables()),
        account(10),
    ]
    rows = list(concurrency.check(stack_of(answers)))
    assert [(row.subject, row.state) for row in rows] == [
        ("reservation of SubmitFunction", State.OK),
        ("concurrency", State.OK),
    ]


# ---- alarms ----


def alarm(state: str, **more: Any) -> dict[str, Any]:
    dimensions = [{"Name": "QueueName", "Value": "bridge-request-dead"}]
    return {"AlarmName": "dead", "StateValue": state, "Dimensions": dimensions, **more}


def alarm_row(entry: dict[str, Any], count: str = "0") -> Any:
    found, none = {"MetricAlarms": [entry]}, {"MetricAlarms": []}
    answers: Answers = [("cloudwatch", "describe_alarms_for_metric", answer) for answer in (found, none, none, none)]
    answers.append(("sqs", "get_queue_attributes", {"Attributes": {"ApproximateNumberOfMessages": count}}))
    return next(iter(alarms.check(stack_of(answers))))


@pytest.mark.parametrize(
    ("entry", "count", "state", "words"),
    [
        (alarm("OK", AlarmActions=[f"{PREFIX}-alarms"]), "0", State.OK, "dead: OK"),
        (alarm("INSUFFICIENT_DATA"), "0", State.OK, "dead: INSUFFICIENT_DATA, without an action of its own"),
        (alarm("OK", ActionsEnabled=False), "0", State.WRONG, "the actions of dead are disabled"),
        (alarm("ALARM"), "3", State.WRONG, "dead is in ALARM: the queue is not empty"),
        (alarm("ALARM"), "0", State.CANNOT_TELL, "dead is in ALARM although the queue is empty"),
    ],
)
def test_an_alarm_is_told_by_its_state(entry: dict[str, Any], count: str, state: State, words: str) -> None:
    row = alarm_row(entry, count)
    assert row.state is state
    assert row.words.startswith(words)


def test_an_alarm_of_another_queue_is_none() -> None:
    other = [{"Name": "QueueName", "Value": "other"}]
    row = alarm_row({**alarm("OK"), "Dimensions": other})
    assert (row.state, row.words.split(":")[0]) == (State.WRONG, "no alarm")


def test_the_stack_s_own_alarm_topic_is_used_where_there_is_one() -> None:
    none: Answers = [("cloudwatch", "describe_alarms_for_metric", {"MetricAlarms": []})] * 4
    row = next(iter(alarms.check(stack_of(none, parameters={"AlarmTopicArn": f"{PREFIX}-alarms"}))))
    (command,) = row.commands
    assert f"--alarm-actions {PREFIX}-alarms" in command
    assert QUEUES.rsplit("/", 1)[0] not in command


def test_topics_of_the_user_s_are_subscribed_with_a_filter_and_the_stack_s_own_without() -> None:
    given = {"SuccessTopicArn": OUTPUTS["SuccessTopicArn"], "AllowedEndpointNames": "Translator"}
    none: Answers = [("sns", "list_subscriptions_by_topic", {"Subscriptions": []})] * 2
    success, error = subscriptions.check(stack_of(none, parameters=given))
    assert "FilterPolicyScope" in success.commands[0]
    assert r"{\"equals-ignore-case\": \"Translator\"}" in success.commands[0]
    assert "FilterPolicy" not in error.commands[0]
