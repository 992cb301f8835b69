"""What lies in the dead-letter queues is known for whose request it is, and whether it is whole."""

from __future__ import annotations

import json

import pytest

from chaos import checker
from chaos.checker import check
from chaos.dead_letters import dead_events
from chaos.evidence import INVOKE, of_notification, subjects
from chaos.ledger import EVENT, REFUSED, S3, SNS, VALID, DeadLetter, Ledger, Request, Result, whole

LOCATION = "s3://bucket/requests/r 1"
OBJECT = {"bucket": {"name": "bucket"}, "object": {"key": "requests/r+1"}}
PUBLISHED = {"MessageId": "m", "Message": "x", "MessageAttributes": {"Accept": {"Type": "String", "Value": "*/*"}}}
EVENTS = [
    (
        {"requestPayload": {"id": "e", "detail": {"Body": "x", "RequestTTLSeconds": 60}}},
        "e",
        {"RequestTTLSeconds": "60"},
    ),
    ({"requestPayload": {"id": "e", "detail": {"Body": "x", "InferenceId": "i"}}}, "i", {"InferenceId": "i"}),
    ({"requestPayload": {"Records": [{"Sns": PUBLISHED}]}}, "m", {"Accept": "*/*"}),
    ({"Records": [{"s3": OBJECT}]}, "r 1", {"InputLocation": LOCATION}),
]


@pytest.mark.parametrize(("body", "inference_id", "attributes"), EVENTS)
def test_an_event_that_kept_failing_is_known_by_what_was_sent(body: dict, inference_id: str, attributes: dict) -> None:
    assert dead_events({"Body": json.dumps(body)}) == [DeadLetter(inference_id, whole("x", attributes))]


@pytest.mark.parametrize("body", ["{", "{}", '{"requestPayload": {"detail": {}}}', '{"Records": [{}]}', "[]"])
def test_an_event_that_cannot_be_read_is_nobody_s_and_not_whole(body: str) -> None:
    assert dead_events({"Body": body}) == [DeadLetter("", "")]


def test_the_request_of_an_object_is_known_by_the_object_s_name() -> None:
    headers = {"x-amzn-sagemaker-inference-id": "4f" * 16, "x-amzn-sagemaker-inputlocation": LOCATION}
    assert subjects("sagemaker", "POST", headers, b"") == (INVOKE, [("r 1", None)])
    told = {"inferenceId": "4f" * 16, "requestParameters": {"inputLocation": LOCATION}}
    assert of_notification(told) == ("r 1", None)
    told["requestParameters"]["inputLocation"] = "s3://bucket/input/pointers/r 1"
    assert of_notification(told) == ("4f" * 16, None)


def request(way: str, validity: str = VALID) -> Request:
    return Request("r", way, "small", validity, whole="w", output="o")


@pytest.mark.parametrize("way", [S3, EVENT, SNS])
def test_an_event_that_kept_failing_is_accounted_for_only_while_it_is_whole(way: str) -> None:
    ledger = Ledger(requests=[request(way)], event_dead_letters=[DeadLetter("r", "w")])
    assert check(ledger).is_kept
    assert check(ledger).ends == {checker.IN_EVENT_QUEUE: 1}
    ledger.event_dead_letters = [DeadLetter("r", "another")]
    assert check(ledger).lost == [f"r: {way}, small"]
    assert check(ledger).broken == ["r: does not lie whole in the dead-letter queue"]
    ledger.event_dead_letters = [DeadLetter("r", "w")] * 2
    assert check(ledger).broken == ["r: lies in the event dead-letter queue 2 times"]
    ledger.event_dead_letters = [DeadLetter("somebody else's", "w")]
    assert check(ledger).lost


@pytest.mark.parametrize("way", [S3, EVENT, SNS])
def test_an_event_that_is_refused_lies_in_a_dead_letter_queue(way: str) -> None:
    ledger = Ledger(requests=[request(way, REFUSED)], results=[Result("r", "Rejected")])
    assert "does not lie in the dead-letter queue" in check(ledger).broken[0]
    ledger.request_dead_letters = [DeadLetter("r", "w", reason="ValidationError: no")]
    assert check(ledger).is_kept
