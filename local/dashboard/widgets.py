"""The body of a CloudWatch dashboard, read.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Line:
    """One line of a graph: a metric, or an expression of others."""

    metric: tuple[str, ...]
    """Namespace, name, and the dimension's name and value; empty for an expression."""
    options: Mapping[str, Any] = field(hash=False)

    @property
    def label(self) -> str:
        """What the legend calls it."""
        return self.options.get("label") or self.metric[1]


def lines(metrics: list[list[Any]]) -> Iterator[Line]:
    """A graph's lines. `.` stands for what the line before has in that place, `...` for all up to the last."""
    before: tuple[str, ...] = ()
    for entry in metrics:
        options = entry[-1] if isinstance(entry[-1], dict) else {}
        texts = [part for part in entry if isinstance(part, str)]
        if not texts:
            yield Line((), options)
            continue
        if texts[0] == "...":
            texts = [*before[: len(before) - len(texts) + 1], *texts[1:]]
        before = tuple(old if part == "." else part for part, old in zip(texts, before or texts, strict=True))
        yield Line(before, options)
