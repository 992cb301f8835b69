"""`make chaos`: thousands of requests through the deployed bridge under all faults at once, and an account of each.

    python -m chaos.run --seed 1 --seed 2 --seed 3 --requests 5000

Repeat a run by its seed: requests, faults and disturbances are the same ones; which call meets which of them depends
on how the calls happen to overlap.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from chaos.checker import Verdict, check
from chaos.collector import Collector
from chaos.disturb import Disturber
from chaos.drive import Driver
from chaos.ledger import Ledger, read_calls, read_timeouts
from chaos.metrics import read_lines
from chaos.report import as_json, as_text
from chaos.requests import Sending, sendings
from chaos.stack import ChaosStack
from chaos.sweep import Sweeper
from local.destinations import Destinations
from local.signals import run_to_its_end
from local.stack import ROOT

REPORTS = ROOT / "target" / "chaos"
DEFAULT_REQUESTS = 5_000
DEFAULT_SEEDS = (1, 2, 3)
# What two cores drive, faults included.
DEFAULT_RATE = 50.0
QUIET_TIMEOUT_SECONDS = 900.0


def chaos(
    seed: int,
    requests: int,
    rate: float,
    *,
    stack: Callable[[], ChaosStack] = lambda: ChaosStack("chaos"),
    prepare: Callable[[ChaosStack], object] | None = None,
) -> Ledger:
    """One run, of what `stack` makes. `prepare` is done to it in place of all faults and disturbances."""
    ledger = Ledger(seed=seed)
    with stack() as running:
        begun = time.monotonic()
        if prepare:
            prepare(running)
        destinations = Destinations(running)
        disturber = None if prepare else Disturber(running, seed).start()
        collector = Collector(running, destinations)
        sweeper = Sweeper(running, seed)
        if disturber:
            sweeper.start()
        try:
            sent = Driver(running, destinations, seed, rate).run(ending_an_endpoint(running, seed, requests))
            ledger.seconds["driven"] = time.monotonic() - begun
            sweeper.end()
            if disturber:
                ledger.injected = disturber.end()
                ledger.kills = disturber.kills
            mended = time.monotonic()
            # No queue has what Lambda keeps for another try.
            time.sleep(max(mended + running.event_seconds - time.monotonic(), 0))
            quiet(collector, seed)
            ledger.seconds["drained"] = time.monotonic() - mended
            quiet_since = time.monotonic()
            ledger.remembered = sweeper.sweep_all()
            ledger.hurried = sweeper.hurried
            quiet(collector, seed)
            ledger.seconds["swept"] = time.monotonic() - quiet_since
            ledger.requests = [sending.record for sending in sent]
            ledger.take(collector.end(ledger.requests))
        except BaseException:
            # No wait for what nobody wants to know any more.
            collector.stop()
            sweeper.end()
            if disturber:
                disturber.stop()
            raise
        ledger.calls = read_calls(running.proxy_log)
        ledger.timeouts = read_timeouts(running.ministack_log)
        ledger.lines = read_lines(running.function_log)
    return ledger


def ending_an_endpoint(stack: ChaosStack, seed: int, count: int) -> Iterator[Sending]:
    """The run's requests; when half of them have been sent, an endpoint is deleted with what is in its queue."""
    for number, sending in enumerate(sendings(seed, count, unanswerable=True)):
        if number == count // 2:
            stack.delete_doomed()
        yield sending


def quiet(collector: Collector, seed: int) -> None:
    """Waits until nothing is under way."""
    if not collector.wait_until_quiet(QUIET_TIMEOUT_SECONDS):
        raise TimeoutError(f"seed {seed}: {collector.under_way()} messages under way, too soon for an account")


def main() -> int:
    """Exit code 0 when every seed's promises were kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, action="append", help="repeatable; default 1, 2, 3")
    parser.add_argument("--requests", type=int, default=DEFAULT_REQUESTS, help="of each seed")
    parser.add_argument("--rate", type=float, default=DEFAULT_RATE, help="requests a second")
    options = parser.parse_args()
    verdicts = []
    for seed in options.seed or DEFAULT_SEEDS:
        print(f"seed {seed}: {options.requests} requests at {options.rate:g} a second", flush=True)
        ledger = chaos(seed, options.requests, options.rate)
        verdicts.append(write(ledger))
    return 0 if all(verdict.is_kept for verdict in verdicts) else 1


def write(ledger: Ledger, directory: Path = REPORTS) -> Verdict:
    """Checks a ledger, prints and keeps the report; the ledger too, for a second look."""
    verdict = check(ledger)
    directory.mkdir(parents=True, exist_ok=True)
    ledger.save(directory / f"seed-{ledger.seed}-ledger.json")
    text = as_text(ledger, verdict)
    (directory / f"seed-{ledger.seed}.txt").write_text(text + "\n", encoding="utf-8")
    document = json.dumps(as_json(ledger, verdict), indent=2)
    (directory / f"seed-{ledger.seed}.json").write_text(document + "\n", encoding="utf-8")
    print(text, flush=True)
    print(f"  repeat: make chaos SEED={ledger.seed} REQUESTS={len(ledger.requests)}; report in {directory}", flush=True)
    return verdict


if __name__ == "__main__":
    run_to_its_end(main)
