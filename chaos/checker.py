"""Accounts for every single request of a ledger: a pure function, so that ledgers made up by tests go through it too.

The promise: every accepted request ends in at least one result, or lies whole in a dead-letter queue, even where
SageMaker never tells what became of it. One that is rejected lies there, and is not answered otherwise.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from chaos.causes import Evidence, causes_of, causes_of_dead_letters
from chaos.ledger import ACCEPTED, FAILING, ONE_WAY, REFUSED, TURNED_DOWN, VALID, DeadLetter, Ledger, Request, Result
from chaos.metrics import Sums, add_up
from local.destinations import CALLBACK, NOBODY, RESULTS, TASK

Entry = TypeVar("Entry", Result, DeadLetter)

# Where a request may end, in the order in which it is looked for.
ANSWERED = "answered by a result"
IN_REQUEST_QUEUE = "whole in the request dead-letter queue"
IN_EVENT_QUEUE = "whole in the event dead-letter queue"
IN_NOTIFICATION_QUEUE = "its notification whole in the notification dead-letter queue"
NOT_THERE = "accepted by SageMaker, which left out the output that was polled for: SageMaker's loss"
NOT_ACCEPTED = "turned down, the caller knows"
UNKNOWN_TO_CALLER = "connection broke, the caller knows that it does not know"
LOST = "LOST"
ENDS = (
    ANSWERED,
    IN_REQUEST_QUEUE,
    IN_EVENT_QUEUE,
    IN_NOTIFICATION_QUEUE,
    NOT_THERE,
    NOT_ACCEPTED,
    UNKNOWN_TO_CALLER,
    LOST,
)


@dataclass
class Verdict:
    """What became of the requests of a ledger."""

    ends: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Promises that were not kept, other than by losing: each a sentence."""
    results: int = 0
    duplicates: Counter[str] = field(default_factory=Counter)
    """Results beyond a request's first, by cause."""
    dead_letters: Counter[str] = field(default_factory=Counter)
    """Dead letters beyond a request's first, by cause."""
    unexplained: list[str] = field(default_factory=list)
    """Duplicates without a cause."""
    metrics: Sums | None = None
    """Whether the metrics add up, if they are known."""
    notes: Counter[str] = field(default_factory=Counter)
    """Other things that are allowed, and worth knowing."""

    @property
    def is_kept(self) -> bool:
        """Whether every promise was kept and every duplicate and every metric explained."""
        return not (self.lost or self.broken or self.unexplained or (self.metrics and self.metrics.unexplained))


def check(ledger: Ledger) -> Verdict:
    """Accounts for every request."""
    verdict = Verdict(results=len(ledger.results))
    results = by_id(ledger.results)
    requests_dead = by_id(known_by_digest(ledger))
    events_dead = by_id(ledger.event_dead_letters)
    notifications_dead = by_id(ledger.notification_dead_letters)
    evidence = Evidence.of(ledger)
    known = {request.id for request in ledger.requests}
    if len(known) < len(ledger.requests):
        verdict.broken.append("two requests of the ledger have the same id: it proves nothing")
    for stray in sorted({*results, *requests_dead, *events_dead, *notifications_dead} - known):
        verdict.broken.append(f"{stray!r}: an answer or a dead letter to a request that nobody made")
    for key in ledger.remembered:
        verdict.broken.append(f"{key}: is remembered still, though everything has been swept")
    for request in ledger.requests:
        own = results.get(request.id, [])
        letters = requests_dead.get(request.id, [])
        events = events_dead.get(request.id, [])
        notifications = notifications_dead.get(request.id, [])
        end = end_of(request, own, letters, events, notifications, evidence)
        verdict.ends[end] += 1
        if end == LOST:
            verdict.lost.append(f"{request.id}: {request.way}, {request.kind}")
        verdict.broken += problems(request, own, letters, events)
        if own and all(result.swept for result in own) and evidence.was_notified(request.id) and not notifications:
            verdict.broken.append(f"{request.id}: SNS took its notification, and nobody but the sweep answered it")
        note(verdict, request, own, letters)
        note_events(verdict, request, own, events)
        causes, unexplained = causes_of(request, own, evidence)
        verdict.duplicates.update(causes)
        if unexplained:
            verdict.unexplained.append(f"{request.id}: {unexplained} of {len(own)} results")
        causes, unexplained = causes_of_dead_letters(request, letters, evidence)
        verdict.dead_letters.update(causes)
        if unexplained:
            verdict.unexplained.append(f"{request.id}: {unexplained} of {len(letters)} dead letters")
    if ledger.lines is not None:
        verdict.metrics = add_up(ledger, ledger.lines)
    return verdict


def known_by_digest(ledger: Ledger) -> list[DeadLetter]:
    """Dead requests, those of requests without an inference id by the id that such a request has."""
    known = {request.id for request in ledger.requests}
    owners = {request.whole: request.id for request in ledger.requests if request.way in ONE_WAY}
    return [
        letter if letter.id in known else replace(letter, id=owners.get(letter.whole, letter.id))
        for letter in ledger.request_dead_letters
    ]


def by_id(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Entries by inference id."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.id].append(entry)
    return dict(found)


def end_of(
    request: Request,
    results: list[Result],
    letters: list[DeadLetter],
    events: list[DeadLetter],
    notifications: list[DeadLetter],
    evidence: Evidence,
) -> str:
    """Where a request ended."""
    is_answered = any(result.status != "Rejected" for result in results)
    looked_for = (
        (ANSWERED, is_answered),
        (IN_REQUEST_QUEUE, any(letter.whole == request.whole for letter in letters)),
        (IN_EVENT_QUEUE, any(letter.whole == request.whole for letter in events)),
        (IN_NOTIFICATION_QUEUE, any(letter.whole for letter in notifications)),
        # A rejection is an answer too, but what was rejected has to lie in the queue as well, so that comes first.
        (ANSWERED, bool(results)),
        (NOT_ACCEPTED, request.sent == TURNED_DOWN),
        (UNKNOWN_TO_CALLER, request.sent != ACCEPTED),
        (NOT_THERE, request.to == NOBODY and evidence.was_notified(request.id)),
    )
    return next((end for end, is_there in looked_for if is_there), LOST)


def problems(request: Request, results: list[Result], letters: list[DeadLetter], events: list[DeadLetter]) -> list[str]:
    """Promises to this request that were not kept."""
    statuses = {result.status for result in results}
    found = rejection_problems(request, statuses, letters, events) + way_problems(request, results)
    if request.validity == FAILING and "Completed" in statuses:
        found.append("went to a model that fails, and is completed")
    if any(letter.whole != request.whole for letter in (*letters, *events)):
        found.append("does not lie whole in the dead-letter queue")
    if len(events) > 1:
        found.append(f"lies in the event dead-letter queue {len(events)} times")
    if request.validity == VALID and any(
        result.status == "Completed" and result.output != request.output for result in results
    ):
        found.append("has a result with another output than its own")
    return [f"{request.id}: {problem}" for problem in found]


def way_problems(request: Request, results: list[Result]) -> list[str]:
    """Results that came by another way than the one that was asked for, or to somebody else."""
    found = []
    has_ended = request.timed_out or any(result.way == request.to for result in results)
    for way in sorted({result.way for result in results} - {request.to}):
        if request.to not in (TASK, CALLBACK) or way != RESULTS:
            found.append(f"wanted its result by {request.to}, and has one by {way}")
        elif not has_ended:
            found.append(f"has its result on the results queue though its {request.to} waits for it")
    if any(result.token != request.token for result in results if result.way in (TASK, CALLBACK)):
        found.append(f"has ended the {request.to} of somebody else")
    return found


def rejection_problems(
    request: Request, statuses: set[str], letters: list[DeadLetter], events: list[DeadLetter]
) -> list[str]:
    """Promises about what is refused: it is rejected, lies in the dead-letter queue, and nothing else comes of it."""
    found = []
    is_rejected = "Rejected" in statuses
    if is_rejected and statuses != {"Rejected"}:
        found.append(f"was both {' and '.join(sorted(statuses, reverse=True))}")
    if is_rejected and request.validity != REFUSED:
        found.append("is a valid request, and was rejected")
    # An event that kept failing, because the dead-letter queue took nothing, lies where such events do.
    is_kept = letters or (events and not is_rejected)
    if request.way in ONE_WAY and not is_kept and (is_rejected or request.validity == REFUSED):
        found.append("was refused, or was to be, and does not lie in the dead-letter queue")
    if request.validity == REFUSED and statuses - {"Rejected"}:
        found.append(f"was to be refused, and has a result {sorted(statuses)}")
    if request.validity == REFUSED and request.way not in ONE_WAY and request.sent == ACCEPTED:
        found.append(f"was to be refused, and was answered {request.status}")
    return found


def note(verdict: Verdict, request: Request, results: list[Result], letters: list[DeadLetter]) -> None:
    """Counts what is allowed and worth knowing."""
    if request.validity == VALID and any(result.status == "Failed" for result in results):
        verdict.notes["valid requests that the endpoint failed"] += 1
    if request.sent != ACCEPTED and results:
        verdict.notes["turned down, and yet answered by a result"] += 1
    if request.validity != REFUSED and letters:
        verdict.notes["good requests in the request dead-letter queue"] += 1
        if results:
            verdict.notes["of these, answered by a result too"] += 1
    if request.validity == REFUSED and request.way in ONE_WAY and request.to != NOBODY:
        told = any(result.status == "Rejected" for result in results)
        verdict.notes[f"refused by {request.way}, the sender {'told' if told else 'not told'}"] += 1
        if letters and all(letter.reason is None for letter in letters):
            verdict.notes["refused by SQS, moved to the dead-letter queue after as many receipts as are allowed"] += 1
    verdict.notes[f"by {request.way} to {request.to}"] += 1
    if request.timed_out and any(result.way == RESULTS for result in results):
        verdict.notes[f"whose {request.to} timed out meanwhile, on the results queue"] += 1
    if len(results) > 1:
        verdict.notes["requests with more than one result"] += 1
    note_unanswered(verdict, results)


def note_events(verdict: Verdict, request: Request, results: list[Result], events: list[DeadLetter]) -> None:
    """Counts events that kept failing."""
    if events:
        verdict.notes[f"by {request.way}, in the event dead-letter queue"] += 1
        if results:
            verdict.notes[f"by {request.way}, there and answered by a result too"] += 1


def note_unanswered(verdict: Verdict, results: list[Result]) -> None:
    """Counts what its model or SageMaker's notification did not answer."""
    if results and all(result.swept for result in results):
        for status in sorted({result.status for result in results}):
            verdict.notes[f"answered by the sweep alone: {status}"] += 1
    if any(result.status == "Expired" for result in results):
        verdict.notes["whose model took too long: Expired"] += 1
