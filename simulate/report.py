"""A run as numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from simulate.cost import costs
from simulate.pipeline import Run

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values, in order, that so large a share of them does not exceed."""
    return values[max(0, math.ceil(share * len(values) - 1e-9) - 1)] if values else math.nan


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """By name."""
    ordered = sorted(values)
    return {name: percentile(ordered, share) for name, share in SHARES.items()}


def summary(run: Run) -> dict[str, Any]:
    """All figures, for JSON."""
    done = [request for request in run.requests if request.status == "Completed"]
    dollars = costs(run)
    total = sum(dollars.values())
    statuses = Counter(request.status for request in run.requests)
    ready = [sample.instances for sample in run.samples]
    return {
        "requests": len(run.requests),
        "statuses": {name: statuses[name] for name in ("Completed", "Failed", "Expired", "DeadLetter")},
        "throttledCalls": run.throttled,
        "latencySeconds": {
            "request to result": percentiles([request.told - request.sent for request in done]),
            "sent to accepted": percentiles([request.accepted - request.sent for request in done]),
            "accepted to started": percentiles([request.started - request.accepted for request in done]),
            "ended to result": percentiles([request.told - request.ended for request in done]),
        },
        "peaks": {
            "requestQueue": run.peak_request_queue,
            "endpointBacklog": run.peak_backlog,
            "notifications": run.peak_notifications,
            "submitAtOnce": run.submit.most,
            "collectAtOnce": run.collect.most,
            "instances": run.peak_instances,
        },
        "instanceHours": run.instance_seconds / 3600,
        "hoursWithoutInstance": sum(count == 0 for count in ready) / 60,
        "hours": max(run.parameters.traffic.hours, run.samples[-1].time / 3600 if run.samples else 0),
        "dollars": {**dollars, "total": total},
        "dollarsPerThousandRequests": total / len(run.requests) * 1000 if run.requests else 0.0,
    }


def duration(seconds: float) -> str:
    """Short, with three digits at most."""
    if math.isnan(seconds):
        return "-"
    for limit, divisor, unit in ((1, 0.001, "ms"), (120, 1, "s"), (7200, 60, "min")):
        if seconds < limit:
            return f"{seconds / divisor:.3g} {unit}"
    return f"{seconds / 3600:.3g} h"


def text(figures: dict[str, Any]) -> str:
    """For people."""
    statuses, peaks = figures["statuses"], figures["peaks"]
    lines = [
        f"{figures['requests']:,} requests in {figures['hours']:.1f} h: "
        + ", ".join(f"{count:,} {name}" for name, count in statuses.items())
        + f"; {figures['throttledCalls']:,} calls throttled",
        "",
        f"{'latency of completed requests':32}" + "".join(f"{name:>10}" for name in SHARES),
    ]
    for name, values in figures["latencySeconds"].items():
        lines.append(f"  {name:30}" + "".join(f"{duration(values[share]):>10}" for share in SHARES))
    lines += [
        "",
        f"peaks: request queue {peaks['requestQueue']:,}, endpoint's backlog {peaks['endpointBacklog']:,}, "
        f"notifications {peaks['notifications']:,}",
        f"       {peaks['submitAtOnce']} submit and {peaks['collectAtOnce']} collect at once, "
        f"{peaks['instances']} instances",
        f"instances: {figures['instanceHours']:.1f} hours paid for; "
        f"{figures['hoursWithoutInstance']:.1f} h without any",
        "",
        "dollars: "
        + ", ".join(f"{name} {value:.3f}" for name, value in figures["dollars"].items() if name != "total")
        + f"; {figures['dollars']['total']:.2f} in all, {figures['dollarsPerThousandRequests']:.3f} per 1,000 requests",
    ]
    return "\n".join(lines)
