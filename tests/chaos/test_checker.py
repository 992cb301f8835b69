"""The checker finds every kind of lie in a ledger, and explains every kind of duplicate."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from chaos import causes, checker
from chaos.checker import check
from chaos.evidence import (
    END_CALLBACK,
    END_TASK,
    FORGET,
    INVOKE,
    KEEP,
    LOOK,
    PUBLISH,
    PUBLISH_RESULTS,
    PUT,
    REMEMBER,
    SEND,
    is_swept,
    subjects,
)
from chaos.faults import DELAYED, DROPPED_AFTER
from chaos.ledger import (
    FAILING,
    HTTP,
    HTTP_KEY,
    REFUSED,
    SQS,
    TURNED_DOWN,
    UNKNOWN,
    VALID,
    Call,
    DeadLetter,
    Hurried,
    Kill,
    Ledger,
    Request,
    Result,
    Timeout,
    load,
    read_timeouts,
    whole,
)
from chaos.report import as_text
from local.destinations import BUS, CALLBACK, FIFO_QUEUE, NOBODY, QUEUE, RESULTS, TASK, TOPIC, WAYS_OUT

AT = "s3://bucket/output/a.out"
AGAIN = "s3://bucket/output/b.out"


def request(**more) -> Request:
    return Request(**{"id": "r", "way": SQS, "kind": "small", "validity": VALID, "whole": "w", "output": "o"} | more)


def result(location: str | None = AT, status: str = "Completed", output: str | None = "o") -> Result:
    return Result("r", status, location, output)


def call(operation: str, at: float, sdk: str, location: str | None = AT, **more) -> Call:
    service, status = {INVOKE: ("sagemaker", 202), PUBLISH: ("sns", 200), SEND: ("sqs", 200)}[operation]
    given = {"fault": None, "forwarded": True, "status": status} | more
    return Call(at, service, operation, sdk, [["r", location]], **given)


def path(location: str = AT, at: float = 1, name: str = "") -> list[Call]:
    """One request's way through everything without a fault."""
    operations = (INVOKE, PUBLISH, SEND)
    return [call(operation, at + n, f"{operation}{name}", location) for n, operation in enumerate(operations)]


def test_a_request_with_its_result_is_accounted_for() -> None:
    verdict = check(Ledger(requests=[request()], results=[result()], calls=path()))
    assert verdict.is_kept
    assert verdict.ends == {checker.ANSWERED: 1}
    assert not verdict.duplicates


@pytest.mark.parametrize(
    ("letters", "end"),
    [
        ({"request_dead_letters": [DeadLetter("r", "w")]}, checker.IN_REQUEST_QUEUE),
        ({"notification_dead_letters": [DeadLetter("r", "whole", AT)]}, checker.IN_NOTIFICATION_QUEUE),
    ],
)
def test_a_request_without_a_result_is_accounted_for_where_it_lies(letters: dict, end: str) -> None:
    verdict = check(Ledger(requests=[request()], **letters))
    assert verdict.is_kept
    assert verdict.ends == {end: 1}


@pytest.mark.parametrize(
    ("more", "end"),
    [
        ({"way": HTTP, "sent": TURNED_DOWN, "status": 503}, checker.NOT_ACCEPTED),
        ({"way": HTTP, "sent": UNKNOWN}, checker.UNKNOWN_TO_CALLER),
    ],
)
def test_what_http_did_not_accept_is_not_lost(more: dict, end: str) -> None:
    assert check(Ledger(requests=[request(**more)])).ends == {end: 1}


@pytest.mark.parametrize(
    "ledger",
    [
        Ledger(requests=[request()]),
        Ledger(requests=[request(way=HTTP, status=202)]),
        # An ignored batch failure: SageMaker throttled, and the message did not come back.
        Ledger(requests=[request()], calls=[call(INVOKE, 1, "i", None, status=400)]),
        # A lost notification: SageMaker took the request, and nobody swept.
        Ledger(requests=[request()], calls=path()[:1]),
        # A dropped notification: SNS took it, and nothing came of it.
        Ledger(requests=[request()], calls=path()[:2]),
        # What lies in a dead-letter queue is somebody else's.
        Ledger(requests=[request()], notification_dead_letters=[DeadLetter("r", "", AT)]),
    ],
)
def test_what_is_nowhere_is_lost(ledger: Ledger) -> None:
    verdict = check(ledger)
    assert verdict.lost == [f"r: {ledger.requests[0].way}, small"]
    assert not verdict.is_kept
    assert "LOST" in as_text(ledger, verdict)


@pytest.mark.parametrize(
    ("ledger", "problem"),
    [
        (Ledger(requests=[request()], results=[result(output="another")]), "another output than its own"),
        (Ledger(requests=[request()], results=[result(None, "Rejected", None)]), "and was rejected"),
        (Ledger(requests=[request(validity=FAILING)], results=[result()]), "model that fails"),
        (
            Ledger(requests=[request()], results=[result()], request_dead_letters=[DeadLetter("r", "x")]),
            "not lie whole",
        ),
        (Ledger(requests=[request(validity=REFUSED)], results=[result(None, "Rejected", None)]), "does not lie in"),
        (Ledger(requests=[request(validity=REFUSED)]), "does not lie in"),
        (Ledger(requests=[request()], results=[result(None, "Rejected", None)]), "does not lie in"),
        (
            Ledger(requests=[request(validity=REFUSED)], request_dead_letters=[DeadLetter("r", "x", reason="no")]),
            "does not lie whole",
        ),
        (
            Ledger(
                requests=[request(validity=REFUSED)],
                results=[result(None, "Rejected", None), result()],
                request_dead_letters=[DeadLetter("r", "w", reason="no")],
            ),
            "was both Rejected and Completed",
        ),
        (Ledger(requests=[request(validity=REFUSED)], results=[result()]), "has a result ['Completed']"),
        (Ledger(requests=[request(validity=REFUSED, way=HTTP, status=202)]), "was answered 202"),
        (Ledger(results=[result()]), "nobody made"),
        (Ledger(request_dead_letters=[DeadLetter("r", "w")]), "nobody made"),
        (Ledger(requests=[request(), request()], results=[result()]), "same id"),
    ],
)
def test_a_promise_that_was_not_kept_is_said(ledger: Ledger, problem: str) -> None:
    verdict = check(ledger)
    assert any(problem in sentence for sentence in verdict.broken), verdict.broken
    assert not verdict.is_kept


def by(way: str, token: str = "") -> Result:
    """The result of the request, by this way."""
    return Result(**vars(result()) | {"way": way, "token": token})


@pytest.mark.parametrize("way", WAYS_OUT)
def test_a_result_is_accounted_for_on_the_way_that_was_asked_for(way: str) -> None:
    token = "t" if way in (TASK, CALLBACK) else ""
    verdict = check(Ledger(requests=[request(to=way, token=token)], results=[by(way, token)], calls=path()))
    assert verdict.is_kept, verdict
    assert verdict.ends == {checker.ANSWERED: 1}


@pytest.mark.parametrize("way", WAYS_OUT)
@pytest.mark.parametrize("other", WAYS_OUT)
def test_a_result_on_a_way_that_nobody_asked_for_is_said(way: str, other: str) -> None:
    verdict = check(Ledger(requests=[request(to=other)], results=[by(way)], calls=path()))
    assert verdict.is_kept == (way == other), verdict
    assert not verdict.lost


@pytest.mark.parametrize("way", [QUEUE, FIFO_QUEUE, TOPIC, BUS, NOBODY])
def test_a_result_on_two_ways_is_said_whatever_explains_that_there_are_two(way: str) -> None:
    calls = [*path(), call(SEND, 4, "s2")]
    ledger = Ledger(requests=[request(to=way)], results=[by(way), by(RESULTS)], calls=calls)
    assert check(ledger).broken == [f"r: wanted its result by {way}, and has one by {RESULTS}"]


@pytest.mark.parametrize("way", [TASK, CALLBACK])
def test_the_result_of_what_waits_no_more_is_on_the_results_queue_once(way: str) -> None:
    ledger = Ledger(requests=[request(to=way, token="t")], results=[result()], calls=path())
    assert len(check(ledger).broken) == 1
    ledger.requests[0].timed_out = True
    assert check(ledger).is_kept
    ledger.results = [result(), result()]
    assert check(ledger).unexplained == ["r: 1 of 2 results"]
    ledger.results = []
    assert check(ledger).lost == ["r: SQS, small"]


@pytest.mark.parametrize(("way", "operation"), [(TASK, END_TASK), (CALLBACK, END_CALLBACK)])
def test_what_had_ended_without_being_told_has_its_result_on_the_results_queue_too(way: str, operation: str) -> None:
    first = Call(3, way, operation, "e", [["r", AT]], DROPPED_AFTER, forwarded=True, status=200)
    again = Call(4, way, operation, "e", [["r", AT]], None, forwarded=True, status=400)
    ledger = Ledger(requests=[request(to=way, token="t")], results=[by(way, "t"), result()])
    ledger.calls = [*path()[:2], first, again]
    assert check(ledger).unexplained == ["r: 1 of 2 results"]
    ledger.calls.append(call(SEND, 5, "s"))
    verdict = check(ledger)
    assert verdict.is_kept, verdict
    assert verdict.duplicates == {causes.SENT_TO_QUEUE_TOO: 1}


def test_a_result_that_ends_the_task_of_somebody_else_is_said() -> None:
    verdict = check(Ledger(requests=[request(to=TASK, token="t")], results=[by(TASK, "another")], calls=path()))
    assert verdict.broken == ["r: has ended the task of somebody else"]


def test_an_output_that_sagemaker_left_out_is_its_loss_only_if_nobody_else_was_to_fetch_it() -> None:
    calls = path()[:2]
    assert check(Ledger(requests=[request(to=NOBODY)], calls=calls)).ends == {checker.NOT_THERE: 1}
    assert check(Ledger(requests=[request(to=TOPIC)], calls=calls)).lost
    assert check(Ledger(requests=[request(to=NOBODY)])).lost


NOTIFICATION = json.dumps({"inferenceId": "r", "responseParameters": {"outputLocation": AT}})


@pytest.mark.parametrize(
    ("service", "operation", "body"),
    [
        ("topics", PUBLISH_RESULTS, urlencode({"PublishBatchRequestEntries.member.1.Message": NOTIFICATION})),
        ("events", PUT, json.dumps({"Entries": [{"Detail": NOTIFICATION}]})),
        ("states", END_TASK, json.dumps({"taskToken": "t", "output": NOTIFICATION})),
        ("states", END_TASK, json.dumps({"taskToken": "t", "error": "ModelError", "cause": NOTIFICATION})),
        ("lambda", END_CALLBACK, NOTIFICATION),
        ("lambda", END_CALLBACK, json.dumps({"ErrorType": "ModelError", "ErrorData": NOTIFICATION})),
    ],
)
def test_the_call_that_sends_a_result_is_known_in_each_protocol(service: str, operation: str, body: str) -> None:
    assert subjects(service, "POST", {}, body.encode()) == (operation, [("r", AT)])


def sdk_tried_again(operation: str) -> list[Call]:
    """Its first try had its effect, the answer was lost."""
    first, *rest = (c for c in path() if c.operation == operation)
    again = Call(**vars(first) | {"at": first.at + 0.5})
    first.fault = DROPPED_AFTER
    return [c for c in path() if c.operation != operation] + [first, again, *rest]


DUPLICATES = {
    causes.SENT_BY_SDK: ([result(), result()], sdk_tried_again(SEND), {}),
    causes.PUBLISHED_BY_SDK: ([result(), result()], [*sdk_tried_again(PUBLISH), call(SEND, 4, "other")], {}),
    causes.PUBLISHED_TWICE: ([result(), result()], [*path(), call(PUBLISH, 2.5, "p2"), call(SEND, 4, "s2")], {}),
    causes.SENT_AFTER_KILL: ([result(), result()], [*path(), call(SEND, 9, "s2")], {"kill": ("collect", 5)}),
    causes.SENT_AFTER_TIMEOUT: ([result(), result()], [*path(), call(SEND, 9, "s2")], {}),
    causes.SENT_AFTER_LOST_ANSWER: (
        [result(), result()],
        [*path()[:2], call(SEND, 3, "s", fault=DROPPED_AFTER), call(SEND, 9, "s2")],
        {},
    ),
    causes.INVOKED_AFTER_KILL: ([result(), result(AGAIN)], [*path(), *path(AGAIN, 9, "2")], {"kill": ("submit", 5)}),
    causes.INVOKED_AFTER_TIMEOUT: ([result(), result(AGAIN)], [*path(), *path(AGAIN, 9, "2")], {}),
    causes.INVOKED_AFTER_LOST_ANSWER: (
        [result(), result(AGAIN)],
        [call(INVOKE, 1, "i", None, status=None), *path()[1:], *path(AGAIN, 9, "2")],
        {},
    ),
    causes.INVOKED_BY_SDK: (
        [result(), result(AGAIN)],
        [call(INVOKE, 0.5, "Invoke2", None, status=None), call(INVOKE, 1, "Invoke2"), *path(AGAIN, 9)[1:], *path()[1:]],
        {},
    ),
    causes.INVOKED_BY_CALLER: (
        [result(), result(AGAIN)],
        [*path(), *path(AGAIN, 9, "2")],
        {"request": {"way": HTTP_KEY, "tries": 2, "status": 202}},
    ),
}


@pytest.mark.parametrize("cause", DUPLICATES)
def test_each_duplicate_is_put_down_to_its_cause(cause: str) -> None:
    results, calls, more = DUPLICATES[cause]
    kills = [Kill(more["kill"][1], more["kill"][0], "SIGKILL")] if "kill" in more else []
    ledger = Ledger(requests=[request(**more.get("request", {}))], results=results, calls=calls, kills=kills)
    verdict = check(ledger)
    assert verdict.duplicates == {cause: 1}
    assert verdict.is_kept


REJECTED = result(None, "Rejected", None)
BY_SUBMIT, BY_SQS = DeadLetter("r", "w", reason="ValidationError: no"), DeadLetter("r", "w")


def kept(at: float, sdk: str, **more) -> Call:
    """A dead letter that SQS took."""
    given = {"fault": None, "forwarded": True, "status": 200} | more
    return Call(at, "sqs", KEEP, sdk, [["", "w"]], **given)


def told(at: float, sdk: str) -> Call:
    return call(SEND, at, sdk, None)


def rejected(
    results: int,
    letters: list[DeadLetter],
    calls: list[Call],
    kill: float | None = None,
    timeout: float | None = None,
) -> Ledger:
    """A refused request with so many rejections, and these dead letters."""
    return Ledger(
        requests=[request(validity=REFUSED)],
        results=[REJECTED] * results,
        request_dead_letters=letters,
        calls=calls,
        kills=[] if kill is None else [Kill(kill, "submit", "SIGKILL")],
        timeouts=[] if timeout is None else [Timeout(timeout, "submit")],
    )


def test_a_rejected_request_lies_in_the_dead_letter_queue_once_and_its_sender_is_told_once() -> None:
    verdict = check(rejected(1, [BY_SUBMIT], [kept(1, "k"), told(2, "t")]))
    assert verdict.is_kept
    assert verdict.ends == {checker.IN_REQUEST_QUEUE: 1}
    assert not verdict.duplicates + verdict.dead_letters


DEAD_LETTERS = {
    causes.KEPT_BY_SDK: rejected(1, [BY_SUBMIT] * 2, [kept(1, "k", fault=DROPPED_AFTER), kept(1.5, "k"), told(2, "t")]),
    causes.KEPT_AFTER_KILL: rejected(0, [BY_SUBMIT] * 2, [kept(1, "k"), kept(9, "k2")], kill=5),
    causes.KEPT_AFTER_LOST_ANSWER: rejected(0, [BY_SUBMIT] * 2, [kept(1, "k", fault=DROPPED_AFTER), kept(9, "k2")]),
    causes.KEPT_AFTER_TIMEOUT: rejected(0, [BY_SUBMIT] * 2, [kept(1, "k", fault=DELAYED), kept(9, "k2")]),
}


@pytest.mark.parametrize("cause", DEAD_LETTERS)
def test_each_further_dead_letter_is_put_down_to_its_cause(cause: str) -> None:
    verdict = check(DEAD_LETTERS[cause])
    assert verdict.dead_letters == {cause: 1}
    assert verdict.is_kept, verdict
    assert cause in as_text(DEAD_LETTERS[cause], verdict)


def test_a_message_that_sqs_moved_after_submit_had_kept_it_needs_a_cause() -> None:
    letters = [BY_SUBMIT, BY_SQS]
    assert check(rejected(0, letters, [kept(1, "k")], kill=5)).dead_letters == {causes.KEPT_AFTER_KILL: 1}
    assert check(rejected(0, letters, [kept(1, "k")])).unexplained == ["r: 1 of 2 dead letters"]


@pytest.mark.parametrize(
    "calls",
    [
        # A bridge that gives a message back although SQS has confirmed its dead letter.
        [kept(1, "k"), kept(9, "k2")],
        # A kill before, or of the other function, explains nothing.
        [kept(6, "k"), kept(9, "k2")],
        # There are more dead letters than anybody put there.
        [kept(1, "k")],
    ],
)
def test_a_further_dead_letter_that_nothing_explains_is_said(calls: list[Call]) -> None:
    ledger = rejected(0, [BY_SUBMIT] * 2, calls, kill=5 if calls[0].at == 6 else None)
    ledger.kills.append(Kill(7, "collect", "SIGKILL"))
    assert check(ledger).unexplained == ["r: 1 of 2 dead letters"]


REJECTIONS = {
    # Told at the first receipt, because the dead-letter queue took nothing; told again when it did.
    causes.REJECTED_NOT_KEPT: rejected(2, [BY_SUBMIT], [told(1, "t"), kept(9, "k"), told(10, "t2")]),
    causes.REJECTED_AFTER_KILL: rejected(
        2, [BY_SUBMIT] * 2, [kept(1, "k"), told(2, "t"), kept(9, "k2"), told(10, "t2")], kill=5
    ),
    causes.SENT_BY_SDK: rejected(2, [BY_SUBMIT], [kept(1, "k"), told(2, "t"), told(2.5, "t")]),
}
COME_BACK = [kept(1, "k"), told(2, "t"), kept(9, "k2"), told(10, "t2")]


@pytest.mark.parametrize("cause", REJECTIONS)
def test_each_further_rejection_is_put_down_to_its_cause(cause: str) -> None:
    verdict = check(REJECTIONS[cause])
    assert verdict.duplicates == {cause: 1}
    assert verdict.is_kept, verdict


def test_a_message_that_came_back_when_the_functions_time_had_run_out_is_rejected_again() -> None:
    verdict = check(rejected(2, [BY_SUBMIT] * 2, COME_BACK, timeout=6))
    assert verdict.duplicates == {causes.REJECTED_AFTER_TIMEOUT: 1}
    assert verdict.dead_letters == {causes.KEPT_AFTER_TIMEOUT: 1}
    assert verdict.is_kept
    assert len(check(rejected(2, [BY_SUBMIT] * 2, COME_BACK, timeout=12)).unexplained) == 2


def test_a_sender_who_is_told_twice_without_a_cause_is_said() -> None:
    verdict = check(rejected(2, [BY_SUBMIT], [kept(1, "k"), told(2, "t"), told(9, "t2")]))
    assert verdict.unexplained == ["r: 1 of 2 results"]


def test_a_dead_letter_of_a_request_without_an_inference_id_is_known_by_what_it_holds() -> None:
    ledger = rejected(1, [DeadLetter("a new message", "w", reason="no")], [kept(1, "k"), told(2, "t")])
    assert check(ledger).is_kept
    ledger.request_dead_letters = [DeadLetter("a new message", "another", reason="no")]
    assert len(check(ledger).broken) == 2, "nobody made it, and what was made lies nowhere"


def test_the_call_that_keeps_a_request_is_known_by_what_was_sent() -> None:
    text = {"DataType": "String", "StringValue": "base64"}
    reason = {"DataType": "String", "StringValue": "ValidationError: no"}
    message = {"QueueUrl": "q", "MessageBody": "%", "MessageAttributes": {"ContentEncoding": text}}
    expected = (KEEP, [("", whole("%", {"ContentEncoding": "base64"}))])
    assert subjects("sqs", "POST", {}, json.dumps(message).encode()) == expected
    message["MessageAttributes"]["FailureReason"] = reason
    assert subjects("sqs", "POST", {}, json.dumps(message).encode()) == expected


def test_an_invocation_that_failed_is_known_by_the_name_of_its_failure_output() -> None:
    outputs = ["s3://bucket/output/a.out", "s3://bucket/output/b.out"]
    failures = ["s3://bucket/failure/a-error.out", "s3://bucket/failure/b-error.out"]
    calls = [call(INVOKE, 1, "same", outputs[0], fault=DROPPED_AFTER), call(INVOKE, 2, "same", outputs[1])]
    calls += [call(SEND, 5 + n, f"s{n}", location) for n, location in enumerate(failures)]
    results = [result(location, "Failed") for location in failures]
    verdict = check(Ledger(requests=[request(validity=FAILING)], results=results, calls=calls))
    assert verdict.duplicates == {causes.INVOKED_BY_SDK: 1}
    assert verdict.is_kept


@pytest.mark.parametrize("results", [[result(), result()], [result(), result(AGAIN)]])
def test_a_duplicate_that_nothing_explains_is_said(results: list[Result]) -> None:
    verdict = check(Ledger(requests=[request()], results=results, calls=path()))
    assert verdict.unexplained == ["r: 1 of 2 results"]
    assert not verdict.is_kept


def test_what_lambda_ended_is_read_from_its_log(tmp_path: Path) -> None:
    log = tmp_path / "ministack.log"
    log.write_text(
        "2026-11-25 18:27:40 WARNING [ministack] Lambda chaos-CollectFunction-1: Task timed out after 6.00 seconds\n"
        "2026-11-25 18:27:41 WARNING [ministack] Lambda chaos-SubmitFunction-1: Runtime exited\n"
        "2026-11-25 18:27:42 WARNING [ministack] Lambda chaos-SubmitFunction-1: Task timed out after 6.00 seconds\n",
        encoding="utf-8",
    )
    found = read_timeouts(log)
    assert [timeout.function for timeout in found] == ["collect", "submit"]
    assert found[1].at - found[0].at == 2


def test_a_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    ledger = Ledger(
        seed=7,
        requests=[request()],
        results=[result()],
        request_dead_letters=[DeadLetter("r", "w", None, "no")],
        event_dead_letters=[DeadLetter("r", "w")],
        calls=path(),
        kills=[Kill(1, "submit", "SIGTERM")],
    )
    ledger.timeouts = [Timeout(2, "submit")]
    ledger.save(tmp_path / "ledger.json")
    assert load(tmp_path / "ledger.json") == ledger


def test_two_invocations_that_share_an_output_are_one_duplicate_with_one_cause() -> None:
    calls = [call(INVOKE, 1, "same", fault=DROPPED_AFTER), call(INVOKE, 2, "same")]
    calls += [call(operation, 3 + n, f"{operation}{n}") for n, operation in enumerate((PUBLISH, SEND, PUBLISH, SEND))]
    verdict = check(Ledger(requests=[request(way=HTTP)], results=[result(), result()], calls=calls))
    assert verdict.duplicates == {causes.INVOKED_BY_SDK: 1}
    assert verdict.is_kept
    third = check(Ledger(requests=[request(way=HTTP)], results=[result(), result(), result()], calls=calls))
    assert len(third.unexplained) == 1


def test_two_invocations_that_share_an_output_and_fail_are_told_apart_by_their_failure_outputs() -> None:
    failures = ["s3://bucket/failure/x-error.out", "s3://bucket/failure/y-error.out"]
    calls = [call(INVOKE, at, "i") for at in (1, 2)]
    for invocation, failure in zip(calls, failures, strict=True):
        invocation.subjects.append(["r", failure])
    for at, failure in enumerate(failures, 3):
        calls += [call(PUBLISH, at, f"p{at}", failure), call(SEND, at + 2, f"s{at}", failure)]
    ledger = Ledger(
        requests=[request(way=HTTP, status=202, validity=FAILING)],
        results=[result(failure, "Failed", None) for failure in failures],
        calls=calls,
    )
    verdict = check(ledger)
    assert verdict.is_kept, as_text(ledger, verdict)
    assert verdict.duplicates == {causes.INVOKED_BY_SDK: 1}


KEY, LONG_AGO = "20261126T0912Z-" + "4f" * 16, "20200101T0000Z-" + "4f" * 16


def by_sweep(location: str | None = AT, status: str = "Completed", output: str | None = "o", **more) -> Result:
    return Result("r", status, location, output, swept=True, **more)


def swept(at: float, sdk: str = "sweep", location: str | None = AT, **more) -> Call:
    """A call by which the sweep sent the request's result."""
    return call(SEND, at, sdk, location, swept=True, **more)


def remembered(at: float, key: str = KEY) -> Call:
    return Call(at, "s3", REMEMBER, f"put {at}", [["r", key]], None, forwarded=True, status=200)


def looked_at(at: float, key: str = KEY, status: int = 200) -> Call:
    return Call(at, "s3", LOOK, f"get {at}", [["", key]], None, forwarded=True, status=status)


def forgotten(at: float, key: str = KEY, **more) -> Call:
    given = {"fault": None, "forwarded": True, "status": 204} | more
    return Call(at, "s3", FORGET, f"delete {at}", [["", key]], **given)


@pytest.mark.parametrize("status", ["Completed", "Failed", "Unanswered"])
def test_a_request_that_sagemaker_did_not_notify_is_answered_by_the_sweep_or_lost(status: str) -> None:
    ledger = Ledger(requests=[request()], calls=[path()[0], remembered(1.5)])
    assert check(ledger).lost == ["r: SQS, small"]
    ledger.results = [by_sweep(status=status)]
    ledger.calls += [swept(9), forgotten(10)]
    verdict = check(ledger)
    assert verdict.is_kept, verdict
    assert verdict.ends == {checker.ANSWERED: 1}
    assert not verdict.duplicates
    assert verdict.notes[f"answered by the sweep alone: {status}"] == 1


def test_the_sweep_hides_no_notification_that_collect_has_dropped() -> None:
    calls = [*path()[:2], remembered(1.5), swept(9)]
    ledger = Ledger(requests=[request()], results=[by_sweep()], calls=calls)
    assert check(ledger).broken == ["r: SNS took its notification, and nobody but the sweep answered it"]
    ledger.notification_dead_letters = [DeadLetter("r", "whole", AT)]
    assert check(ledger).is_kept


def test_what_is_remembered_still_when_everything_has_been_swept_is_said() -> None:
    ledger = Ledger(requests=[request()], results=[result()], calls=path(), remembered=[KEY])
    assert check(ledger).broken == [f"{KEY}: is remembered still, though everything has been swept"]


def test_the_sweep_does_not_answer_by_another_way_than_was_asked_for() -> None:
    ledger = Ledger(requests=[request(to=TOPIC)], results=[by_sweep()], calls=[path()[0], remembered(1.5), swept(9)])
    assert check(ledger).broken == [f"r: wanted its result by {TOPIC}, and has one by {RESULTS}"]
    ledger.requests[0].to = RESULTS
    ledger.results = [by_sweep(output="another")]
    assert check(ledger).broken == ["r: has a result with another output than its own"]


NOTIFIED = path()
SWEPT_AND_NOTIFIED = {
    # SageMaker or SNS is late, or time was made to pass for the request.
    causes.NOTIFIED_LATE: [NOTIFIED[0], remembered(1.5), swept(1.8), *NOTIFIED[1:], forgotten(4)],
    # The DELETE never came to S3.
    causes.SWEPT_STILL_REMEMBERED: [*NOTIFIED, remembered(1.5), swept(9)],
    # The model was faster than the PUT, whose first tries were refused.
    causes.REMEMBERED_LATE: [*NOTIFIED, forgotten(4), remembered(5), swept(9)],
}


@pytest.mark.parametrize("status", ["Completed", "Unanswered"])
@pytest.mark.parametrize("cause", SWEPT_AND_NOTIFIED)
def test_a_request_that_is_swept_and_notified_has_two_results_with_a_cause(cause: str, status: str) -> None:
    ledger = Ledger(requests=[request()], results=[result(), by_sweep(status=status)], calls=SWEPT_AND_NOTIFIED[cause])
    verdict = check(ledger)
    assert verdict.duplicates == {cause: 1}
    assert verdict.is_kept, verdict
    ledger.results.append(by_sweep(status=status))
    assert check(ledger).unexplained == ["r: 1 of 3 results"]


@pytest.mark.parametrize(
    ("memory", "is_explained"),
    [
        ([remembered(1.5)], True),
        ([remembered(1.5), forgotten(4, fault="unavailable", forwarded=False, status=500)], True),
        # It came into effect when the function waited no more.
        ([remembered(1.5), forgotten(4, fault=DELAYED)], True),
        # A try of PUT whose answer was lost is made again when the request is answered and forgotten already.
        ([remembered(1.5), forgotten(4), remembered(5)], True),
        ([remembered(1.5), forgotten(4)], False),
        ([remembered(1.5), forgotten(4, fault=DROPPED_AFTER)], False),
        # Nothing has ever been remembered.
        ([], False),
        ([remembered(10)], False),
    ],
)
def test_a_request_that_was_forgotten_is_not_swept(memory: list[Call], is_explained: bool) -> None:
    ledger = Ledger(requests=[request()], results=[result(), by_sweep()], calls=[*path(), *memory, swept(9)])
    verdict = check(ledger)
    assert verdict.unexplained == ([] if is_explained else ["r: 1 of 2 results"])


def test_a_record_that_was_moved_to_long_ago_is_not_forgotten_by_its_old_key() -> None:
    calls = [*path(), remembered(1.5), forgotten(4), swept(9), forgotten(10, LONG_AGO)]
    ledger = Ledger(requests=[request()], results=[result(), by_sweep()], calls=calls)
    assert check(ledger).unexplained == ["r: 1 of 2 results"]
    ledger.hurried = [Hurried(2, KEY, LONG_AGO)]
    assert check(ledger).duplicates == {causes.SWEPT_STILL_REMEMBERED: 1}
    ledger.calls = [*path(), remembered(1.5), forgotten(4), forgotten(5, LONG_AGO), swept(9)]
    assert check(ledger).unexplained == ["r: 1 of 2 results"]


def test_two_sweeps_send_the_result_of_a_request_that_is_remembered_still() -> None:
    calls = [path()[0], remembered(1.5), swept(5, "first"), swept(9, "second"), forgotten(10)]
    ledger = Ledger(requests=[request()], results=[by_sweep(), by_sweep()], calls=calls)
    assert check(ledger).duplicates == {causes.SWEPT_AGAIN: 1}
    assert check(ledger).is_kept
    ledger.calls.append(forgotten(6))
    assert check(ledger).unexplained == ["r: 1 of 2 results"]
    ledger.calls = [path()[0], remembered(1.5), swept(5, "same", fault=DROPPED_AFTER), swept(5.5, "same"), forgotten(6)]
    assert check(ledger).duplicates == {causes.SENT_BY_SDK: 1}


def test_two_sweeps_at_once_send_the_result_of_a_request_that_both_have_found() -> None:
    calls = [path()[0], remembered(1.5), looked_at(4), swept(5, "first"), forgotten(6), swept(9, "second")]
    ledger = Ledger(requests=[request()], results=[by_sweep(), by_sweep()], calls=calls)
    assert check(ledger).unexplained == ["r: 1 of 2 results"]
    ledger.calls.append(looked_at(6.5, status=404))
    assert check(ledger).unexplained == ["r: 1 of 2 results"]
    ledger.calls.append(looked_at(4.5))
    assert check(ledger).duplicates == {causes.SWEPT_AT_ONCE: 1}
    assert check(ledger).is_kept


def test_a_sweep_may_find_a_request_whose_notification_is_being_passed_on() -> None:
    calls = [*path(), remembered(1.5), looked_at(2.9), forgotten(4), swept(5)]
    ledger = Ledger(requests=[request()], results=[result(), by_sweep()], calls=calls)
    assert check(ledger).duplicates == {causes.SWEPT_STILL_REMEMBERED: 1}
    assert check(ledger).is_kept


def test_one_invocation_may_be_notified_and_another_one_of_the_same_request_swept() -> None:
    again = call(INVOKE, 9, "again", AGAIN)
    other = "20261126T0913Z-" + "5e" * 16
    calls = [*path(), remembered(1.5), forgotten(4), again, remembered(9.5, other), swept(20, location=AGAIN)]
    ledger = Ledger(requests=[request()], results=[result(), by_sweep(AGAIN)], calls=calls)
    ledger.kills = [Kill(5, "submit", "SIGKILL")]
    verdict = check(ledger)
    assert verdict.duplicates == {causes.INVOKED_AFTER_KILL: 1}
    assert verdict.is_kept, verdict
    ledger.calls.remove(again)
    assert check(ledger).unexplained == ["r: 1 of 2 results"]


def test_a_request_that_failed_and_was_given_up_before_was_invoked_once() -> None:
    invocation = call(INVOKE, 1, "i")
    failure = "s3://bucket/failure/x-error.out"
    invocation.subjects.append(["r", failure])
    calls = [invocation, remembered(1.5), swept(2), call(PUBLISH, 3, "p", failure), call(SEND, 4, "s", failure)]
    results = [by_sweep(status="Unanswered", output=None), result(failure, "Failed", None)]
    verdict = check(Ledger(requests=[request(validity=FAILING)], results=results, calls=calls))
    assert verdict.duplicates == {causes.NOTIFIED_LATE: 1}
    assert verdict.is_kept, verdict


def test_who_polls_for_a_request_that_was_given_up_is_told() -> None:
    ledger = Ledger(requests=[request(to=NOBODY)], calls=[path()[0], remembered(1.5)])
    assert check(ledger).lost
    ledger.results = [by_sweep(status="Unanswered", output=None, way=NOBODY)]
    assert check(ledger).is_kept


def test_the_calls_that_remember_and_forget_a_request_are_known_by_its_key() -> None:
    body = json.dumps({"inferenceId": "r", "outputLocation": AT}).encode()
    path_of_record = f"/bucket/pending/{KEY}?x-id="
    assert subjects("s3", "PUT", {}, body, f"{path_of_record}PutObject") == (REMEMBER, [("r", KEY)])
    assert subjects("s3", "DELETE", {}, b"", f"{path_of_record}DeleteObject") == (FORGET, [("", KEY)])
    assert subjects("s3", "GET", {}, b"", f"{path_of_record}GetObject") == (LOOK, [("", KEY)])
    assert subjects("s3", "HEAD", {}, b"", path_of_record) == ("s3 HEAD", [])
    given_up = f"/bucket/pending/unanswered/{KEY}"
    assert subjects("s3", "PUT", {}, b"there is no object", given_up) == ("s3 PUT", [])


@pytest.mark.parametrize("name", ["InferenceRecovered", "InferenceUnanswered"])
def test_a_result_of_the_sweep_is_told_from_a_notifications(name: str) -> None:
    for form in ({"Entries": [{"MessageBody": json.dumps({"eventName": name})}]}, {"eventName": name}):
        assert is_swept(json.dumps(form).encode())
    assert not is_swept(json.dumps({"eventName": "InferenceResult"}).encode())
