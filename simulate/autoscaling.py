"""Application Auto Scaling with the two policies that AWS documents for asynchronous endpoints, minute by minute.

https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-autoscale.html
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import simpy

from simulate.endpoint import Endpoint
from simulate.parameters import Scaling

MINUTE_SECONDS = 60
# AWS does not document them; they are those of the alarms that its policies make.
HIGH_MINUTES = 3
LOW_MINUTES = 15
LOW_SHARE = 0.9
# Of the alarm on HasBacklogWithoutCapacity in AWS's example.
WITHOUT_CAPACITY_MINUTES = 2


@dataclass
class Cooldown:
    """The time after a scaling activity in which its policy holds back."""

    until: float
    is_out: bool
    base: int


class Autoscaler:
    """Samples the endpoint each minute, and resizes it when an alarm says so."""

    def __init__(
        self, env: simpy.Environment, endpoint: Endpoint, scaling: Scaling, bounds: tuple[int, int], first: float = 60
    ) -> None:
        self._env, self._endpoint, self._scaling = env, endpoint, scaling
        self._min, self._max = bounds
        self._per_instance: deque[float] = deque(maxlen=LOW_MINUTES)
        self._without_capacity: deque[bool] = deque(maxlen=WITHOUT_CAPACITY_MINUTES)
        self._tracking: Cooldown | None = None
        self._stepping: Cooldown | None = None
        self._is_under_way = False
        self.activities: list[tuple[float, int]] = []
        env.process(self._run(first))

    def _run(self, first: float) -> Iterator[simpy.Event]:
        yield self._env.timeout(first)
        while True:
            self._sample()
            if not self._is_under_way:
                self._scale()
            yield self._env.timeout(MINUTE_SECONDS)

    def _sample(self) -> None:
        endpoint = self._endpoint
        # AWS does not say what a metric by instance is where there is none. It has to be a value, or the policy
        # could not wake the endpoint.
        self._per_instance.append(endpoint.backlog / max(endpoint.ready, 1))
        self._without_capacity.append(endpoint.waiting > 0 and endpoint.ready == 0)

    def _scale(self) -> None:
        current = self._endpoint.desired
        wishes = [(self._tracked(current), "tracking"), (self._stepped(current), "step")]
        asked = [(wanted, policy) for wanted, policy in wishes if wanted is not None]
        if not asked:
            return
        # Of several policies the one counts that asks for the most.
        wanted, policy = max(asked)
        wanted = min(max(wanted, self._min), self._max)
        if wanted != current:
            self._resize(current, wanted, policy)

    def _tracked(self, current: int) -> int | None:
        target = self._scaling.target
        recent = list(self._per_instance)
        is_high = len(recent) >= HIGH_MINUTES and all(value > target for value in recent[-HIGH_MINUTES:])
        is_low = len(recent) >= LOW_MINUTES and all(value < target * LOW_SHARE for value in recent)
        if not (is_high or is_low):
            return None
        wanted = cooled(current, lambda base: tracked(base, recent[-1], target), self._tracking, self._env.now)
        if wanted is None or (is_high and wanted < current) or (is_low and wanted > current):
            return None
        return wanted

    def _stepped(self, current: int) -> int | None:
        minutes = self._without_capacity
        if not (self._scaling.from_zero and len(minutes) == WITHOUT_CAPACITY_MINUTES and all(minutes)):
            return None
        return cooled(current, lambda base: base + 1, self._stepping, self._env.now)

    def _resize(self, current: int, wanted: int, policy: str) -> None:
        self._is_under_way = True
        self.activities.append((self._env.now, wanted))
        is_out = wanted > current

        def done() -> None:
            self._is_under_way = False
            scaling = self._scaling
            # A scale out ends the cooldown of a scale in.
            if is_out and self._tracking and not self._tracking.is_out:
                self._tracking = None
            if policy == "step":
                self._stepping = Cooldown(self._env.now + scaling.from_zero_cooldown, is_out, current)
            else:
                seconds = scaling.scale_out_cooldown if is_out else scaling.scale_in_cooldown
                self._tracking = Cooldown(self._env.now + seconds, is_out, current)

        self._endpoint.resize(wanted, done)


def tracked(current: int, metric: float, target: float) -> int:
    """The capacity at which the metric, shared among it, would be at the target."""
    return math.ceil(max(current, 1) * metric / target - 1e-9)


def cooled(current: int, wish: Callable[[int], int], cooldown: Cooldown | None, now: float) -> int | None:
    """A wish under a cooldown.

    After scaling out only a larger scale out counts, from the capacity before it; after scaling in no further one.
    """
    wanted = wish(current)
    if cooldown is not None and cooldown.until > now:
        if cooldown.is_out and wanted > current:
            wanted = max(wish(cooldown.base), current)
        wanted = max(wanted, current)
    return None if wanted == current else wanted
