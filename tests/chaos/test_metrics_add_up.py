"""Metrics that do not add up are found out: each tampered line of a run that did add up fails the check."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chaos import metrics
from chaos.checker import check
from chaos.evidence import INVOKE, KEEP, LOOK, PUBLISH, REMEMBER, SEND, results_of
from chaos.faults import DELAYED, DROPPED_AFTER
from chaos.ledger import HTTP, REFUSED, SQS, TURNED_DOWN, VALID, Call, DeadLetter, Kill, Ledger, Line, Request, Result
from chaos.report import as_json, as_text
from local.destinations import NOBODY

AT = "s3://bucket/output/a.out"
SUBMIT, COLLECT = ("submit", 11), ("collect", 22)


def call(operation: str, at: float, sdk: str, **more) -> Call:
    service = {INVOKE: "sagemaker", PUBLISH: "sns", REMEMBER: "s3"}.get(operation, "sqs")
    results = [["r", "Completed"]] if operation == SEND else []
    status = 202 if operation == INVOKE else 200
    given = {"fault": None, "forwarded": True, "status": status, "results": results} | more
    return Call(at, service, operation, sdk, **{"subjects": [["r", AT]]} | given)


def line(process: tuple[str, int], at: float, metric: str, about: str = "", **more) -> Line:
    given = {"is_sent": True} if process == COLLECT and about else {}
    return Line(at, *process, {metric: 1}, about=about, **given | more)


def counted(process: tuple[str, int], at: float, **counts: int) -> Line:
    return Line(at, *process, counts, is_metrics=True)


def run(**more) -> Ledger:
    """A request and its result, each logged and counted."""
    calls = [call(INVOKE, 1, "i"), call(PUBLISH, 2, "p"), call(SEND, 3, "s")]
    lines = [
        line(SUBMIT, 1.1, "Accepted", "a"),
        counted(SUBMIT, 1.2, Accepted=1),
        line(COLLECT, 3.1, "Completed", "r"),
        counted(COLLECT, 3.2, Completed=1),
    ]
    request = Request("r", SQS, "small", VALID, whole="w", output="o")
    given = {"requests": [request], "results": [Result("r", "Completed", AT, "o")], "calls": calls, "lines": lines}
    return Ledger(**given | more)


def unexplained(ledger: Ledger) -> list[str]:
    verdict = check(ledger)
    assert verdict.metrics
    assert verdict.is_kept is not bool(verdict.metrics.unexplained)
    return verdict.metrics.unexplained


def causes(ledger: Ledger) -> dict[str, int]:
    assert not unexplained(ledger)
    sums = check(ledger).metrics
    return dict(+sums.causes) if sums else {}


def test_metrics_that_add_up_are_summed() -> None:
    verdict = check(run())
    assert verdict.is_kept
    assert verdict.metrics
    assert verdict.metrics.counted == {"Accepted": 1, "Completed": 1}
    assert not +verdict.metrics.causes
    assert "metrics not explained 0" in as_text(run(), verdict)
    assert as_json(run(), verdict)["metrics"] == {"Accepted": 1, "Completed": 1}


@pytest.mark.parametrize("index", range(4))
def test_a_line_that_is_missing_is_found(index: int) -> None:
    ledger = run()
    del ledger.lines[index]
    assert unexplained(ledger)
    assert "METRICS NOT EXPLAINED" in as_text(ledger, check(ledger))


@pytest.mark.parametrize("index", range(4))
def test_a_line_that_is_there_twice_is_found(index: int) -> None:
    ledger = run()
    ledger.lines.insert(index, ledger.lines[index])
    assert unexplained(ledger)


@pytest.mark.parametrize("index", [1, 3])
@pytest.mark.parametrize("count", [0, 2])
def test_a_metric_with_another_count_is_found(index: int, count: int) -> None:
    ledger = run()
    name = next(iter(ledger.lines[index].counts))
    ledger.lines[index] = replace(ledger.lines[index], counts={name: count})
    assert unexplained(ledger)


@pytest.mark.parametrize("metric", metrics.COUNTED)
@pytest.mark.parametrize("process", [SUBMIT, COLLECT])
def test_a_line_that_was_added_is_found(process: tuple[str, int], metric: str) -> None:
    ledger = run()
    ledger.lines.append(counted(process, 9, **{metric: 1}))
    assert unexplained(ledger)


def test_an_outcome_that_was_counted_as_another_one_is_found() -> None:
    ledger = run()
    ledger.lines[3] = counted(COLLECT, 3.2, Failed=1)
    assert unexplained(ledger)
    ledger.lines[2] = line(COLLECT, 3.1, "Failed", "r")
    assert unexplained(ledger) == [
        "('r', 'Completed'): sent result, not counted 1 times",
        "('r', 'Failed'): sent result, counted 1 times too often",
    ]


def test_an_outcome_that_was_logged_and_counted_twice_is_found() -> None:
    ledger = run()
    ledger.lines += [line(SUBMIT, 4, "Accepted", "a"), counted(SUBMIT, 4.1, Accepted=1)]
    assert unexplained(ledger) == ["a: accepted request, counted 1 times too often"]


def test_a_run_without_any_line_is_found_out_and_a_ledger_that_has_none_is_unknown() -> None:
    assert len(unexplained(run(lines=[]))) == 2
    verdict = check(run(lines=None))
    assert verdict.is_kept
    assert "metrics not explained unknown" in as_text(run(lines=None), verdict)


def test_what_a_process_logged_before_its_own_kill_needs_no_line_of_metrics() -> None:
    ledger = run(kills=[Kill(3.15, *COLLECT[:1], "SIGKILL", COLLECT[1])])
    del ledger.lines[3]
    assert causes(ledger) == {metrics.CUT_OFF: 1}
    ledger.kills[0].process += 1
    assert unexplained(ledger) == ["collect 22: has logged and not counted {'Completed': 1}"]


def test_what_a_killed_process_had_not_counted_hides_no_line_that_is_there_twice() -> None:
    ledger = run(kills=[Kill(9, "submit", "SIGKILL", 11)])
    first = call(INVOKE, 0.5, "h", subjects=[["r", "s3://bucket/output/b.out"]])
    ledger.calls.append(first)
    ledger.lines[:2] = [line(SUBMIT, 0.6, "Accepted", "b"), counted(SUBMIT, 0.7, Accepted=1), ledger.lines[0]]
    assert causes(ledger) == {metrics.CUT_OFF: 1}
    ledger.lines.insert(1, ledger.lines[1])
    assert "has counted more than it had logged" in unexplained(ledger)[0]


def test_a_full_line_is_written_before_the_outcome_that_fills_it_is_logged() -> None:
    outcomes = [line(COLLECT, 3, "Completed", "r")] * 100
    calls = [call(SEND, 3, f"s{number}") for number in range(100)]
    ledger = run(calls=[*run().calls[:2], *calls], lines=run().lines[:2])
    ledger.lines += [*outcomes[:99], counted(COLLECT, 3, Completed=100), outcomes[99]]
    assert check(ledger).metrics.unexplained == []
    ledger.lines += [counted(COLLECT, 4, Completed=1)]
    assert check(ledger).metrics.unexplained


def test_what_a_killed_process_left_out_before_its_last_metrics_is_found() -> None:
    ledger = run(kills=[Kill(9, "submit", "SIGKILL", 11)])
    ledger.lines[1:2] = [counted(SUBMIT, 1.2, Returned=0)]
    assert "metrics differ from the outcomes in its log" in unexplained(ledger)[0]


def test_an_acceptance_whose_answer_was_lost_is_not_counted() -> None:
    lost = call(INVOKE, 0.5, "i", fault=DROPPED_AFTER)
    assert causes(run(calls=[lost, *run().calls])) == {metrics.ACCEPTED_UNANSWERED: 1}


def test_an_acceptance_of_a_killed_function_needs_a_second_try() -> None:
    kills = [Kill(0.95, "submit", "SIGKILL", 12)]
    first = call(INVOKE, 0.9, "h", subjects=[["r", "s3://bucket/output/b.out"]])
    assert causes(run(calls=[first, *run().calls], kills=kills)) == {metrics.ACCEPTED_AND_KILLED: 1}
    assert unexplained(run(calls=[first, *run().calls]))
    ledger = run(kills=kills)
    del ledger.lines[:2]
    assert unexplained(ledger) == ["a: accepted request, not counted 1 times"]


def test_an_acceptance_that_s3_did_not_remember_is_not_counted() -> None:
    records = [call(REMEMBER, 1.05, "m", status=503, forwarded=False)]
    ledger = run(calls=[*run().calls, *records])
    ledger.lines[:2] = [line(SUBMIT, 1.1, "Returned", "m-1"), counted(SUBMIT, 1.2, Returned=1)]
    assert causes(ledger) == {metrics.ACCEPTED_NOT_REMEMBERED: 1}
    records[0].status, records[0].forwarded = 200, True
    assert unexplained(ledger)


def test_an_acceptance_that_its_function_gave_back_needs_a_second_try() -> None:
    records = [call(REMEMBER, 0.6, "m", status=503, forwarded=False), call(REMEMBER, 0.9, "m")]
    first = call(INVOKE, 0.5, "h", subjects=[["r", "s3://bucket/output/b.out"]])
    ledger = run(calls=[first, *records, *run().calls])
    ledger.lines[:0] = [line(SUBMIT, 0.95, "Returned", "m-1"), counted(SUBMIT, 0.96, Returned=1)]
    assert causes(ledger) == {metrics.ACCEPTED_LATE: 1}
    ledger.lines[:2] = []
    assert unexplained(ledger) == ["b: accepted request, not counted 1 times"]
    # A confirmed record of the second try says nothing of the first.
    ledger.calls = [first, records[0], *run().calls, call(REMEMBER, 1.05, "n")]
    assert causes(ledger) == {metrics.ACCEPTED_NOT_REMEMBERED: 1}


def test_a_result_that_its_function_took_for_unsent_needs_a_second_call() -> None:
    ledger = run(calls=[*run().calls[:2], call(SEND, 2.5, "q"), *run().calls[2:]])
    ledger.lines.insert(2, Line(2.6, *COLLECT, {}, about="r"))
    assert causes(ledger) == {metrics.SENT_LATE: 1}
    only = run()
    only.lines[2:] = [Line(3.1, *COLLECT, {}, about="r")]
    assert unexplained(only) == ["('r', 'Completed'): sent result, not counted 1 times"]


def test_a_result_of_a_killed_function_or_of_one_out_of_time_needs_a_second_call() -> None:
    late = run(calls=[*run().calls[:2], call(SEND, 2.5, "q", fault=DELAYED), *run().calls[2:]])
    assert causes(late) == {metrics.SENT_LATE: 1}
    killed = run(calls=[*run().calls[:2], call(SEND, 2.5, "q"), *run().calls[2:]])
    assert unexplained(killed)
    killed.kills = [Kill(2.6, "collect", "SIGTERM", 23)]
    assert causes(killed) == {metrics.SENT_AND_KILLED: 1}
    del killed.lines[2:]
    assert unexplained(killed) == ["('r', 'Completed'): sent result, not counted 1 times"]


def unsent(*counts: Line) -> Ledger:
    request = Request("r", SQS, "small", VALID, output="o", to=NOBODY)
    result = Result("r", "Completed", AT, "o", NOBODY)
    return run(requests=[request], results=[result], calls=run().calls[:2], lines=[*run().lines[:2], *counts])


def test_a_result_that_nobody_wants_counts_with_its_notification() -> None:
    outcome = line(COLLECT, 3.1, "Completed", "r", is_sent=False)
    assert not causes(unsent(outcome, counted(COLLECT, 3.2, Completed=1)))
    assert unexplained(unsent()) == ["r: notified 1 times, counted 0 times"]
    again = unsent(outcome, replace(outcome, at=9), counted(COLLECT, 9.1, Completed=2))
    assert unexplained(again) == ["r: counted though nobody notified"]
    again.kills = [Kill(4, "collect", "SIGKILL", 22)]
    assert causes(again) == {metrics.UNSENT_AGAIN: 1}


def test_a_result_that_nobody_wants_counts_with_a_sweep_after_its_notification_came_back() -> None:
    outcome = line(COLLECT, 3.1, "Completed", "r", is_sent=False)
    lines = [outcome, replace(outcome, at=9), replace(outcome, at=100), counted(COLLECT, 100.1, Completed=3)]
    swept = unsent(*lines)
    swept.calls += [call(REMEMBER, 1.15, "m", subjects=[["r", "key"]])]
    assert unexplained(swept) == ["r: counted though nobody notified"] * 2
    swept.calls += [call(LOOK, 99.9, "g", subjects=[["", "key"]])]
    assert unexplained(swept) == ["r: counted though nobody notified"]
    swept.kills = [Kill(4, "collect", "SIGKILL", 23)]
    assert causes(swept) == {metrics.UNSENT_AGAIN: 1}


def refused(way: str, *lines: Line, **more) -> Ledger:
    letters = [DeadLetter("r", "w", reason="ValidationError: no")] if way == SQS else []
    request = Request("r", way, "bad", REFUSED, whole="w", **more)
    return Ledger(requests=[request], request_dead_letters=letters, lines=list(lines))


def test_a_refused_message_is_rejected_once_or_again_for_a_cause() -> None:
    outcome, metric = line(SUBMIT, 1, "Rejected", "m"), counted(SUBMIT, 1.1, Rejected=1)
    assert not causes(refused(SQS, outcome, metric))
    assert unexplained(refused(SQS)) == ["messages and events to be rejected: 1; counted: 0"]
    another = refused(SQS, outcome, metric, replace(outcome, about="n"), metric)
    assert unexplained(another) == ["messages and events to be rejected: 1; counted: 2"]
    again = refused(SQS, outcome, metric, replace(outcome, at=20), replace(metric, at=21))
    assert unexplained(again) == ["message m: counted as rejected again"]
    again.calls = [call(KEEP, 1.05, "k", status=403)]
    assert causes(again) == {metrics.REJECTED_NOT_KEPT: 1}


def test_a_refused_call_is_rejected_as_often_as_its_caller_asked() -> None:
    outcome = line(SUBMIT, 1, "Rejected", "c", is_asked=True)
    metric = counted(SUBMIT, 1.1, Rejected=1)
    told = {"sent": TURNED_DOWN, "status": 400}
    assert not causes(refused(HTTP, outcome, metric, **told))
    assert unexplained(refused(HTTP, **told))
    assert unexplained(refused(HTTP, outcome, metric, outcome, metric, **told))
    assert causes(refused(HTTP, outcome, metric, outcome, metric, **told, tries=2)) == {metrics.REJECTED_UNTOLD: 1}


def test_the_functions_lines_are_read_and_a_line_that_a_kill_cut_short_is_none(tmp_path: Path) -> None:
    written = [
        {"message": "invocation accepted", "output.location": AT, "repeated": False},
        {"message": "invocation accepted", "output.location": AT, "repeated": True},
        {"message": "invocation failed", "retryable": True, "sqs.message_id": "m"},
        {"message": "invocation failed", "retryable": False, "http.request_id": "h"},
        {"message": "result sent", "inference.id": "i", "invocation.status": "Expired"},
        {
            "message": "no result sent: the request has ReplyTo none",
            "inference.id": "i",
            "invocation.status": "Completed",
        },
        {"message": "result not sent", "inference.id": "i", "invocation.status": "Completed"},
        {"message": "something else"},
        {"_aws": {}, "Accepted": 2, "SubmitLatency": [1, 2]},
    ]
    texts = [*map(json.dumps, written), '{"_aws": {}, "Acc', "no JSON"]
    process = {"at": 1, "function": "bridge-SubmitFunction", "process": 11}
    (tmp_path / "log").write_text("".join(json.dumps(process | {"line": text}) + "\n" for text in texts))
    read = metrics.read_lines(tmp_path / "log")
    assert read == [
        line(SUBMIT, 1, "Accepted", "a"),
        line(SUBMIT, 1, "Returned", "m"),
        line(SUBMIT, 1, "Rejected", "h", is_asked=True),
        line(SUBMIT, 1, "Failed", "i", is_sent=True),
        line(SUBMIT, 1, "Completed", "i", is_sent=False),
        Line(1, *SUBMIT, {}, about="i"),
        counted(SUBMIT, 1, Accepted=2),
    ]


def test_the_proxy_tells_status_and_inference_id_of_each_result() -> None:
    results = [{"inferenceId": "i", "invocationStatus": "Completed"}, {"invocationStatus": "Rejected"}]
    body = json.dumps({"Entries": [{"MessageBody": json.dumps(result)} for result in results]}).encode()
    assert results_of("sqs", SEND, body) == [("i", "Completed"), ("", "Rejected")]
    assert results_of("sqs", KEEP, body) == []
