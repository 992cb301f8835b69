"""A verdict as people read it, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chaos.checker import ENDS, Verdict
from chaos.ledger import Ledger

SHOWN = 10


def as_json(ledger: Ledger, verdict: Verdict) -> dict[str, Any]:
    """Everything but the calls."""
    return {
        "seed": ledger.seed,
        "requests": len(ledger.requests),
        "results": verdict.results,
        "lost": verdict.lost,
        "broken": verdict.broken,
        "unexplained": verdict.unexplained,
        "ends": dict(verdict.ends),
        "duplicates": dict(verdict.duplicates.most_common()),
        "deadLetters": dict(verdict.dead_letters.most_common()),
        "metrics": dict(verdict.metrics.counted) if verdict.metrics else None,
        "metricsCauses": dict(verdict.metrics.causes.most_common()) if verdict.metrics else None,
        "metricsUnexplained": verdict.metrics.unexplained if verdict.metrics else None,
        "notes": dict(verdict.notes),
        "injected": ledger.injected,
        "calls": len(ledger.calls),
        "kills": len(ledger.kills),
        "seconds": ledger.seconds,
    }


def as_text(ledger: Ledger, verdict: Verdict) -> str:
    """A page: what was asked, what happened, where everything is."""
    faults = sum(count for name, count in ledger.injected.items() if not name.endswith(": latency"))
    times = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in ledger.seconds.items())
    lines = [
        f"seed {ledger.seed}: {len(ledger.requests)} requests, {len(ledger.calls)} calls, {faults} faults ({times})",
        *section("where the requests ended", ((end, verdict.ends[end]) for end in ENDS)),
        *section(
            f"{verdict.results} results; {sum(verdict.duplicates.values())} beyond a request's first, by cause",
            verdict.duplicates.most_common(),
        ),
        *section("dead letters beyond a request's first, by cause", verdict.dead_letters.most_common()),
        *metrics_of(verdict),
        *section("also", sorted(verdict.notes.items())),
        *section("faults", ledger.injected.items()),
        *listed("LOST", verdict.lost),
        *listed("PROMISES NOT KEPT", verdict.broken),
        *listed("DUPLICATES WITHOUT A CAUSE", verdict.unexplained),
        *listed("METRICS NOT EXPLAINED", verdict.metrics.unexplained if verdict.metrics else []),
        f"  lost {len(verdict.lost)}, promises not kept {len(verdict.broken)}, "
        f"duplicates without a cause {len(verdict.unexplained)}, "
        f"metrics not explained {len(verdict.metrics.unexplained) if verdict.metrics else 'unknown'}",
    ]
    return "\n".join(lines)


def metrics_of(verdict: Verdict) -> list[str]:
    """What the functions counted, and why that differs from what AWS answered them."""
    if not verdict.metrics:
        return []
    causes = verdict.metrics.causes.most_common()
    return [
        *section("metrics", verdict.metrics.counted.items()),
        *section("where they differ from what AWS answered, by cause", causes),
    ]


def section(title: str, figures: Iterable[tuple[str, int]]) -> list[str]:
    """A title and its figures."""
    return [f"  {title}", *(f"    {count:>7}  {name}" for name, count in figures if count)]


def listed(title: str, entries: list[str]) -> list[str]:
    """A title and the first entries, if there are any."""
    if not entries:
        return []
    more = [f"    … and {len(entries) - SHOWN} more"] if len(entries) > SHOWN else []
    return [f"  {title}", *(f"    {entry}" for entry in entries[:SHOWN]), *more]
