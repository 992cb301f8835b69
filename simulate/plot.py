"""A run as a picture: what waits where, instances, and latency, over time."""

from __future__ import annotations

from pathlib import Path

import matplotlib

from simulate.pipeline import Run
from simulate.report import percentiles

SLOT_SECONDS = 600


def plot(run: Run, path: Path) -> None:
    """SVG or PNG, by the file's name."""
    # No display, and the same bytes for the same run.
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "sagemaker-async-bridge"
    from matplotlib import pyplot  # noqa: PLC0415 -- after the choice of a backend

    figure, (backlog, instances, latency) = pyplot.subplots(3, 1, sharex=True, figsize=(10, 8), layout="constrained")
    hours = [sample.time / 3600 for sample in run.samples]
    backlog.plot(hours, [sample.endpoint for sample in run.samples], label="endpoint: queued and running", color="C0")
    backlog.plot(hours, [sample.request_queue for sample in run.samples], label="request queue", color="C1")
    backlog.plot(hours, [sample.notifications for sample in run.samples], label="notifications", color="C2")
    backlog.set_ylabel("requests")
    backlog.legend(loc="upper center", ncols=3)
    instances.step(hours, [sample.desired for sample in run.samples], where="post", label="asked for", color="0.6")
    instances.step(hours, [sample.instances for sample in run.samples], where="post", label="in service", color="C0")
    instances.set_ylabel("instances")
    instances.legend(loc="upper center", ncols=3)
    times, medians, highs = by_slot(run)
    latency.plot(times, medians, label="p50", color="C0")
    latency.plot(times, highs, label="p95", color="C3")
    if times:
        latency.set_yscale("log")
    latency.set_ylabel("request to result, s")
    latency.set_xlabel("hours; latency by the ten minutes in which requests were sent")
    latency.legend(loc="upper center", ncols=3)
    figure.suptitle(f"{len(run.requests):,} requests, at most {run.peak_instances} instances")
    for axes in (backlog, instances, latency):
        axes.grid(alpha=0.3)
        # Room for the legend.
        axes.margins(y=0.3)
        if axes is not latency:
            axes.set_ylim(bottom=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def by_slot(run: Run) -> tuple[list[float], list[float], list[float]]:
    """Middles of the slots in hours, p50 and p95 of the requests that were sent in each and completed."""
    slots: dict[int, list[float]] = {}
    for request in run.requests:
        if request.status == "Completed":
            slots.setdefault(int(request.sent // SLOT_SECONDS), []).append(request.told - request.sent)
    rows = [((slot + 0.5) * SLOT_SECONDS / 3600, percentiles(values)) for slot, values in sorted(slots.items())]
    return [time for time, _ in rows], [one["p50"] for _, one in rows], [one["p95"] for _, one in rows]
