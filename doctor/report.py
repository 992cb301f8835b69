"""What the doctor found, for people: a table, and below it the commands."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from doctor import commands
from doctor.finding import Finding, State

STYLES = {State.OK: "green", State.WRONG: "bold red", State.CANNOT_TELL: "yellow"}
HEADINGS = {State.WRONG: "To fix", State.CANNOT_TELL: "To find out"}
# Wide enough that no row wraps where nobody looks through a window.
PLAIN_WIDTH = 400


def standard_output() -> Console:
    """Standard output, as wide as the terminal, or so wide that in a file or a pipe every row is a line."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


class Report:
    """Writes to a terminal with colours, boxes and spinners; to a file or a pipe plain lines, one a row."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or standard_output()
        self.is_plain = not self.console.is_terminal
        self._begun = time.monotonic()

    def table(self, findings: Iterable[Finding]) -> None:
        """A row for each finding."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("")
        table.add_column("what", overflow="fold")
        table.add_column("found", overflow="fold")
        for finding in findings:
            table.add_row(Text(finding.state, style=STYLES[finding.state]), Text(finding.subject), Text(finding.words))
        self.write(table)

    def write(self, table: Table) -> None:
        """The table as wide as the window, and where there is none, as wide as it is."""
        if not self.is_plain:
            self.console.print(table)
            return
        with self.console.capture() as capture:
            self.console.print(table)
        self.line("\n".join(line.rstrip() for line in capture.get().splitlines()))

    def commands(self, findings: Iterable[Finding]) -> None:
        """What mends each `wrong`, and what finds out where the doctor cannot tell. Not wrapped: they are pasted."""
        for state, heading in HEADINGS.items():
            # One command may fix several things at once.
            fixed: dict[tuple[str, ...], list[Finding]] = {}
            for finding in findings:
                if finding.state == state and finding.commands:
                    fixed.setdefault(finding.commands, []).append(finding)
            if not fixed:
                continue
            self.line(f"\n{heading}:", "bold")
            for line in commands.environment():
                self.line(line)
            for lines, found in fixed.items():
                self.line("")
                for finding in found:
                    self.line(f"# {finding.subject}: {finding.words}", "dim")
                for line in lines:
                    self.line(line)

    def summary(self, findings: Iterable[Finding]) -> None:
        """One line that counts."""
        counts = Counter(finding.state for finding in findings)
        self.line("\n" + ", ".join(f"{counts[state]} {state}" for state in State))

    def line(self, text: str, style: str = "") -> None:
        """A line as it is, however long."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    @contextmanager
    def progress(self, what: str) -> Iterator[Steps]:
        """Steps on their way, each with the time that it has taken."""
        if self.is_plain:
            yield Steps(self, None)
            return
        columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True) as progress:
            progress.add_task(what, total=None)
            yield Steps(self, progress)


class Steps:
    """The steps of one `Report.progress`."""

    def __init__(self, report: Report, progress: Progress | None) -> None:
        self._report = report
        self._progress = progress
        self._tasks: dict[str, int] = {}

    def begin(self, name: str) -> None:
        """A step that others do not wait for."""
        if self._progress is not None:
            self._tasks[name] = self._progress.add_task(name, total=1)

    def say(self, name: str, words: str) -> None:
        """How a step stands. Where lines cannot be changed, it is one more line."""
        if self._progress is not None:
            self._progress.update(self._tasks[name], description=f"{name}: {words}")
        else:
            self._report.line(f"{name}: {words}")

    def end(self, name: str) -> None:
        """The step is done."""
        if self._progress is not None:
            self._progress.update(self._tasks[name], completed=1)
