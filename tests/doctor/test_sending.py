"""`SEND=1`: one request of each kind goes the whole way, and nobody else loses a message by it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from breakages import disabled_mapping
from patient import Patient, hasty, silent_report
from silence import silence

from doctor import __main__ as program
from doctor.finding import Finding, State
from doctor.run import examine
from doctor.send.mailbox import Mailbox
from doctor.send.payload import Payload
from doctor.stack import Stack
from local.bridge import PATIENCE_SECONDS, wait_for

KINDS = ["request inline", "request through S3", "request by HTTP", "request to be rejected"]


@pytest.fixture(autouse=True)
def _results_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that is only late is not taken for one that somebody else has."""
    monkeypatch.setattr("doctor.send.run.RESULT_FOLLOWS_SECONDS", PATIENCE_SECONDS)


@pytest.fixture(autouse=True)
def _nothing_is_left_of_other_tests(direct: Patient) -> None:
    for name in ("ResultsQueueUrl", "RequestDeadLetterQueueUrl"):
        direct.local.sqs.purge_queue(QueueUrl=direct.local.outputs[name])


def states(rows: list[Finding]) -> dict[str, State]:
    return {row.subject: row.state for row in rows}


def words(rows: list[Finding], subject: str) -> str:
    (row,) = (row for row in rows if row.subject == subject)
    return row.words


def test_one_request_of_each_kind_comes_back_with_its_times_and_only_the_large_one_through_s3(direct: Patient) -> None:
    rows = direct.sent()
    assert states(rows) == dict.fromkeys(KINDS, State.OK), rows
    assert words(rows, "request inline").startswith("Completed, result after ")
    assert "202 after " in words(rows, "request by HTTP")
    assert words(rows, "request by HTTP").endswith("GET of its Location 200")
    assert "Rejected after " in words(rows, "request to be rejected")
    assert "dead letter after " in words(rows, "request to be rejected")
    assert direct.local.receive("ResultsQueueUrl") == []
    assert direct.local.receive("RequestDeadLetterQueueUrl") == []
    newest = direct.local.invocations("summarizer")[:3]
    inputs = {entry["inferenceId"].rsplit("-", 1)[-1]: entry.get("inputLocation") or "" for entry in newest}
    assert inputs["s3"].startswith(f"s3://{direct.local.bucket}/input/")
    assert not {inputs["inline"], inputs["http"]} & set(stored(direct))
    assert inputs["s3"] in stored(direct)


def test_other_people_s_messages_stay_for_them(direct: Patient) -> None:
    sqs, outputs = direct.local.sqs, direct.local.outputs
    for name in ("ResultsQueueUrl", "RequestDeadLetterQueueUrl"):
        for number in range(3):
            sqs.send_message(QueueUrl=outputs[name], MessageBody=f"{name} {number}")
    rows = direct.sent()
    others = rows.pop()
    assert states(rows) == dict.fromkeys(KINDS, State.OK), rows
    assert "of others were received and given back at once: their receive counts have risen" in others.words
    for name in ("ResultsQueueUrl", "RequestDeadLetterQueueUrl"):
        left = {message["Body"] for message in direct.local.receive_all(name, 3)}
        assert left == {f"{name} {number}" for number in range(3)}


def stored(patient: Patient) -> list[str]:
    """Locations under input/."""
    bucket = patient.local.bucket
    listed = patient.local.s3.list_objects_v2(Bucket=bucket, Prefix="input/").get("Contents", [])
    return [f"s3://{bucket}/{entry['Key']}" for entry in listed]


@contextmanager
def another_consumer(patient: Patient) -> Iterator[list[dict[str, Any]]]:
    """Takes results while the doctor is kept from them, as one does that is always first."""
    ended = threading.Event()
    taken: list[dict[str, Any]] = []

    def consume() -> None:
        while not ended.is_set():
            taken.extend(patient.local.receive("ResultsQueueUrl", wait_seconds=1))

    thread = threading.Thread(target=consume)
    thread.start()
    try:
        yield taken
    finally:
        ended.set()
        thread.join()


def test_a_result_that_another_consumer_took_is_told_by_its_output(
    direct: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mailbox, "take", nothing_of_the_queue(direct, "ResultsQueueUrl"))
    monkeypatch.setattr("doctor.send.run.RESULT_FOLLOWS_SECONDS", 1)
    with another_consumer(direct) as taken:
        rows = direct.sent()
        # None is left for the next test.
        wait_for(lambda: len(taken) >= len(KINDS), PATIENCE_SECONDS, "all results")
    assert states(rows) == dict.fromkeys(KINDS, State.CANNOT_TELL), rows
    for kind in KINDS[:3]:
        assert f"its output arrived at s3://{direct.local.bucket}/output/doctor-" in words(rows, kind)
        assert "another consumer took it first" in words(rows, kind)
    assert "its result was not seen: another consumer took it first" in words(rows, KINDS[3])


def nothing_of_the_queue(patient: Patient, output: str) -> Callable[[Mailbox, int], list[dict[str, Any]]]:
    take, url = Mailbox.take, patient.local.outputs[output]
    return lambda mailbox, wait_seconds: [] if mailbox.url == url else take(mailbox, wait_seconds)


def test_an_s3_that_hangs_is_waited_for_once_and_results_come_all_the_same(
    direct: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silence() as hanging:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", hanging.url)
        # The first look for outputs comes before any result.
        monkeypatch.setattr("doctor.send.run.RECEIVE_SECONDS", 0)
        rows = direct.sent(clients=hasty("s3"))
        hanging.wait_for_call()
        assert hanging.calls == 1
    assert states(rows) == dict.fromkeys(KINDS, State.OK), rows


def test_a_results_queue_with_a_redrive_policy_is_not_received_from(direct: Patient) -> None:
    sqs, url = direct.local.sqs, direct.local.outputs["ResultsQueueUrl"]
    target = direct.stack().queue_arn("RequestDeadLetterQueue")
    policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 5})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
    rows = direct.sent()
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})
    assert states(rows) == dict.fromkeys(KINDS, State.CANNOT_TELL), rows
    assert "the results queue has a redrive policy" in words(rows, KINDS[0])
    # It has waited for the outputs alone, which the results follow.
    results = direct.local.receive_all("ResultsQueueUrl", 4)
    assert len(results) == 4
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in results} == {"1"}


def test_a_rejection_without_a_dead_letter_is_wrong(direct: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mailbox, "take", nothing_of_the_queue(direct, "RequestDeadLetterQueueUrl"))
    # Enough for the rejection, after which it waits for nothing.
    rows = direct.sent(wait_seconds=30)
    assert states(rows)[KINDS[3]] is State.WRONG
    assert re.fullmatch(r"Rejected after [\d.]+ s, and no dead letter within \d+ s", words(rows, KINDS[3]))
    direct.local.receive_all("RequestDeadLetterQueueUrl", 1)


def test_a_model_that_refuses_the_doctor_s_payload_proves_nothing_but_one_that_refuses_the_user_s_does(
    refusing: Patient,
) -> None:
    rows = refusing.sent()
    assert set(states(rows[:3]).values()) == {State.CANNOT_TELL}, rows
    assert words(rows, KINDS[0]).startswith("the model does not take the doctor's payload: Failed")
    rows = refusing.sent(Payload(b"of the user", "text/plain", is_own=False))
    assert states(rows)[KINDS[0]] is State.WRONG, rows
    assert "PAYLOAD of more than 128,000 bytes" in words(rows, KINDS[1])


def test_nothing_is_sent_to_a_stack_that_nobody_serves(direct: Patient) -> None:
    before = len(direct.local.invocations("summarizer"))
    disabled_mapping(direct)
    options = program.parse([direct.local.name, "--send"])
    stack = Stack.find(direct.local.name, direct.stack().aws)
    found = examine(stack, silent_report())
    (row,) = program.requests(stack, found, options, silent_report())
    (finding,) = direct.wrong()
    direct.paste(*finding.commands)
    assert (row.state, row.words) == (State.CANNOT_TELL, "not sent: first fix mapping of RequestQueue")
    assert len(direct.local.invocations("summarizer")) == before
