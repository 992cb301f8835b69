"""The promise, on the deployed bridge: under all faults at once nothing is lost; a bridge that is broken is found out.

`make chaos` is the long run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.broken import DROP_LAST, IGNORE_FAILURES, broken_binaries
from chaos.checker import check
from chaos.ledger import S3, SQS, Ledger, Line
from chaos.metrics import COUNTED
from chaos.report import as_text
from chaos.requests import DELETED, EXPIRES, PAIRS
from chaos.run import chaos
from chaos.stack import ChaosStack
from local.signals import interruptible

# With both kinds of requests that a bridge has to refuse among the first ones.
SEED = 3


@pytest.fixture(scope="module", autouse=True)
def _ended_by_signals() -> Iterator[None]:
    with interruptible():
        yield


def test_under_all_faults_at_once_no_request_is_lost_and_each_duplicate_has_a_cause() -> None:
    ledger = chaos(SEED, 300, 30)
    verdict = check(ledger)
    assert verdict.is_kept, as_text(ledger, verdict)
    assert sum(verdict.ends.values()) == 300
    assert {(request.way, request.to) for request in ledger.requests} == set(PAIRS)
    faults = {name.split(": ")[-1].split(" ")[0] for name in ledger.injected}
    assert {"throttling", "dropped-before-acceptance", "lost-notification", "s3", "sqs", "sns"} <= faults
    assert ledger.kills
    kinds = {request.id: request.kind for request in ledger.requests}
    ends = {(kinds[result.id], result.status, result.swept) for result in ledger.results}
    assert {(DELETED, "Unanswered", True), (EXPIRES, "Expired", False)} <= ends
    assert any(status == "Completed" for _, status, swept in ends if swept), "lost notifications are made up for"
    assert verdict.metrics
    assert set(verdict.metrics.counted) == set(COUNTED)
    assert_that_tampered_metrics_are_found(ledger)


def assert_that_tampered_metrics_are_found(ledger: Ledger) -> None:
    """Of each kind of metric a line that is there twice, and one that is missing."""
    lines = ledger.lines or []
    for metric in COUNTED:
        counted = [index for index, line in enumerate(lines) if line.is_metrics and line.counts.get(metric)]
        at = counted[0]
        assert not check(replace(ledger, lines=[*lines[: at + 1], *lines[at:]])).is_kept, lines[at]
        # The last one of a process may be missing: a kill, or the end of its time, may explain that.
        followed = [at for at in counted if any(is_next(lines[at], line) for line in lines[at + 1 :])]
        for at in followed[:1]:
            assert not check(replace(ledger, lines=lines[:at] + lines[at + 1 :])).is_kept, lines[at]
        assert followed or metric not in ("Accepted", "Completed")


def is_next(line: Line, other: Line) -> bool:
    """Whether another line of metrics is of the same process."""
    return other.is_metrics and (line.function, line.process) == (other.function, other.process)


def broken(directory: Path, function: str, wrong: str, throttling: float) -> Ledger:
    """A run of a bridge that is broken, in which nothing happens but throttling."""
    binaries = broken_binaries(directory, function, wrong)
    return chaos(
        SEED,
        60,
        200,
        stack=lambda: ChaosStack("broken", binaries=binaries),
        prepare=lambda stack: stack.emulator({"seed": SEED, "all": {"throttling": throttling}}),
    )


def test_a_bridge_that_ignores_batch_failures_is_found_out(tmp_path: Path) -> None:
    ledger = broken(tmp_path, "submit", IGNORE_FAILURES, throttling=0.7)
    verdict = check(ledger)
    assert verdict.lost, as_text(ledger, verdict)
    assert all(f": {SQS}" in request or f": {S3}" in request for request in verdict.lost), verdict.lost
    assert not verdict.broken, "what is rejected is acknowledged, so that ignoring it changes nothing"


def test_a_bridge_that_drops_notifications_is_found_out(tmp_path: Path) -> None:
    ledger = broken(tmp_path, "collect", DROP_LAST, throttling=0)
    verdict = check(ledger)
    dropped = [sentence for sentence in verdict.broken if "nobody but the sweep" in sentence]
    assert dropped, as_text(ledger, verdict)
    assert verdict.broken == dropped
    assert not verdict.lost, "the sweep answers what the bridge has dropped too"
