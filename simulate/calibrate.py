"""The simulation's endpoint against the emulator's: the same requests and the same scaling, on a faster clock.

make calibrate
.venv/local/bin/python -m simulate.calibrate --set traffic.rate=0.2 --scale 120

The emulator has no request queue and no functions in front of it here, so that only the endpoint is compared: its
queue, its instances and what scales them.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import simpy

from local.bridge import PATIENCE_SECONDS, REGION, aws_client, wait_for
from local.processes import Process, ReservedPort
from local.signals import interruptible
from local.stack import BINARIES, EMULATOR
from simulate import parameters
from simulate.autoscaling import Autoscaler
from simulate.endpoint import Endpoint
from simulate.functions import after
from simulate.parameters import ParameterError, Parameters, read
from simulate.report import duration, percentiles
from simulate.request import Request
from simulate.traffic import arrivals

SCENARIO = Path(__file__).resolve().parent.parent / "examples/calibration.toml"
ENDPOINT = "calibrated"
VARIANT = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": f"endpoint/{ENDPOINT}/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
PAGE = 10_000


@dataclass
class Outcome:
    """What became of the requests, in seconds of the scenario."""

    statuses: dict[str, int]
    latencies: list[float]
    peak_backlog: int
    decided: list[int]

    @classmethod
    def of(cls, spans: Sequence[tuple[float, float, str]], decided: list[int]) -> Outcome:
        """From when each request was accepted and ended, and how."""
        names = sorted({status for *_, status in spans})
        return cls(
            statuses={name: sum(status == name for *_, status in spans) for name in names},
            latencies=[ended - accepted for accepted, ended, status in spans if status == "Completed"],
            peak_backlog=peak([(accepted, ended) for accepted, ended, _ in spans]),
            decided=decided,
        )


def peak(spans: Sequence[tuple[float, float]]) -> int:
    """The most that were accepted and had not ended at once."""
    changes = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans], key=lambda one: one)
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def simulated(given: Parameters) -> Outcome:
    """The endpoint alone, in simulated time."""
    env = simpy.Environment()
    requests = [Request(at) for at in arrivals(given.traffic)]
    left = len(requests)
    all_ended = env.event()

    def ended(_: Request) -> None:
        nonlocal left
        left -= 1
        if not left:
            all_ended.succeed()

    endpoint = Endpoint(env, given.endpoint, ended, given.traffic.seed)
    bounds = (given.endpoint.min_instances, given.endpoint.max_instances)
    autoscaler = Autoscaler(env, endpoint, given.scaling, bounds)
    for request in requests:
        after(env, request.sent, partial(endpoint.invoke, request))
    env.run(until=all_ended)
    spans = [(request.accepted, request.ended, request.status) for request in requests]
    return Outcome.of(spans, [wanted for _, wanted in autoscaler.activities])


@contextmanager
def emulator(of: parameters.Endpoint, scale: float) -> Iterator[str]:
    """The URL of an emulator with the endpoint."""
    with tempfile.TemporaryDirectory() as directory, interruptible():
        port = ReservedPort()
        url = f"http://127.0.0.1:{port.number}"
        options = {
            "listen": f"127.0.0.1:{port.number}",
            "embedded": "memory",
            "endpoint": f"{ENDPOINT}=sleep:{of.model_seconds / scale}",
            "instances": of.initial_instances,
            "max-concurrent-invocations-per-instance": of.concurrency,
            "cold-start": of.start_seconds / scale,
            "time-scale": scale,
            "queue-limit": PAGE,
            "history-limit": PAGE,
        }
        command = [str(BINARIES / EMULATOR)]
        command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
        log = Path(directory) / "emulator.log"
        port.release()
        process = Process(EMULATOR, command, {"AWS_REGION": REGION}, log)
        try:
            process.wait_until(lambda: b" listening on http://" in log.read_bytes(), PATIENCE_SECONDS)
            yield url
        finally:
            process.stop()


def scale_by_backlog(url: str, given: Parameters) -> None:
    """The two policies of examples/endpoint.yaml."""
    scaling = aws_client("application-autoscaling", url)
    bounds = {"MinCapacity": given.endpoint.min_instances, "MaxCapacity": given.endpoint.max_instances}
    scaling.register_scalable_target(**VARIANT, **bounds)
    dimensions = [{"Name": "EndpointName", "Value": ENDPOINT}]
    metric = {"Namespace": "AWS/SageMaker", "Dimensions": dimensions, "Statistic": "Average"}
    scaling.put_scaling_policy(
        **VARIANT,
        PolicyName="backlog-per-instance",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": given.scaling.target,
            "CustomizedMetricSpecification": {"MetricName": "ApproximateBacklogSizePerInstance", **metric},
            "ScaleOutCooldown": int(given.scaling.scale_out_cooldown),
            "ScaleInCooldown": int(given.scaling.scale_in_cooldown),
        },
    )
    if not given.scaling.from_zero:
        return
    policy = scaling.put_scaling_policy(
        **VARIANT,
        PolicyName="from-zero",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Average",
            "Cooldown": int(given.scaling.from_zero_cooldown),
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
        },
    )
    aws_client("cloudwatch", url).put_metric_alarm(
        AlarmName="backlog-without-capacity",
        MetricName="HasBacklogWithoutCapacity",
        **metric,
        Period=60,
        EvaluationPeriods=2,
        DatapointsToAlarm=2,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="missing",
        AlarmActions=[policy["PolicyARN"]],
    )


def send(url: str, times: Sequence[float], scale: float, begun: float) -> None:
    """Invokes at the scenario's times since `begun`. A client that is behind sends at once until it has caught up."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_SECONDS)
    for at in times:
        time.sleep(max(0.0, begun + at / scale - time.monotonic()))
        connection.request("POST", f"/endpoints/{ENDPOINT}/async-invocations", b"x")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.ACCEPTED:
            raise RuntimeError(f"the emulator answered {answer.status}: {body.decode(errors='replace')}")
    connection.close()


def get(url: str, path: str) -> Any:
    """Of the emulator's own API."""
    with urllib.request.urlopen(f"{url}/_emulator/endpoints{path}", timeout=PATIENCE_SECONDS) as answer:
        return json.load(answer)


def ready(url: str) -> int:
    """Instances that serve."""
    return int(next(one["instances"] for one in get(url, "")["endpoints"] if one["endpointName"] == ENDPOINT))


def decided(url: str) -> list[int]:
    """The numbers of instances that scaling has asked for."""
    activities = aws_client("application-autoscaling", url).describe_scaling_activities(**VARIANT)
    return [int(one["Description"].split()[-1].rstrip(".")) for one in activities["ScalingActivities"]][::-1]


def emulated(given: Parameters, scale: float, first: Sequence[int] = ()) -> Outcome:
    """The emulator's endpoint, on the clock on the wall.

    `first`: what scaling has to have asked for before any request is sent, however long it takes on this machine.
    """
    times = arrivals(given.traffic)
    with emulator(given.endpoint, scale) as url:
        # Its first instances take their time to start; those of the simulation are there.
        wait_for(lambda: ready(url) == given.endpoint.initial_instances, PATIENCE_SECONDS, "the first instances")
        scale_by_backlog(url, given)
        begun = time.monotonic()
        wait_for(lambda: decided(url)[: len(first)] == list(first), PATIENCE_SECONDS, f"instances: {first}")
        send(url, times, scale, begun)

        def invocations() -> list[dict[str, Any]]:
            listed: list[dict[str, Any]] = get(url, f"/{ENDPOINT}/invocations?limit={PAGE}")["invocations"]
            return listed

        def all_ended() -> bool:
            return len(listed := invocations()) == len(times) and all(one["endedTime"] for one in listed)

        wait_for(all_ended, PATIENCE_SECONDS, "the end of every invocation")
        spans = [
            (one["receivedTime"] * scale / 1000, one["endedTime"] * scale / 1000, one["status"])
            for one in invocations()
        ]
        return Outcome.of(spans, decided(url))


def table(outcomes: dict[str, Outcome]) -> str:
    """Markdown, with the emulator's figures by the simulation's in the last row."""
    rows = ["| | answered | p50 | p95 | max | peak backlog | instances asked for |", "|---|---|---|---|---|---|---|"]
    figures = {name: percentiles(one.latencies) | {"peak": one.peak_backlog} for name, one in outcomes.items()}
    for name, one in outcomes.items():
        values = figures[name]
        latency = " | ".join(duration(values[share]) for share in ("p50", "p95", "max"))
        decided = ", ".join(map(str, one.decided))
        rows.append(f"| {name} | {sum(one.statuses.values()):,} | {latency} | {one.peak_backlog:,} | {decided} |")
    first, second = figures.values()
    ratios = " | ".join(f"{second[name] / first[name]:.2f} x" for name in ("p50", "p95", "max", "peak"))
    return "\n".join([*rows, f"| ratio | | {ratios} | |"])


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 2 for parameters that cannot be."""
    parser = argparse.ArgumentParser(prog="simulate.calibrate", description=__doc__.partition("\n")[0])
    parser.add_argument("parameters", nargs="?", type=Path, default=SCENARIO, help="a TOML file")
    parser.add_argument("--set", action="append", default=[], metavar="TABLE.NAME=VALUE", help="over what it says")
    parser.add_argument("--scale", type=float, default=60, help="how many times as fast, 1 to 1000 (60)")
    options = parser.parse_args(arguments)
    try:
        given = read(options.parameters, options.set)
    except ParameterError as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return 2
    outcomes = {"simulated": simulated(given), "emulated": emulated(given, options.scale)}
    print(table(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
