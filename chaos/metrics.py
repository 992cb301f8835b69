"""Whether the functions' metrics add up: to the outcomes that they logged, and these to what AWS answered them.

Each process's metrics must be the sum of its outcomes, but for those that it logged last before it was killed. Each
acceptance and each result that AWS confirmed to a function must be an outcome, and each outcome must be one of these:
a difference needs a cause, by what the proxy saw.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from chaos.causes import Evidence, name_of, not_answered, promised, was_confirmed
from chaos.evidence import KEEP, REMEMBER, SENDS
from chaos.faults import DELAYED
from chaos.ledger import ACCEPTED, ONE_WAY, REFUSED, TURNED_DOWN, Call, Ledger, Line
from local.destinations import NOBODY

COUNTED = ("Accepted", "Rejected", "Returned", "Completed", "Failed", "Unanswered")
# Most inference ids of a line of metrics.
FULL = 100
# A function runs for 6 s, and the SDK's calls end with it; Lambda may be late to end it.
WINDOW_SECONDS = 13.0
# What a process sent before it was killed, the proxy notes a moment later.
ON_THE_WIRE_SECONDS = 1.0
# What the log calls a request whose sender waits for an answer, and one whose sender does not.
ASKED, ONE_WAY_ORIGINS = ("http.request_id", "lambda.request_id"), ("sqs.message_id", "event.id")

CUT_OFF = "logged, not counted: the function was killed before it wrote its metrics"
CUT_OFF_BY_TIME = "logged, not counted: the function's time ran out before it wrote its metrics"
ACCEPTED_UNANSWERED = "accepted, not counted: SageMaker's answer was lost"
ACCEPTED_NOT_REMEMBERED = "accepted, counted as returned: S3 did not take its record"
ACCEPTED_AND_KILLED = "accepted, not counted: a function was killed, the request came again"
ACCEPTED_LATE = "accepted, not counted: the function's time ran out"
SENT_UNANSWERED = "sent, not counted: the destination's answer was lost"
SENT_AND_KILLED = "sent, not counted: a function was killed, the notification came again"
SENT_LATE = "sent, not counted: the function's time ran out"
UNSENT_AGAIN = "counted again, nobody wants the result: the notification came back"
REJECTED_NOT_KEPT = "rejected, counted again: the message came back, the dead-letter queue had not taken it"
REJECTED_AFTER_KILL = "rejected, counted again: the message came back, a function had been killed"
REJECTED_LATE = "rejected, counted again: the message came back, the function's time had run out"
REJECTED_UNTOLD = "rejected, counted: its caller got no answer"
NEVER_REJECTED = "to be rejected, not counted: it became a dead letter without the function's doing"


# By what tells them apart: with each why its function may not have counted it.
Calls = dict[Any, list[tuple[Call, str | None]]]


@dataclass
class Sums:
    """What the metrics say, and what explains where AWS's answers say otherwise."""

    counted: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)


def read_lines(path: Path) -> list[Line]:
    """The outcomes and metrics in what the functions wrote. A line that a kill cut short is none."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        written = json.loads(text)
        try:
            line = json.loads(written.pop("line"))
        except ValueError:
            continue
        written["function"] = "collect" if "ollect" in written["function"] else "submit"
        if isinstance(line, dict) and (said := said_by(line)):
            lines.append(Line(**written, **said))
    return lines


def said_by(line: dict) -> dict | None:
    """What a line of the log counts, and of whom; None for one that says nothing of a request or result."""
    if "_aws" in line:
        return {"counts": {name: line[name] for name in COUNTED if name in line}, "is_metrics": True}
    message = line.get("message")
    if message == "invocation accepted" and not line.get("repeated"):
        return {"counts": {"Accepted": 1}, "about": name_of(line["output.location"])}
    if message == "invocation failed":
        origin = next((name for name in (*ASKED, *ONE_WAY_ORIGINS) if line.get(name)), "")
        counts = {"Returned" if line["retryable"] else "Rejected": 1}
        return {"counts": counts, "about": line.get(origin, ""), "is_asked": origin in ASKED}
    if message in ("result sent", "no result sent: the request has ReplyTo none"):
        metric = metric_of(line.get("invocation.status"))
        return {"counts": {metric: 1}, "about": line.get("inference.id") or "", "is_sent": message == "result sent"}
    if message == "result not sent":
        return {"counts": {}, "about": line.get("inference.id") or ""}
    return None


def metric_of(status: str | None) -> str:
    """The metric that counts results of this status."""
    return status if status in ("Completed", "Unanswered") else "Failed"


def add_up(ledger: Ledger, lines: list[Line]) -> Sums:
    """Compares everything."""
    sums = Sums()
    evidence = Evidence.of(ledger)
    by_process: dict[tuple[str, int], list[Line]] = defaultdict(list)
    for line in lines:
        by_process[line.function, line.process].append(line)
    for own in by_process.values():
        add_process(own, ledger, evidence, sums)
    outcomes = [line for line in lines if not line.is_metrics]
    compare_accepted(ledger, outcomes, evidence, sums)
    compare_sent(ledger, [line for line in outcomes if line.is_sent or not line.counts], evidence, sums)
    compare_unsent(ledger, [line for line in outcomes if line.is_sent is False], evidence, sums)
    compare_rejected(ledger, [line for line in outcomes if "Rejected" in line.counts], evidence, sums)
    return sums


def add_process(lines: list[Line], ledger: Ledger, evidence: Evidence, sums: Sums) -> None:
    """Compares a process's metrics with its outcomes."""
    logged, counted, after = Counter[str](), Counter[str](), Counter[str]()
    function, process, ended = lines[-1].function, lines[-1].process, lines[-1].at
    for line in lines:
        if not line.is_metrics:
            logged.update(line.counts)
            after.update(line.counts)
            continue
        counted.update(line.counts)
        after.clear()
        # A line that is full is written before the outcome that fills it is logged.
        early = sum(line.counts.values()) >= FULL
        if any(count > logged[metric] + early for metric, count in counted.items()):
            sums.unexplained.append(f"{function} {process} at {line.at:.3f}: has counted more than it had logged")
            return
    sums.counted += counted
    left = logged.copy()
    left.subtract(counted)
    if any(count < 0 or count > after[metric] for metric, count in left.items()):
        sums.unexplained.append(f"{function} {process}: metrics differ from the outcomes in its log by {dict(left)}")
    elif not +left:
        return
    elif any(kill.process == process and kill.function == function for kill in ledger.kills):
        sums.causes[CUT_OFF] += left.total()
    elif evidence.was_timed_out(function, ended, ended + WINDOW_SECONDS):
        sums.causes[CUT_OFF_BY_TIME] += left.total()
    else:
        sums.unexplained.append(f"{function} {process}: has logged and not counted {dict(+left)}")


def compare_accepted(ledger: Ledger, outcomes: list[Line], evidence: Evidence, sums: Sums) -> None:
    """An outcome for each 202, by the output that SageMaker promised."""
    told = Counter(line.about for line in outcomes if "Accepted" in line.counts)
    records: dict[str | None, list[Call]] = defaultdict(list)
    for call in ledger.calls:
        if call.operation == REMEMBER:
            records[call.subjects[0][0]].append(call)
    returned = sorted(line.at for line in outcomes if "Returned" in line.counts)
    given_back = known_as_given_back(ledger)
    calls: Calls = defaultdict(list)
    for owner, invocations in evidence.invocations.items():
        for call in invocations:
            if call.status == 202:
                later = (other.at for other in invocations if other.at > call.at and other.sdkCall != call.sdkCall)
                again = min(later, default=math.inf)
                until = min(again, call.at + WINDOW_SECONDS)
                cause = acceptance_cause(
                    call,
                    [record for record in records[owner] if call.at <= record.at <= until],
                    evidence,
                    until=until,
                    came_again=owner in given_back or again < math.inf,
                    is_returned=bisect_left(returned, call.at) < bisect_right(returned, until),
                )
                calls[next(iter(promised(call)), "")].append((call, cause))
    match(calls, told, "accepted request", sums)


def match(calls: Calls, told: Counter[Any], what: str, sums: Sums) -> None:
    """Puts outcomes down to calls with the same key: first to those that have no excuse."""
    for key, own in calls.items():
        missing = sum(cause is None for _, cause in own) - told[key]
        if missing > 0:
            sums.unexplained.append(f"{key}: {what}, not counted {missing} times")
        excused = [cause for call, cause in own if cause and not not_answered(call)]
        unused = max(-missing, 0)
        sums.causes.update(cause for call, cause in own if cause and not_answered(call))
        # Which of those that may have been counted were is all the same.
        sums.causes.update(excused[unused:])
        told[key] = max(unused - len(excused), 0)
    sums.unexplained += [f"{key}: {what}, counted {count} times too often" for key, count in (+told).items()]


def acceptance_cause(
    call: Call, records: list[Call], evidence: Evidence, *, until: float, came_again: bool, is_returned: bool
) -> str | None:
    """Why an acceptance was not counted.

    `records`: the calls by which its request was to be remembered. `until`: when it was tried again at the earliest.
    `is_returned`: whether a function gave some request back until then.
    """
    if not_answered(call):
        return ACCEPTED_UNANSWERED
    if call.fault == DELAYED or any(other.fault == DELAYED for other in records):
        return ACCEPTED_LATE
    if records and not any(was_confirmed(other) for other in records):
        return ACCEPTED_NOT_REMEMBERED
    if came_again and evidence.was_killed("submit", call.at - ON_THE_WIRE_SECONDS, until):
        return ACCEPTED_AND_KILLED
    # By its own deadline, which is a little before Lambda's.
    is_late = (came_again and is_returned) or evidence.was_timed_out("submit", call.at, until)
    return ACCEPTED_LATE if is_late else None


def known_as_given_back(ledger: Ledger) -> set[str]:
    """Requests that were not accepted at least once, as their caller or a dead-letter queue knows."""
    asked_again = {request.id for request in ledger.requests if request.sent != ACCEPTED or request.tries > 1}
    return asked_again | {letter.id for letter in (*ledger.request_dead_letters, *ledger.event_dead_letters)}


def compare_sent(ledger: Ledger, outcomes: list[Line], evidence: Evidence, sums: Sums) -> None:
    """An outcome for each result that a destination has confirmed, by request and status."""
    told = Counter((line.about, metric) for line in outcomes for metric in line.counts)
    given_up: dict[str, list[float]] = defaultdict(list)
    for line in outcomes:
        if not line.counts:
            given_up[line.about].append(line.at)
    sent = [call for call in ledger.calls if call.operation in SENDS and call.forwarded and call.status == 200]
    last = {inference_id: call for call in sorted(sent, key=lambda call: call.at) for inference_id, _ in call.results}
    calls: Calls = defaultdict(list)
    for call in sent:
        for inference_id, status in call.results:
            # Those are `submit`'s, whose log has an outcome of the request, not of the result.
            if status != "Rejected":
                came_again = last[inference_id].sdkCall != call.sdkCall
                until = call.at + WINDOW_SECONDS
                is_given_up = any(call.at <= at <= until for at in given_up[inference_id])
                cause = sending_cause(call, evidence, came_again=came_again, is_given_up=is_given_up)
                calls[inference_id, metric_of(status)].append((call, cause))
    match(calls, told, "sent result", sums)


def sending_cause(call: Call, evidence: Evidence, *, came_again: bool, is_given_up: bool) -> str | None:
    """Why a result was not counted. `is_given_up`: whether its function logged afterwards that it was not sent."""
    if not_answered(call):
        return SENT_UNANSWERED
    if call.fault == DELAYED or (came_again and is_given_up):
        return SENT_LATE
    until = call.at + WINDOW_SECONDS
    if came_again and evidence.was_killed("collect", call.at - ON_THE_WIRE_SECONDS, until):
        return SENT_AND_KILLED
    return SENT_LATE if evidence.was_timed_out("collect", call.at, until) else None


def compare_unsent(ledger: Ledger, outcomes: list[Line], evidence: Evidence, sums: Sums) -> None:
    """Of results that nobody wants: an outcome for each notification, and none but for these and the sweep's."""
    lines: dict[str, list[Line]] = defaultdict(list)
    for line in outcomes:
        lines[line.about].append(line)
    dead = {letter.id for letter in ledger.notification_dead_letters}
    for request in ledger.requests:
        if request.to != NOBODY:
            continue
        own = lines.pop(request.id, [])
        notified = sum(len(calls) for (owner, _), calls in evidence.publishes.items() if owner == request.id)
        swept = evidence.times_found(request.id, own[-1].at) if own else 0
        if len(own) < notified and request.id not in dead:
            sums.unexplained.append(f"{request.id}: notified {notified} times, counted {len(own)} times")
        further = len(own) - notified - swept
        if further <= 0:
            continue
        # Whichever they are: the sweep's may be the last, after those of a notification that came back.
        again = sum(came_back(line, evidence) for line in own[1:])
        sums.causes[UNSENT_AGAIN] += min(further, again)
        sums.unexplained += [f"{request.id}: counted though nobody notified"] * (further - again)
    sums.unexplained += [f"{name}: counted as a result that nobody wants" for name in lines]


def came_back(line: Line, evidence: Evidence) -> bool:
    """Whether the notification of a line may have come a second time: its function ended before it was acknowledged."""
    since = line.at - 2 * WINDOW_SECONDS
    return evidence.was_killed("collect", since, line.at) or evidence.was_timed_out("collect", since, line.at)


def compare_rejected(ledger: Ledger, outcomes: list[Line], evidence: Evidence, sums: Sums) -> None:
    """An outcome for each request that had to be refused. The log has ids of messages and calls, not of requests."""
    refused = [request for request in ledger.requests if request.validity == REFUSED]
    asked = [request for request in refused if request.way not in ONE_WAY]
    told = sum(request.sent == TURNED_DOWN for request in asked)
    untold = sum(request.tries for request in asked) - told
    answered = sum(line.is_asked for line in outcomes)
    if not told <= answered <= told + untold:
        sums.unexplained.append(f"rejected with an answer: {told} to {told + untold}; counted: {answered}")
    sums.causes[REJECTED_UNTOLD] += max(answered - told, 0)
    messages: dict[str, list[Line]] = defaultdict(list)
    for line in outcomes:
        if not line.is_asked:
            messages[line.about].append(line)
    one_way = len(refused) - len(asked)
    # What kept failing before it could be read lies in a dead-letter queue too.
    untouched = sum(letter.reason is None for letter in ledger.request_dead_letters) + len(ledger.event_dead_letters)
    if not one_way - untouched <= len(messages) <= one_way:
        sums.unexplained.append(f"messages and events to be rejected: {one_way}; counted: {len(messages)}")
    sums.causes[NEVER_REJECTED] += max(one_way - len(messages), 0)
    for about, lines in messages.items():
        for before, line in pairwise(sorted(lines, key=lambda line: line.at)):
            if cause := rejected_again(before, line, ledger, evidence):
                sums.causes[cause] += 1
            else:
                sums.unexplained.append(f"message {about}: counted as rejected again")


def rejected_again(before: Line, line: Line, ledger: Ledger, evidence: Evidence) -> str | None:
    """Why a message was rejected again."""
    keeps = [call for call in ledger.calls if call.operation == KEEP and before.at - 1 <= call.at <= line.at]
    if any(not was_confirmed(call) for call in keeps):
        return REJECTED_NOT_KEPT
    if evidence.was_killed("submit", before.at, line.at):
        return REJECTED_AFTER_KILL
    return REJECTED_LATE if evidence.was_timed_out("submit", before.at, line.at) else None
