"""`make demo`: one request of each kind through the whole bridge, each outcome checked to the byte."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from local.bridge import Bridge
from local.cases import ECHO_ENDPOINT, FAILING_ENDPOINT, Case, Outcome, all_cases, judge, stored_inputs
from local.signals import run_to_its_end
from local.stack import LocalStack

OUTCOME_TIMEOUT_SECONDS = 90
ROW = "{:<32}{:>8}  {:<9}{:<11}{:>7}  {:<14} {}"
HEADINGS = ("request", "bytes", "input", "status", "seconds", "output came", "and lies in")


@dataclass
class Sent:
    """A request on its way. `outcome` is known before the poison one, say, has reached its dead-letter queue."""

    case: Case
    inference_id: str
    at: float
    outcome: Outcome | None = None


def main() -> int:
    """Exit code 0 only when every request came out as expected."""
    begun = time.monotonic()

    def report(line: str) -> None:
        print(f"[{time.monotonic() - begun:5.1f} s] {line}", flush=True)

    with LocalStack({ECHO_ENDPOINT: "echo", FAILING_ENDPOINT: "fail"}, name="demo", report=report) as stack:
        failures = run(stack, all_cases(), report)
        stack.keep_logs = bool(failures)
        if failures:
            print(f"\nlogs: {stack.directory}")
    for failure in failures:
        print(f"FAILED  {failure}")
    verdict = "every request came out as expected" if not failures else f"{len(failures)} did not come out as expected"
    report(f"{verdict}; total {time.monotonic() - begun:.1f} s; everything has been stopped")
    return 1 if failures else 0


def run(bridge: Bridge, cases: list[Case], report: Callable[[str], None]) -> list[str]:
    """Sends every request, prints a row as each outcome is there, and returns what went wrong."""
    report(f"sending {len(cases)} requests; results as they arrive:")
    print("\n" + ROW.format(*HEADINGS))
    everything = [send(bridge, case) for case in cases]
    waiting = list(everything)
    failures: list[str] = []
    deadline = time.monotonic() + OUTCOME_TIMEOUT_SECONDS
    while waiting and time.monotonic() < deadline:
        bridge.poll_results()
        for sent in [sent for sent in waiting if settled(bridge, sent)]:
            waiting.remove(sent)
            print_row(sent)
            failures += [f"{sent.case.label}: {problem}" for problem in sent.outcome.problems]
    print()
    failures += [f"{sent.case.label}: no outcome after {OUTCOME_TIMEOUT_SECONDS} s" for sent in waiting]
    return failures + compare_inputs(bridge, everything, report)


def send(bridge: Bridge, case: Case) -> Sent:
    """Sends a request; its seconds count from here."""
    at = time.monotonic()
    return Sent(case, case.send(bridge), at)


def compare_inputs(bridge: Bridge, everything: list[Sent], report: Callable[[str], None]) -> list[str]:
    """The bucket as witness: under input/ lies what the endpoints were pointed to, and nothing of an inline input."""
    named = {sent.outcome.input_location for sent in everything if sent.outcome and sent.outcome.input_location}
    stored = stored_inputs(bridge)
    if stored != named:
        return [f"input/ holds {sorted(stored)}, the endpoints were pointed to {sorted(named)}"]
    report(f"the bucket agrees: {len(stored)} inputs went through S3, the others left nothing there")
    return []


def settled(bridge: Bridge, sent: Sent) -> bool:
    """Whether all is there that a request leads to: its result, and for a rejected one its dead letter too."""
    if sent.outcome is None and sent.inference_id in bridge.results:
        sent.outcome = judge(bridge, sent.case, json.loads(bridge.results[sent.inference_id][0]["Body"]))
    if sent.outcome is None:
        return False
    return sent.outcome.status != "Rejected" or dead_letter_arrived(bridge, sent)


def dead_letter_arrived(bridge: Bridge, sent: Sent) -> bool:
    """Takes the dead-letter queue's messages; the rejected request must be there as it was sent, with the reason."""
    for message in bridge.receive("RequestDeadLetterQueueUrl", wait_seconds=0):
        problems = []
        if message["Body"].encode() != sent.case.payload:
            problems.append("the dead letter's body is not what was sent")
        if set(message.get("MessageAttributes", {})) != {"ContentEncoding", "FailureReason"}:
            problems.append("the dead letter's attributes are not what was sent and the reason")
        sent.outcome = replace(
            sent.outcome,
            output_at=f"RequestDeadLetterQueue {sent.outcome.output_at}",
            problems=sent.outcome.problems + problems,
        )
        return True
    return False


def print_row(sent: Sent) -> None:
    """One line of the table."""
    outcome = sent.outcome
    seconds = f"{time.monotonic() - sent.at:.2f}"
    size = f"{len(sent.case.payload):,}"
    row = ROW.format(sent.case.label, size, outcome.way, outcome.status, seconds, outcome.output, outcome.output_at)
    print(row + ("" if not outcome.problems else f"  WRONG: {'; '.join(outcome.problems)}"), flush=True)


if __name__ == "__main__":
    run_to_its_end(main)
