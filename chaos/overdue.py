"""`make sweep`: how long the sweep takes for many overdue requests, how much memory, and how many calls; no faults.

    python -m chaos.overdue --records 100000

What is printed are figures, not promises: the local AWS, written in Python, is the slowest part of it, so calls a
second are put beside those that a plain client got from it. A promise is that every sweep ends within its function's
time, and that the next one goes on where it stopped, until each request has a result. Calls are counted by the proxy,
in a run of its own with few records, because it would slow down the other one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from botocore.config import Config

from chaos.evidence import PUBLISH
from chaos.ledger import read_calls
from chaos.run import REPORTS
from chaos.stack import ECHO, ChaosStack
from chaos.sweep import EVENT, PREFIX
from local.bridge import aws_client
from local.signals import run_to_its_end
from local.stack import BINARIES, LocalStack

RECORDS, COUNTED = 100_000, 1_000
# All results to the results queue.
PARAMETERS = {"ReplyToArns": "", "StateMachineArns": "", "DurableFunctionArns": ""}
# The template's.
FUNCTION_TIMEOUT_SECONDS = 60
WRITERS = 8
# Of a sweep's start and its answer's way back.
AROUND_SECONDS = 5
# Sweeps that take nothing before it counts as stuck.
IDLE_SWEEPS = 3
KILOBYTES_PER_MEGABYTE = 1_024


class DirectStack(ChaosStack):
    """Whose functions call the local AWS without a proxy, and have the template's time."""

    def _deploy(self) -> None:
        LocalStack._deploy(self)


class Overdue:
    """A stack with requests that nobody has answered, and sweeps of it."""

    def __init__(self, stack: ChaosStack, records: int) -> None:
        self.stack = stack
        self.records = records
        self.sweeps: list[tuple[float, int]] = []
        """Of each sweep: seconds, and results sent."""
        self.peak_kilobytes: list[int] = []
        patient = Config(read_timeout=2 * FUNCTION_TIMEOUT_SECONDS, retries={"max_attempts": 0})
        self._lambda = aws_client("lambda", stack.url, config=patient)
        self._function = stack.resource("CollectFunction")
        # The local AWS has schedules too: two sweeps at once would do the same work twice.
        stack.client("events").disable_rule(Name=stack.resource("SweepSchedule"))

    def fill(self) -> float:
        """Writes the records; tells how long that took."""
        pool = Config(max_pool_connections=WRITERS, s3={"addressing_style": "path"})
        s3 = aws_client("s3", self.stack.url, config=pool)

        def write(number: int) -> None:
            s3.put_object(Bucket=self.stack.bucket, Key=PREFIX + key_of(number), Body=self.record(number))

        begun = time.monotonic()
        with ThreadPoolExecutor(WRITERS) as writers:
            for _ in writers.map(write, range(self.records), chunksize=100):
                pass
        return time.monotonic() - begun

    def record(self, number: int) -> bytes:
        """A request whose endpoint was deleted: nothing lies at its locations."""
        bucket = self.stack.bucket
        record = {
            "acceptedAt": 1_577_836_800_000,
            "inferenceId": f"overdue-{number}",
            "outputLocation": f"s3://{bucket}/output/{number}.out",
            "failureLocation": f"s3://{bucket}/failure/{number}-error.out",
            "requestParameters": {"endpointName": ECHO, "contentType": "application/json"},
        }
        return json.dumps(record).encode()

    def sweep_all(self) -> float:
        """Writes the records, and sweeps until none is left; tells how long the writing took."""
        filling = self.fill()
        print(f"{self.records} records written in {filling:.0f} s", flush=True)
        while not self.is_over():
            self.sweep()
            seconds, results = self.sweeps[-1]
            print(f"sweep {len(self.sweeps)}: {results} results in {seconds:.1f} s", flush=True)
            if seconds > FUNCTION_TIMEOUT_SECONDS + AROUND_SECONDS:
                raise RuntimeError("a sweep took longer than its function may run")
            if not any(results for _, results in self.sweeps[-IDLE_SWEEPS:]):
                raise RuntimeError(f"{IDLE_SWEEPS} sweeps in a row have sent nothing, and something is left")
        return filling

    def sweep(self) -> None:
        """One event of the schedule."""
        before, begun = self.results(), time.monotonic()
        answer = self._lambda.invoke(FunctionName=self._function, Payload=EVENT)
        seconds = time.monotonic() - begun
        if "FunctionError" in answer:
            raise RuntimeError(f"a sweep failed after {seconds:.1f} s: {answer['Payload'].read().decode()}")
        self.sweeps.append((seconds, self.results() - before))
        running = self.stack.function_processes()
        self.peak_kilobytes += [peak_of(process.pid) for kind, process in running if kind == "collect"]

    def results(self) -> int:
        """Results in their queue, which nobody empties."""
        name = "ApproximateNumberOfMessages"
        queue = self.stack.outputs["ResultsQueueUrl"]
        answer = self.stack.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def is_over(self) -> bool:
        """Whether nothing is left."""
        listed = self.stack.s3.list_objects_v2(Bucket=self.stack.bucket, Prefix=f"{PREFIX}2", MaxKeys=1)
        return not listed["KeyCount"]


def key_of(number: int) -> str:
    """The key of a record; sixty minutes have an equal share of them."""
    return f"20200101T00{number % 60:02}Z-{number:032x}"


def peak_of(pid: int) -> int:
    """The largest resident set that a process ever had, in KB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def count(binaries: Path) -> Counter[str]:
    """The calls that the sweep makes for few records."""
    seconds = FUNCTION_TIMEOUT_SECONDS
    with ChaosStack("sweep", parameters=PARAMETERS, function_timeout_seconds=seconds, binaries=binaries) as stack:
        Overdue(stack, COUNTED).sweep_all()
        calls = read_calls(stack.proxy_log)
    return Counter(call.operation for call in calls if call.operation != PUBLISH)


def measure(records: int, binaries: Path) -> dict[str, Any]:
    """The figures. Whatever breaks the promise is an error."""
    calls = count(binaries)
    with DirectStack("sweep", parameters=PARAMETERS, binaries=binaries) as stack:
        overdue = Overdue(stack, records)
        filling = overdue.sweep_all()
        return figures(overdue, filling, calls)


def figures(overdue: Overdue, filling: float, calls: Counter[str]) -> dict[str, Any]:
    """What is told of it."""
    records, sweeping = overdue.records, sum(seconds for seconds, _ in overdue.sweeps)
    full = [results for _, results in overdue.sweeps[:-1]] or [overdue.sweeps[-1][1]]
    calls_a_second = overdue.results() * sum(calls.values()) / COUNTED / sweeping
    return {
        "records": records,
        "results": overdue.results(),
        "sweeps": len(overdue.sweeps),
        "longestSweepSeconds": round(max(seconds for seconds, _ in overdue.sweeps), 1),
        "resultsOfASweep": {"median": statistics.median(full), "least": min(full), "most": max(full)},
        "resultsPerSecond": round(overdue.results() / sweeping, 1),
        "callsPerRecord": {name: round(count / COUNTED, 3) for name, count in sorted(calls.items())},
        "callsPerSecond": round(calls_a_second, 1),
        "putsPerSecondOfAPlainClient": round(records / filling, 1),
        "callsComparedWithAPlainClient": round(calls_a_second / (records / filling), 2),
        "peakMegabytes": round(max(overdue.peak_kilobytes) / KILOBYTES_PER_MEGABYTE, 1),
        "peakMegabytesOfTheFirstSweep": round(overdue.peak_kilobytes[0] / KILOBYTES_PER_MEGABYTE, 1),
    }


def main() -> int:
    """Exit code 0 when each request has a result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--binaries", type=Path, default=BINARIES, help="directory of the functions and the emulator")
    options = parser.parse_args()
    document = measure(options.records, options.binaries.resolve())
    REPORTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=2)
    (REPORTS / f"sweep-{options.records}-records.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    if document["results"] < options.records:
        print(f"{document['results']} results of {options.records} requests", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    run_to_its_end(main)
