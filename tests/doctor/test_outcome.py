"""What is said of a request, by what came of it and what did not."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from canned import OUTPUTS, REGION, Answers, stack_of
from test_endpoints import described

from doctor.commands import log
from doctor.finding import Finding, State
from doctor.send import outcome
from doctor.send.http import Answer
from doctor.send.mailbox import Mailbox
from doctor.send.payload import Payload
from doctor.send.requests import BY_HTTP, INLINE, REJECTED, Request, Sender

WAITED = 120.0
RUNNING: Answers = [
    ("sagemaker", "describe_endpoint", described(ProductionVariants=[{"VariantName": "m", "CurrentInstanceCount": 1}]))
]
AT_ZERO: Answers = [
    ("sagemaker", "describe_endpoint", described(ProductionVariants=[{"VariantName": "m", "CurrentInstanceCount": 0}]))
]


def mailbox(problem: str | None = None) -> Mailbox:
    return Mailbox(None, OUTPUTS["ResultsQueueUrl"], [], problem)


def finding_of(
    kind: str, answers: Answers = (), problem: str | None = None, payload: Payload | None = None, **came: Any
) -> Finding:
    stack = stack_of(list(answers))
    request = Request(kind, "doctor-0-x", "doctor-0-x.out", **came)
    return outcome.finding(stack, request, mailbox(problem), Sender(stack, payload or Payload(), None), WAITED)


def test_no_result_in_time_is_wrong_and_the_logs_say_why() -> None:
    finding = finding_of(INLINE, RUNNING)
    assert (finding.state, finding.words) == (State.WRONG, "no result within 120 s")
    assert finding.commands == (log("/aws/lambda/bridge-submit"), log("/aws/lambda/bridge-collect"))


def test_an_endpoint_that_is_scaled_to_zero_is_given_time() -> None:
    finding = finding_of(INLINE, AT_ZERO)
    assert finding.state is State.CANNOT_TELL
    assert finding.commands == ("make doctor STACK=bridge SEND=1 WAIT=900",)


def test_a_request_among_the_dead_letters_is_wrong_with_its_reason() -> None:
    finding = finding_of(INLINE, dead_letter_after=5.0, reason="ValidationError: no")
    assert (finding.state, finding.words) == (
        State.WRONG,
        "in the dead-letter queue after 5.0 s: ValidationError: no",
    )


def test_a_request_that_sagemaker_refuses_is_wrong_with_its_reason() -> None:
    finding = finding_of(INLINE, status="Rejected", result_after=1.0, reason="ValidationError: no")
    assert (finding.state, finding.words) == (State.WRONG, "Rejected: ValidationError: no, result after 1.00 s")


def test_a_model_that_fails_on_the_user_s_payload_is_wrong() -> None:
    own = finding_of(INLINE, status="Failed", result_after=1.0, reason="400")
    users = finding_of(INLINE, payload=Payload(b"x", is_own=False), status="Expired", result_after=1.0)
    assert own.state is State.CANNOT_TELL
    assert own.commands == ("make doctor STACK=bridge SEND=1 PAYLOAD=FILE CONTENT_TYPE=TYPE",)
    assert (users.state, users.words) == (State.WRONG, "Expired: no reason given, result after 1.00 s")


@pytest.mark.parametrize(
    ("status", "state"), [(200, State.OK), (303, State.OK), (404, State.WRONG), (500, State.WRONG)]
)
def test_the_location_of_a_202_has_to_give_the_output(
    status: int, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("doctor.send.http.Caller.call", lambda *_: Answer(status, {}))
    came = {"status": "Completed", "result_after": 1.0, "accepted_after": 0.1, "url": "http://x/invocations/t"}
    finding = finding_of(BY_HTTP, **came)
    assert finding.state is state
    assert f" {status}" in finding.words


def test_a_rejection_that_is_told_and_kept_is_ok() -> None:
    finding = finding_of(REJECTED, status="Rejected", result_after=0.5, dead_letter_after=1.5)
    assert (finding.state, finding.words) == (State.OK, "Rejected after 0.50 s, dead letter after 1.50 s")


def test_a_dead_letter_that_should_be_there_at_once_is_missed() -> None:
    finding = finding_of(REJECTED, status="Rejected", result_after=0.5)
    assert (finding.state, finding.words) == (
        State.WRONG,
        "Rejected after 0.50 s, and no dead letter within 120 s",
    )


def test_a_rejection_of_which_nothing_is_seen_is_wrong() -> None:
    assert finding_of(REJECTED).state is State.WRONG


def test_a_request_that_should_have_been_rejected_and_was_served_is_wrong() -> None:
    assert finding_of(REJECTED, status="Completed", result_after=1.0).state is State.WRONG


def test_a_queue_that_may_not_be_received_from_leaves_the_question_open() -> None:
    sqs = boto3.client("sqs", region_name=REGION, aws_access_key_id="key", aws_secret_access_key="secret")
    with Stubber(sqs) as stubber:
        stubber.add_client_error("receive_message", "AccessDenied", "no")
        results = Mailbox(sqs, OUTPUTS["ResultsQueueUrl"], ["doctor-0-x"])
        assert results.take(1) == []
        assert results.take(1) == []
    assert results.problem == "access denied: the credentials lack sqs:ReceiveMessage"
    finding = finding_of(INLINE, problem=results.problem)
    assert (finding.state, finding.words) == (State.CANNOT_TELL, f"no result: {results.problem}")
