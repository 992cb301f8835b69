"""When requests arrive: a day's curve, with bursts on top."""

from __future__ import annotations

import math
import random

from simulate.parameters import Traffic

DAY_SECONDS = 86_400


def arrivals(traffic: Traffic) -> list[float]:
    """Seconds from the start, in order. The same parameters give the same arrivals."""
    chance = random.Random(traffic.seed)  # not a secret
    times = list(even(traffic) if traffic.arrivals == "even" else drawn(traffic, chance))
    seconds = traffic.hours * 3600
    for number in range(traffic.bursts):
        start = seconds * (number + 0.5) / traffic.bursts
        times += [
            start + traffic.burst_seconds * (index / traffic.burst_requests if traffic.arrivals == "even" else share)
            for index, share in enumerate(chance.random() for _ in range(traffic.burst_requests))
        ]
    return sorted(time for time in times if time < seconds)


def even(traffic: Traffic) -> list[float]:
    """One each 1/rate seconds; the curve does not count."""
    return [number / traffic.rate for number in range(int(traffic.hours * 3600 * traffic.rate))]


def drawn(traffic: Traffic, chance: random.Random) -> list[float]:
    """A Poisson process, thinned from its highest rate to that of the hour."""
    times: list[float] = []
    highest = traffic.rate * (1 + traffic.swing)
    time, end = 0.0, traffic.hours * 3600
    while highest > 0:
        time += chance.expovariate(highest)
        if time >= end:
            break
        now = traffic.rate * (1 - traffic.swing * math.cos(2 * math.pi * time / DAY_SECONDS))
        if chance.random() * highest < now:
            times.append(time)
    return times
