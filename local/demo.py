"""`make demo`: one request of each kind and for each return address through the whole bridge, checked to the byte."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from rich.console import Console, JustifyMethod
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from doctor.report import standard_output
from local import addressed
from local.bridge import PATIENCE_SECONDS, Bridge
from local.cases import ECHO_ENDPOINT, FAILING_ENDPOINT, Case, Outcome, all_cases, judge, stored_inputs
from local.destinations import PARAMETERS, Destinations
from local.signals import run_to_its_end
from local.stack import LocalStack

# A row is printed as soon as it is known, so the widths are fixed beforehand. The last column takes what is left.
COLUMNS: tuple[tuple[str, int | None, JustifyMethod], ...] = (
    ("request", 30, "left"),
    ("bytes", 7, "right"),
    ("input", 8, "left"),
    ("status", 9, "left"),
    ("seconds", 7, "right"),
    ("output came", 13, "left"),
    ("and is at", None, "left"),
)
STATUS_STYLES = {"Completed": "green", "Failed": "yellow", "Rejected": "yellow"}


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
    console = standard_output()

    def report(line: str) -> None:
        console.print(f"[{time.monotonic() - begun:5.1f} s] {line}", markup=False, soft_wrap=True)

    endpoints = {ECHO_ENDPOINT: "echo", FAILING_ENDPOINT: "fail"}
    with LocalStack(endpoints, parameters=PARAMETERS, name="demo", report=report) as stack:
        failures = run(stack, all_cases(), report, console)
        report("one request for each return address, by SQS, direct invocation, HTTP, EventBridge and SNS:")
        console.print()
        failures += addressed.show(stack, Destinations(stack), console)
        stack.keep_logs = bool(failures)
        if failures:
            console.print(f"\nlogs: {stack.directory}", markup=False, soft_wrap=True)
    for failure in failures:
        console.print(f"FAILED  {failure}", style="bold red", markup=False, soft_wrap=True)
    verdict = "every request came out as expected" if not failures else f"{len(failures)} did not come out as expected"
    report(f"{verdict}; total {time.monotonic() - begun:.1f} s; everything has been stopped")
    return 1 if failures else 0


def run(bridge: Bridge, cases: list[Case], report: Callable[[str], None], console: Console) -> list[str]:
    """Sends every request, prints a row as each outcome is there, and returns what went wrong."""
    report(f"sending {len(cases)} requests; results as they arrive:")
    console.print()
    console.print(row([Text(name, style="bold") for name, _, _ in COLUMNS]))
    everything = [send(bridge, case) for case in cases]
    waiting = list(everything)
    failures: list[str] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    columns = (SpinnerColumn(), TextColumn("waiting for results"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(cases))
        while waiting and time.monotonic() < deadline:
            bridge.poll_results()
            for sent in [sent for sent in waiting if settled(bridge, sent)]:
                waiting.remove(sent)
                console.print(outcome_row(sent))
                progress.advance(task)
                failures += [f"{sent.case.label}: {problem}" for problem in sent.outcome.problems]
    console.print()
    failures += [f"{sent.case.label}: no outcome after {PATIENCE_SECONDS} s" for sent in waiting]
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


def outcome_row(sent: Sent) -> Table:
    """The row of a request whose outcome is there."""
    outcome = sent.outcome
    wrong = f"  WRONG: {'; '.join(outcome.problems)}" if outcome.problems else ""
    return row(
        [
            Text(sent.case.label),
            Text(f"{len(sent.case.payload):,}"),
            Text(outcome.way),
            Text(outcome.status, style=STATUS_STYLES.get(outcome.status, "")),
            Text(f"{time.monotonic() - sent.at:.2f}"),
            Text(outcome.output),
            Text.assemble(outcome.output_at, (wrong, "bold red")),
        ]
    )


def row(cells: list[Text]) -> Table:
    """One row of the table, or its headings."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for _, width, justify in COLUMNS:
        table.add_column(width=width, justify=justify, overflow="fold")
    table.add_row(*cells)
    return table


if __name__ == "__main__":
    run_to_its_end(main)
