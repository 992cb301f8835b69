"""Draws a dashboard from its body and recorded series.

    python -m local.dashboard.draw .local/dashboard.json docs/dashboard.svg

Needs matplotlib alone (requirements/picture.txt).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from local.dashboard.widgets import Line, lines

COLUMNS = 24
INCH_A_COLUMN, INCH_A_ROW = 0.5, 0.52
TOP_INCHES = 0.6
# Texts stay texts, and equal data make an equal file.
mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "dashboard", "font.size": 8, "font.family": "sans-serif"}


class Recorded:
    """The series of a run, in points of one period each."""

    def __init__(self, recorded: dict[str, Any]) -> None:
        self.period = recorded["period"]
        self.started = recorded["started"]
        self.times = np.arange(0, recorded["seconds"], self.period, dtype=float)
        self.series = {tuple(entry[:4]): entry[4] for entry in recorded["series"]}

    def points(self, metric: tuple[str, ...], stat: str) -> np.ndarray:
        """A metric by a statistic; NaN where it was not written."""
        periods: list[list[float]] = [[] for _ in self.times]
        for time, value in self.series.get(metric, ()):
            index = int((time - self.started) // self.period)
            if 0 <= index < len(periods):
                periods[index].append(value)
        return np.array([statistic(values, stat) if values else np.nan for values in periods])


def statistic(values: list[float], stat: str) -> float:
    """What CloudWatch makes of a period's values."""
    if percentile := re.fullmatch(r"p(\d+)", stat):
        return float(np.percentile(values, int(percentile[1])))
    return {"Sum": sum, "Maximum": max}[stat](values)


def evaluated(expression: str, known: dict[str, np.ndarray], period: int) -> np.ndarray:
    """Metric math, as far as the dashboard goes: numbers, FILL and PERIOD."""
    functions = {"FILL": lambda points, value: np.nan_to_num(points, nan=value), "PERIOD": lambda _points: period}
    return eval(expression, {"__builtins__": {}}, {**functions, **known})


def draw_widget(axes: Any, properties: dict[str, Any], recorded: Recorded) -> None:
    """One graph."""
    found = list(lines(properties["metrics"]))

    def points(line: Line) -> np.ndarray:
        return recorded.points(line.metric, line.options.get("stat", properties.get("stat", "Average")))

    known = {line.options["id"]: points(line) for line in found if line.metric and "id" in line.options}
    for line in (line for line in found if line.options.get("visible", True)):
        values = points(line) if line.metric else evaluated(line.options["expression"], known, recorded.period)
        axes.plot(recorded.times, values, label=line.label, linewidth=1.2, marker=".", markersize=2.5)
    axes.set_title(properties["title"], loc="left", fontsize=9, fontweight="bold")
    axes.set_xlim(0, recorded.times[-1] + recorded.period)
    axes.set_ylim(bottom=0)
    axes.set_xticks(np.arange(0, recorded.times[-1] + recorded.period + 1, 30))
    axes.xaxis.set_major_formatter(lambda second, _: f"{int(second) // 60}:{int(second) % 60:02d}")
    axes.grid(color="#e4e4e4", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=4, frameon=False, fontsize=6.5)


def draw(recorded: dict[str, Any]) -> Figure:
    """The whole dashboard."""
    body, series = recorded["body"], Recorded(recorded)
    rows = max(widget["y"] + widget["height"] for widget in body["widgets"])
    width, height = COLUMNS * INCH_A_COLUMN, rows * INCH_A_ROW + TOP_INCHES
    figure = Figure(figsize=(width, height), facecolor="white")
    (variable,) = body["variables"]
    figure.text(0.01, 1 - 0.35 / height, f"{variable['label']}: {variable['defaultValue']}", fontsize=10)
    for widget in body["widgets"]:
        left = (widget["x"] + 1.2) * INCH_A_COLUMN / width
        bottom = (rows - widget["y"] - widget["height"] + 1.4) * INCH_A_ROW / height
        size = ((widget["width"] - 1.9) * INCH_A_COLUMN / width, (widget["height"] - 2.1) * INCH_A_ROW / height)
        draw_widget(figure.add_axes((left, bottom, *size)), widget["properties"], series)
    return figure


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    picture = draw(json.loads(source.read_text(encoding="utf-8")))
    picture.savefig(target, format="svg", metadata={"Date": None})
