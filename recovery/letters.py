"""Letters: what failed once and may be tried again, each by itself."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table
from rich.text import Text

from doctor.faults import in_words
from doctor.finding import one_line
from doctor.report import Report, Steps

AT_ONCE = 8
# How often a line says how far it is, where lines cannot be changed.
SAID_EVERY_SECONDS = 2.0
PROBLEMS_SHOWN = 20


@dataclass(frozen=True)
class Letter:
    """One of them. `hand_over` answers why it was not taken, None if it was."""

    name: str
    reason: str
    hand_over: Callable[[], str | None]
    sent_ms: int | None = None
    # Letters of a group keep their order: behind one that fails, the others stay too.
    group: str | None = None


@dataclass(frozen=True)
class Choice:
    """Which letters are meant, and whether they are handed over or only looked at."""

    run: bool = False
    reason: str = ""
    limit: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether the reason has what was asked for."""
        return self.reason.casefold() in letter.reason.casefold()


@dataclass
class Tally:
    """What became of them."""

    reasons: Counter[str] = field(default_factory=Counter)
    oldest_ms: int | None = None
    taken: int = 0
    problems: list[str] = field(default_factory=list)
    looked_at: int = 0

    @property
    def chosen(self) -> int:
        """How many were chosen."""
        return self.reasons.total()

    def count(self, letters: Iterable[Letter]) -> None:
        """Counts letters that were chosen."""
        for letter in letters:
            self.reasons[one_line(letter.reason)] += 1
            if letter.sent_ms is not None:
                self.oldest_ms = min(letter.sent_ms, self.oldest_ms or letter.sent_ms)

    def settle(self, letter: Letter, problem: str | None) -> None:
        """Counts what became of one."""
        if problem is None:
            self.taken += 1
        else:
            self.problems.append(one_line(f"{letter.name}: {problem}"))


def go_through(batches: Iterable[Sequence[Letter]], choice: Choice, steps: Steps, name: str) -> Tally:
    """Looks at each chosen letter, and hands it over if asked to."""
    tally, failed_groups, said = Tally(), set[str](), time.monotonic()
    steps.begin(name)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as threads:
        for batch in batches:
            tally.looked_at += len(batch)
            left = None if choice.limit is None else choice.limit - tally.chosen
            chosen = [letter for letter in batch if choice.takes(letter)][:left]
            tally.count(chosen)
            if choice.run:
                single = [letter for letter in chosen if letter.group is None]
                for letter, problem in zip(single, threads.map(hand_over_problem, single), strict=True):
                    tally.settle(letter, problem)
                in_order([letter for letter in chosen if letter.group is not None], tally, failed_groups)
            if time.monotonic() - said > SAID_EVERY_SECONDS:
                said = time.monotonic()
                steps.say(name, progress(tally, choice))
            if tally.chosen == choice.limit:
                break
    if tally.looked_at:
        steps.say(name, progress(tally, choice))
    steps.end(name)
    return tally


def in_order(letters: Iterable[Letter], tally: Tally, failed_groups: set[str]) -> None:
    """Hands letters over one after the other; one that fails holds up its group."""
    for letter in letters:
        group = letter.group or ""
        held_up = "it stays behind an earlier one of its group" if group in failed_groups else None
        problem = held_up or hand_over_problem(letter)
        if problem is not None:
            failed_groups.add(group)
        tally.settle(letter, problem)


def hand_over_problem(letter: Letter) -> str | None:
    """Why a letter was not taken."""
    try:
        return letter.hand_over()
    except (BotoCoreError, ClientError) as error:
        return in_words(error)


def progress(tally: Tally, choice: Choice) -> str:
    """How far it is."""
    if not choice.run:
        return f"{tally.looked_at} looked at"
    return f"{tally.taken} handed over" + (f", {len(tally.problems)} stay" if tally.problems else "")


def show(report: Report, tallies: dict[str, Tally]) -> None:
    """A row for each reason, then what stays and why."""
    if any(tally.chosen for tally in tallies.values()):
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("from", "count", "oldest", "reason"):
            table.add_column(heading, overflow="fold")
        for name, tally in tallies.items():
            for reason, count in tally.reasons.most_common():
                table.add_row(name, str(count), when(tally.oldest_ms), Text(reason))
        report.write(table)
    for name, tally in tallies.items():
        for problem in tally.problems[:PROBLEMS_SHOWN]:
            report.line(f"{name}: stays: {problem}", "red")
        if len(tally.problems) > PROBLEMS_SHOWN:
            report.line(f"{name}: and {len(tally.problems) - PROBLEMS_SHOWN} more stay", "red")


def when(milliseconds: int | None) -> str:
    """A time for people."""
    return "" if milliseconds is None else time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(milliseconds / 1000))


def positive(text: str) -> int:
    """A number that is more than none."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number
