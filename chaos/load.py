"""`make load`: a sustained run with the functions' memory sampled, then a backlog that has to be drained; no faults.

    python -m chaos.load --minutes 10 --rate 40 --backlog 20000

Every request of both parts is accounted for as in `make chaos`. What is printed are figures, not promises: the local
AWS, written in Python, is the slowest part of it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import psutil

from chaos.checker import Verdict, check
from chaos.collector import QUIET_SECONDS, Collector
from chaos.drive import Driver
from chaos.ledger import SQS, Ledger, read_calls
from chaos.metrics import read_lines
from chaos.requests import TO_RESULTS, Sending, sendings
from chaos.run import REPORTS
from chaos.stack import ChaosStack
from local.destinations import Destinations
from local.signals import run_to_its_end

SEED = 1
SAMPLE_SECONDS = 5.0
DRAIN_TIMEOUT_SECONDS = 1_800.0
MEGABYTE = 1 << 20
# Of a message in the backlog, which the local AWS keeps in memory.
BACKLOG_BYTES = 10_000
FAST = 1e9


@dataclass
class Sampler:
    """Memory of the functions and results so far, every few seconds."""

    stack: ChaosStack
    collector: Collector
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    """By function: time, and the largest process's resident memory in MB."""
    results: list[tuple[float, int]] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)

    def start(self) -> Sampler:
        """Begins."""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        begun = time.monotonic()
        while not self._end.wait(SAMPLE_SECONDS):
            now = time.monotonic() - begun
            largest: dict[str, int] = defaultdict(int)
            for function, process in self.stack.function_processes():
                try:
                    largest[function] = max(largest[function], process.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
            for function, resident in largest.items():
                self.memory[function].append((now, resident / MEGABYTE))
            self.results.append((now, len(self.collector.results)))


def load(minutes: float, rate: float, backlog: int) -> tuple[dict[str, Any], Verdict]:
    """Both parts on one stack; the figures, and the account."""
    ledger = Ledger(seed=SEED)
    with ChaosStack("load") as stack:
        destinations = Destinations(stack)
        collector = Collector(stack, destinations)
        sampler = Sampler(stack, collector).start()
        try:
            count = int(minutes * 60 * rate)
            begun = time.monotonic()
            sent = Driver(stack, destinations, SEED, rate).run(sendings(SEED, count, to=TO_RESULTS))
            driven = time.monotonic() - begun
            quiet(collector)
            sustained = len(sampler.results)
            filled, filling = fill(stack, destinations, backlog)
            sent += filled
            drained = quiet(collector)
        finally:
            sampler.stop()
            collector.stop()
        ledger.requests = [sending.record for sending in sent]
        ledger.take(collector.end(ledger.requests))
        ledger.calls = read_calls(stack.proxy_log)
        ledger.lines = read_lines(stack.function_log)
    verdict = check(ledger)
    figures = {
        "requests": len(sent),
        "sustained": {
            "requests": count,
            "seconds": round(driven),
            "perSecond": round(count / max(driven, 1), 1),
            "resultsPerSecondByTenth": tenths(sampler.results[:sustained], max(driven, 1)),
        },
        "backlog": {"requests": backlog, "secondsToFill": round(filling), "secondsToDrain": round(drained)},
        "memory": {function: course(samples) for function, samples in sorted(sampler.memory.items())},
        "ends": dict(verdict.ends),
        "lost": len(verdict.lost),
        "duplicates": dict(verdict.duplicates),
    }
    return figures, verdict


def quiet(collector: Collector) -> float:
    """Waits until nothing is under way; tells how long that took."""
    begun = time.monotonic()
    if not collector.wait_until_quiet(DRAIN_TIMEOUT_SECONDS):
        raise TimeoutError(f"{collector.under_way()} messages are still under way")
    return time.monotonic() - begun - QUIET_SECONDS


def fill(stack: ChaosStack, destinations: Destinations, backlog: int) -> tuple[list[Sending], float]:
    """Fills the request queue while nobody takes its messages; then lets them be taken."""
    functions = stack.client("lambda")
    function = stack.resource("SubmitFunction")
    mapping = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"][0]["UUID"]
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    begun = time.monotonic()
    everything = sendings(SEED + 1, 10 * backlog, "b", TO_RESULTS)
    waiting = (sending for sending in everything if sending.record.way == SQS and len(sending.body) < BACKLOG_BYTES)
    sent = Driver(stack, destinations, SEED + 1, FAST).run(itertools.islice(waiting, backlog))
    seconds = time.monotonic() - begun
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    return sent, seconds


def tenths(results: list[tuple[float, int]], seconds: float) -> list[float]:
    """Results a second in each tenth of the run."""
    ends = [seconds * (part + 1) / 10 for part in range(10)]
    counts = [max((count for at, count in results if at <= end), default=0) for end in ends]
    return [round((count - before) * 10 / seconds, 1) for before, count in itertools.pairwise([0, *counts])]


def course(samples: list[tuple[float, float]]) -> dict[str, float]:
    """Memory in MB: of the whole run, and of its quarters by their medians, which tell a leak from a peak."""
    sizes = [size for _, size in samples]
    quarter = -(-len(sizes) // 4)
    parts = [sizes[start : start + quarter] for start in range(0, len(sizes), quarter)]
    medians = {f"quarter {number}": round(statistics.median(part), 1) for number, part in enumerate(parts, 1)}
    return {**medians, "peak": round(max(sizes), 1)}


def main() -> int:
    """Exit code 0 when nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=20, help="requests a second")
    parser.add_argument("--backlog", type=int, default=20_000)
    options = parser.parse_args()
    figures, verdict = load(options.minutes, options.rate, options.backlog)
    REPORTS.mkdir(parents=True, exist_ok=True)
    document = json.dumps(figures, indent=2)
    (REPORTS / f"load-{options.minutes:g}-minutes-{options.backlog}-backlog.json").write_text(
        document + "\n", encoding="utf-8"
    )
    print(document)
    return 0 if verdict.is_kept else 1


if __name__ == "__main__":
    run_to_its_end(main)
