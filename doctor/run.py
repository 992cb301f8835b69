"""Runs the checks side by side: one that has to wait keeps none of the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed

from doctor.checks import CHECKS
from doctor.finding import Finding, State, findings_of
from doctor.report import Report
from doctor.stack import Stack

Check = Callable[[Stack], Iterable[Finding]]


def examine(
    stack: Stack, report: Report, skipped: Collection[str] = (), checks: Mapping[str, Check] = CHECKS
) -> dict[str, list[Finding]]:
    """Family of checks to findings, in the order of `checks`.

    What is not deployed to its end is not looked at further: names and addresses of its parts may be missing.
    """
    whole = findings_of("stack", checks["stack"], stack)
    found = {"stack": whole}
    if any(finding.state is State.WRONG for finding in whole):
        return found
    wanted = {name: check for name, check in checks.items() if name not in {"stack", *skipped}}
    with report.progress("looking") as steps, ThreadPoolExecutor(max_workers=len(wanted) or 1) as threads:
        futures = {threads.submit(findings_of, name, check, stack): name for name, check in wanted.items()}
        for name in wanted:
            steps.begin(name)
        for future in as_completed(futures):
            steps.end(futures[future])
        found.update({name: future.result() for future, name in futures.items()})
    return {name: found[name] for name in checks if name in found}
