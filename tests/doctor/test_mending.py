"""Each thing that the doctor checks, broken: it is named, and the printed command mends it."""

from __future__ import annotations

import json

import pytest
from breakages import (
    BREAKAGES,
    DIRECT_BREAKAGES,
    Breakage,
    notification_among_dead_letters,
    recorded_request_among_dead_letters,
)
from patient import Patient

from doctor import replay


def name_of(breakage: Breakage) -> str:
    return breakage.name


def broken_and_mended(patient: Patient, breakage: Breakage) -> None:
    breakage.apply(patient)
    named = [finding for finding in patient.wrong() if finding.subject == breakage.subject]
    assert len(named) == 1, patient.wrong()
    assert breakage.words in named[0].words
    patient.paste(*named[0].commands)
    assert patient.wrong() == []


@pytest.mark.parametrize("breakage", BREAKAGES, ids=name_of)
def test_what_is_broken_is_named_and_its_command_mends_it(queued: Patient, breakage: Breakage) -> None:
    broken_and_mended(queued, breakage)


@pytest.mark.parametrize("breakage", DIRECT_BREAKAGES, ids=name_of)
def test_so_it_is_with_direct_delivery(direct: Patient, breakage: Breakage) -> None:
    broken_and_mended(direct, breakage)


def test_a_replayed_event_becomes_a_result_and_what_is_none_of_submit_s_stays(
    direct: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = direct.local.outputs["EventDeadLetterQueueUrl"]
    direct.local.sqs.send_message(QueueUrl=queue, MessageBody="somebody's payload")
    recorded_request_among_dead_letters(direct)
    assert replay.main([direct.local.name, "EventDeadLetterQueue"]) == 1
    assert capsys.readouterr().out.startswith("1 taken, 1 not\n")
    result = direct.local.wait_for_result("late")
    assert json.loads(result["Body"])["responseBody"]["content"] == "late"
    (left,) = direct.local.receive("EventDeadLetterQueueUrl")
    assert left["Body"] == "somebody's payload"


def test_a_replayed_notification_becomes_a_result_and_what_cannot_stays(
    direct: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    direct.local.receive("ResultsQueueUrl")
    queue = direct.local.outputs["NotificationDeadLetterQueueUrl"]
    direct.local.sqs.send_message(QueueUrl=queue, MessageBody="no notification")
    notification_among_dead_letters(direct)
    assert replay.main([direct.local.name, "NotificationDeadLetterQueue"]) == 1
    assert capsys.readouterr().out.startswith("1 taken, 1 not\n")
    (result,) = direct.local.receive("ResultsQueueUrl")
    assert json.loads(result["Body"])["responseBody"]["content"] == "late"
    (left,) = direct.local.receive("NotificationDeadLetterQueueUrl")
    assert left["Body"] == "no notification"
