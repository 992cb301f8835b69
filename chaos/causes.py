"""Why a request has more than one result: each further one is put down to a cause, by what the proxy saw.

An SDK sends the same call id with each try of a call. So a second try of one call, and a second call, can be told
apart: the first comes from a lost answer, the second from a message that was delivered again.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from chaos.evidence import ENDINGS, FORGET, INVOKE, KEEP, LOOK, PUBLISH, REMEMBER, SENDS
from chaos.faults import DELAYED, DROPPED_AFTER
from chaos.ledger import ASKING_AGAIN, Call, DeadLetter, Ledger, Request, Result

INVOKED_BY_SDK = "invoked again: SageMaker's answer was lost, the SDK tried again"
INVOKED_AFTER_KILL = "invoked again: the message came back, a function had been killed"
INVOKED_AFTER_LOST_ANSWER = "invoked again: the message came back, SageMaker's answer had been lost"
INVOKED_AFTER_TIMEOUT = "invoked again: the message came back, the function's time had run out"
INVOKED_BY_CALLER = "invoked again: the caller asked again after an error"
PUBLISHED_BY_SDK = "notified again: SNS's answer was lost, SageMaker tried again"
PUBLISHED_TWICE = "notified again: SageMaker sent the notification twice"
SENT_BY_SDK = "sent again: the destination's answer was lost, the SDK tried again"
SENT_AFTER_KILL = "sent again: the notification came back, a function had been killed"
SENT_AFTER_LOST_ANSWER = "sent again: the notification came back, the destination's answer had been lost"
SENT_TO_QUEUE_TOO = "sent to the results queue too: that its task or callback had ended was not told"
SENT_AFTER_TIMEOUT = "sent again: the notification came back, the function's time had run out"
NOTIFIED_LATE = "swept and notified: the notification came after the sweep"
SWEPT_STILL_REMEMBERED = "swept and notified: the answered request was not forgotten"
REMEMBERED_LATE = "swept and notified: the request was answered before it was remembered"
SWEPT_AGAIN = "swept again: the request was not forgotten"
SWEPT_AT_ONCE = "swept again: two sweeps looked at the request before either had answered it"
REJECTED_NOT_KEPT = "rejected again: the message came back, the dead-letter queue had not taken it"
REJECTED_AFTER_KILL = "rejected again: the message came back, a function had been killed"
REJECTED_AFTER_TIMEOUT = "rejected again: the message came back, the function's time had run out"
KEPT_BY_SDK = "dead letter again: SQS's answer was lost, the SDK tried again"
KEPT_AFTER_KILL = "dead letter again: the message came back, a function had been killed"
KEPT_AFTER_LOST_ANSWER = "dead letter again: the message came back, SQS's answer had been lost"
KEPT_AFTER_TIMEOUT = "dead letter again: the message came back, the function's time had run out"

Subject = tuple[str, str | None]


def lists() -> defaultdict[Any, list[Any]]:
    """A list for each key."""
    return defaultdict(list)


@dataclass
class Evidence:
    """Calls that may have had an effect, by what they were about, in order of time."""

    invocations: dict[str, list[Call]] = field(default_factory=lists)
    publishes: dict[Subject, list[Call]] = field(default_factory=lists)
    sends: dict[Subject, list[Call]] = field(default_factory=lists)
    keeps: dict[str, list[Call]] = field(default_factory=lists)
    """Dead letters of `submit`'s, by a request's digest."""
    swept: dict[Subject, list[Call]] = field(default_factory=lists)
    """As `sends`, those of the sweep."""
    records: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The keys of a request's records, by its inference id: each time that it was accepted it has another one."""
    memory: dict[str, list[tuple[float, bool]]] = field(default_factory=lists)
    """By key, in order of time: when a record was written or deleted, and whether it was there from then on."""
    written: dict[str, list[float]] = field(default_factory=lists)
    """When these were written, by inference id."""
    looks: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    """By key: when a sweep found a record, by the call."""
    kills: list[tuple[float, float, str]] = field(default_factory=list)
    timeouts: list[tuple[float, str]] = field(default_factory=list)

    @classmethod
    def of(cls, ledger: Ledger) -> Evidence:
        """Sorted out of a ledger."""
        evidence = cls()
        evidence.timeouts = sorted((timeout.at, timeout.function) for timeout in ledger.timeouts)
        evidence.kills = sorted(
            (kill.at if kill.begun is None else kill.begun, kill.at, kill.function) for kill in ledger.kills
        )
        for call in sorted(ledger.calls, key=lambda call: call.at):
            if not call.forwarded:
                continue
            if call.operation == INVOKE and call.status in (None, 202):
                evidence.invocations[call.subjects[0][0] or ""].append(call)
            for inference_id, location in call.subjects:
                if call.operation == PUBLISH and call.status == 200:
                    evidence.publishes[(inference_id or "", location)].append(call)
                elif call.operation in SENDS and call.status == 200:
                    (evidence.swept if call.swept else evidence.sends)[(inference_id or "", location)].append(call)
                elif call.operation == KEEP and call.status == 200:
                    evidence.keeps[location or ""].append(call)
        evidence.add_memory(ledger)
        return evidence

    def add_memory(self, ledger: Ledger) -> None:
        """Sorts out when which record was there; a deletion counts unless its effect came nobody knows when."""
        owners: dict[str, str] = {}
        for call in ledger.calls:
            for inference_id, key in call.subjects:
                if call.operation == REMEMBER and call.forwarded and key:
                    owners[key] = inference_id or ""
                    self.memory[key].append((call.at, True))
                    self.written[inference_id or ""].append(call.at)
                elif call.operation == FORGET and call.status in (200, 204) and call.fault != DELAYED and key:
                    self.memory[key].append((call.at, False))
                elif call.operation == LOOK and call.status == 200 and call.forwarded and key:
                    self.looks[key][call.sdkCall] = call.at
        for hurried in ledger.hurried:
            owners[hurried.to] = owners.get(hurried.key, "")
            self.memory[hurried.key].append((hurried.at, False))
            self.memory[hurried.to].append((hurried.at, True))
        for key, inference_id in owners.items():
            self.records[inference_id].add(key)
        for changes in self.memory.values():
            changes.sort()

    def times_found(self, inference_id: str, at: float) -> int:
        """How often sweeps had found a record of a request by then."""
        keys = self.records.get(inference_id, ())
        return sum(found <= at for key in keys for found in self.looks[key].values())

    def was_written_after(self, inference_id: str, at: float) -> bool:
        """Whether a record of a request was written later than that."""
        return any(written > at for written in self.written.get(inference_id, []))

    def was_remembered(self, inference_id: str, at: float) -> bool:
        """Whether a record of a request was there at this time, so that a sweep could find it."""
        for key in self.records.get(inference_id, ()):
            before = [is_there for changed, is_there in self.memory[key] if changed <= at]
            if before and before[-1]:
                return True
        return False

    def was_notified(self, inference_id: str) -> bool:
        """Whether SNS took a notification of a request."""
        return any(subject[0] == inference_id for subject in self.publishes)

    def was_killed(self, function: str, since: float, until: float) -> bool:
        """Whether a process of this function was killed in between."""
        return any(since <= at and begun <= until and killed == function for begun, at, killed in self.kills)

    def was_timed_out(self, function: str, since: float, until: float) -> bool:
        """Whether Lambda ended a process of this function in between, because its time had run out."""
        # The log has whole seconds.
        return any(since - 1 <= at <= until and ended == function for at, ended in self.timeouts)


def causes_of(request: Request, results: list[Result], evidence: Evidence) -> tuple[Counter[str], int]:
    """The causes of all results beyond the first, and how many have none."""
    causes: Counter[str] = Counter()
    unexplained = 0
    by_location = Counter(result.location for result in results if not result.swept)
    invocations = [name_of(location) for location in by_location if location is not None]
    for location, count in Counter(result.location or "" for result in results if result.swept).items():
        further = again_swept((request.id, location), count, evidence)
        is_further = is_one_of(name_of(location), invocations, request, evidence)
        if is_further:
            further += beside_a_notification((request.id, location), evidence)
        else:
            invocations.append(name_of(location))
        causes.update(further)
        unexplained += count - 1 + is_further - len(further)
    again = again_invoked(request, invocations, evidence)
    causes.update(again)
    # A rejection is no invocation: it may stand beside one only by a mistake, which is reported as such.
    unexplained += max(len(invocations) - 1, 0) - len(again)
    for location, count in by_location.items():
        if location is None:
            further = again_rejected(request, count, evidence)
        else:
            shared = again_invoked_with_one_output(request, name_of(location), evidence)
            further = again_sent((request.id, location), count, shared, evidence)
        causes.update(further)
        unexplained += count - 1 - len(further)
    return causes, unexplained


def again_invoked(request: Request, names: list[str], evidence: Evidence) -> list[str]:
    """A cause for each invocation beyond the first, of those that led to results of these names."""
    calls = evidence.invocations.get(request.id, [])
    # Tries of one call by HTTP share their Filename, and so one output: that of the first stands for all of them here.
    seen = list({name: call for call in reversed(calls) for name in promised(call) if name in names}.values())
    # Where the connection broke, the proxy does not know whether the call was accepted. The results tell how many were.
    unseen = [call for call in calls if not promised(call)]
    accepted = sorted([*seen, *unseen[: max(len(names) - len(seen), 0)]], key=lambda call: call.at)
    return [invocation_cause(request, before, call, calls, evidence) for before, call in pairs(accepted)]


def again_invoked_with_one_output(request: Request, name: str, evidence: Evidence) -> list[str]:
    """A cause for each invocation beyond the first that writes the same output: each has a notification of its own."""
    calls = evidence.invocations.get(request.id, [])
    same = [call for call in calls if name in promised(call)]
    return [invocation_cause(request, before, call, calls, evidence) for before, call in pairs(same)]


def invocation_cause(request: Request, before: Call, call: Call, calls: list[Call], evidence: Evidence) -> str:
    """Why `call` followed though `before` had been accepted."""
    if before.sdkCall == call.sdkCall:
        return INVOKED_BY_SDK
    if request.way in ASKING_AGAIN and request.tries > 1:
        return INVOKED_BY_CALLER
    last_try = [other for other in calls if other.sdkCall == before.sdkCall][-1]
    if evidence.was_killed("submit", before.at, call.at):
        return INVOKED_AFTER_KILL
    return INVOKED_AFTER_LOST_ANSWER if not_answered(last_try) else INVOKED_AFTER_TIMEOUT


def again_sent(subject: Subject, count: int, invoked: list[str], evidence: Evidence) -> list[str]:
    """A cause for each result beyond the first with one output; `invoked` has those of invocations that share it."""
    sends = evidence.sends.get(subject, [])[:count]
    publishes = evidence.publishes.get(subject, [])
    # Each notification may have a result of its own; what SageMaker said twice is told twice.
    shared = iter(invoked)
    notified = [
        PUBLISHED_BY_SDK if before.sdkCall == call.sdkCall else next(shared, PUBLISHED_TWICE)
        for before, call in pairs(publishes)
    ]
    causes = []
    for before, call in pairs(sends):
        if before.sdkCall == call.sdkCall:
            causes.append(SENT_BY_SDK)
        elif before.operation in ENDINGS and not_answered(before):
            causes.append(SENT_TO_QUEUE_TOO)
        elif notified:
            causes.append(notified.pop(0))
        elif evidence.was_killed("collect", before.at, call.at):
            causes.append(SENT_AFTER_KILL)
        else:
            causes.append(SENT_AFTER_LOST_ANSWER if not_answered(before) else SENT_AFTER_TIMEOUT)
    return causes


def is_one_of(name: str, names: list[str], request: Request, evidence: Evidence) -> bool:
    """Whether an output of this name is that of an invocation whose output or failure output has one of the names."""
    calls = [call for call in evidence.invocations.get(request.id, []) if name in promised(call)]
    return name in names or any(other in promised(call) for call in calls for other in names)


def beside_a_notification(subject: Subject, evidence: Evidence) -> list[str]:
    """Why the sweep has a result of an invocation that has one by its notification too."""
    inference_id, location = subject
    name = name_of(location or "")
    swept = evidence.swept.get(subject, [])
    if not swept:
        return []
    # It may have been found before its result was sent and it was forgotten.
    if not evidence.was_remembered(inference_id, swept[0].at) and not evidence.times_found(inference_id, swept[0].at):
        return []
    calls = [call for call in evidence.invocations.get(inference_id, []) if name in promised(call)]
    outputs = {name, *(output for call in calls for output in promised(call))}
    told = [
        call.at
        for (owner, at), sends in evidence.sends.items()
        if owner == inference_id and at and name_of(at) in outputs
        for call in sends
    ]
    if told and min(told) > swept[0].at:
        return [NOTIFIED_LATE]
    is_late = told and evidence.was_written_after(inference_id, min(told))
    return [REMEMBERED_LATE if is_late else SWEPT_STILL_REMEMBERED]


def again_swept(subject: Subject, count: int, evidence: Evidence) -> list[str]:
    """A cause for each result beyond the first that the sweep sent of one invocation."""
    causes = []
    sends = evidence.swept.get(subject, [])[:count]
    for further, (before, call) in enumerate(pairs(sends), 2):
        if before.sdkCall == call.sdkCall:
            causes.append(SENT_BY_SDK)
        elif before.operation in ENDINGS and not_answered(before):
            causes.append(SENT_TO_QUEUE_TOO)
        elif evidence.was_remembered(subject[0], call.at):
            causes.append(SWEPT_AGAIN)
        elif evidence.times_found(subject[0], call.at) >= len({send.sdkCall for send in sends[:further]}):
            causes.append(SWEPT_AT_ONCE)
    return causes


def again_rejected(request: Request, count: int, evidence: Evidence) -> list[str]:
    """A cause for each rejection beyond the first: a message that lies in the dead-letter queue must not come back."""
    sends = evidence.sends.get((request.id, None), [])[:count]
    kept_at = min((call.at for call in evidence.keeps.get(request.whole, []) if was_confirmed(call)), default=None)
    causes = []
    for before, call in pairs(sends):
        if before.sdkCall == call.sdkCall:
            causes.append(SENT_BY_SDK)
        elif kept_at is None or before.at < kept_at:
            causes.append(REJECTED_NOT_KEPT)
        elif evidence.was_killed("submit", before.at, call.at):
            causes.append(REJECTED_AFTER_KILL)
        elif evidence.was_timed_out("submit", before.at, call.at):
            causes.append(REJECTED_AFTER_TIMEOUT)
    return causes


def causes_of_dead_letters(request: Request, letters: list[DeadLetter], evidence: Evidence) -> tuple[Counter[str], int]:
    """The causes of all dead letters beyond the first, and how many have none."""
    calls = evidence.keeps.get(request.whole, [])
    again: list[tuple[Call, Call | None]] = list(pairs(calls))
    if calls and any(letter.reason is None for letter in letters):
        # SQS moved the message too, which it does once: it had come back although a dead letter of it was there.
        again.append((calls[-1], None))
    causes = [cause for before, call in again if (cause := kept_again(before, call, calls, evidence))]
    further = max(len(letters) - 1, 0)
    return Counter(causes[:further]), max(further - len(causes), 0)


def kept_again(before: Call, call: Call | None, calls: list[Call], evidence: Evidence) -> str | None:
    """Why a message became a dead letter by `call`, or by SQS, though `before` had made it one."""
    if call and before.sdkCall == call.sdkCall:
        return KEPT_BY_SDK
    until = call.at if call else math.inf
    if evidence.was_killed("submit", before.at, until):
        return KEPT_AFTER_KILL
    last_try = [other for other in calls if other.sdkCall == before.sdkCall][-1]
    if not_answered(last_try):
        return KEPT_AFTER_LOST_ANSWER
    is_late = last_try.fault == DELAYED or evidence.was_timed_out("submit", before.at, until)
    return KEPT_AFTER_TIMEOUT if is_late else None


def was_confirmed(call: Call) -> bool:
    """Whether its caller was told that a call had its effect, in time."""
    return call.status == 200 and call.fault is None


def promised(call: Call) -> list[str]:
    """The names of the output and the failure output that SageMaker promised; none where its answer was not seen."""
    return [name_of(location) for _, location in call.subjects if location]


def name_of(location: str) -> str:
    """What an invocation's output has in common with its failure output: `b/output/x.out`, `b/failure/x-error.out`."""
    return location.rsplit("/", 1)[-1].removesuffix(".out").removesuffix("-error")


def not_answered(call: Call) -> bool:
    """Whether a call had its effect without the caller's being told."""
    return call.fault == DROPPED_AFTER or call.status is None


def pairs(calls: Iterable[Call]) -> list[tuple[Call, Call]]:
    """Each call with the one before it."""
    return list(itertools.pairwise(calls))
