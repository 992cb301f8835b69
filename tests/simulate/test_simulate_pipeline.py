"""The whole way, with the functions' times set to figures that add up in the head."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from simulate.__main__ import main
from simulate.cost import costs
from simulate.parameters import ParameterError, Parameters, parameters_of, read
from simulate.pipeline import Run, simulate
from simulate.report import percentile, summary
from simulate.traffic import arrivals

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/simulation.toml"
BRIDGE = {
    "submit_seconds": 1.0,
    "submit_message_seconds": 0.0,
    "s3_put_seconds": 2.0,
    "sns_seconds": 0.5,
    "collect_seconds": 3.0,
    "collect_message_seconds": 0.0,
}


def run(**tables: Any) -> Run:
    """Requests at even distances, one instance that is always there, and the functions' times of BRIDGE."""
    traffic = {"hours": 0.1, "arrivals": "even", "rate": 0.1, "bursts": 0} | tables.pop("traffic", {})
    endpoint = {"model_seconds": 4.0} | tables.pop("endpoint", {})
    bridge = BRIDGE | tables.pop("bridge", {})
    scaling = {"enabled": False} | tables.pop("scaling", {})
    return simulate(parameters_of({"traffic": traffic, "endpoint": endpoint, "bridge": bridge, "scaling": scaling}))


def latencies(one: Run) -> set[float]:
    return {round(request.told - request.sent, 6) for request in one.requests}


def test_latency_is_the_sum_of_the_parts() -> None:
    assert latencies(run()) == {1 + 4 + 0.5 + 3}


@pytest.mark.parametrize(
    ("parameters", "puts"),
    [
        ({"bridge": {"watch_unanswered": True}}, 1),
        ({"bridge": {"deduplicate": True}}, 1),
        ({"traffic": {"payload_bytes": 128_001}}, 1),
        ({"traffic": {"payload_bytes": 128_000}}, 0),
        ({"traffic": {"payload_bytes": 1}, "bridge": {"inline_limit_bytes": 0, "watch_unanswered": True}}, 2),
    ],
)
def test_each_put_is_one_more_round_trip(parameters: dict[str, Any], puts: int) -> None:
    assert latencies(run(**parameters)) == {8.5 + 2 * puts}


def test_notifications_by_queue_wait_for_the_batching_window() -> None:
    assert latencies(run(bridge={"notification_delivery": "QUEUE"})) == {9.5}


def test_batches_beyond_the_maximum_concurrency_wait_for_a_free_one() -> None:
    one = run(
        traffic={"rate": 0.0, "bursts": 1, "burst_requests": 50, "burst_seconds": 0}, bridge={"max_concurrency": 2}
    )
    waits = sorted(round(request.accepted - request.sent, 6) for request in one.requests)
    # All come at once: two single messages are taken first, then two batches of ten a second.
    assert waits == [1.0] * 2 + [2.0] * 20 + [3.0] * 20 + [4.0] * 8
    assert one.submit.most == 2


def test_a_throttled_message_comes_back_after_the_visibility_timeout_and_is_a_dead_letter_after_its_last_receipt() -> (
    None
):
    one = run(
        traffic={"rate": 0.0, "bursts": 1, "burst_requests": 7, "burst_seconds": 0},
        endpoint={"accepted_per_second": 1},
        bridge={"visibility_timeout": 180.0, "max_concurrency": 1000, "batch_size": 10},
    )
    assert [request.status for request in one.requests].count("DeadLetter") == 2
    assert sorted(request.receipts for request in one.requests) == [1, 2, 3, 4, 5, 5, 5]
    accepted = sorted(request.accepted - request.sent for request in one.requests if request.status == "Completed")
    assert [round(time) for time in accepted] == [1, 182, 363, 544, 725]
    assert one.throttled == 6 + 5 + 4 + 3 + 2


def test_every_request_is_accounted_for_and_backlogs_end_empty() -> None:
    one = simulate(read(EXAMPLE, ["traffic.hours=2", "traffic.bursts=2", "endpoint.request_ttl_seconds=120"]))
    figures = summary(one)
    assert sum(figures["statuses"].values()) == figures["requests"] == len(one.requests)
    assert figures["statuses"]["Expired"] > 0
    for request in one.requests:
        assert request.sent <= request.accepted <= request.ended <= request.told
    assert one.submit.messages == len(one.requests)


def test_the_same_parameters_give_the_same_run() -> None:
    parameters = read(EXAMPLE, ["traffic.hours=1"])
    assert summary(simulate(parameters)) == summary(simulate(parameters))


def test_a_day_has_the_average_rate_and_its_bursts() -> None:
    times = arrivals(read(None, ["traffic.rate=2", "traffic.bursts=3", "traffic.burst_requests=500"]).traffic)
    assert len(times) == pytest.approx(2 * 86_400 + 3 * 500, rel=0.02)
    noon = sum(11 * 3600 <= time < 13 * 3600 for time in times)
    night = sum(time < 3600 or time >= 23 * 3600 for time in times)
    assert noon > 5 * night


def test_costs_are_the_counts_times_the_prices() -> None:
    one = run(
        traffic={"hours": 1.0, "rate": 1.0, "payload_bytes": 2000, "output_bytes": 2000}, endpoint={"concurrency": 10}
    )
    dollars = costs(one)
    # 3,600 runs of each function, a second and three seconds of a quarter of a GB.
    assert dollars["Lambda"] == pytest.approx(7200 * 0.2e-6 + 3600 * 4 * 0.25 * 0.0000133334)
    # A send, a receipt, a deletion and a result for each, and five pollers that ask every 20 seconds.
    polls = 5 * one.samples[-1].time / 20
    assert dollars["SQS"] == pytest.approx((4 * 3600 + polls) * 0.4e-6)
    assert dollars["SNS"] == pytest.approx(3600 * 0.5e-6)
    assert dollars["S3"] == pytest.approx(3600 * 0.005e-3 + 3600 * 0.0004e-3)
    assert dollars["CloudWatch Logs"] == pytest.approx(3600 * 2000 / 1e9 * 0.5)
    assert dollars["endpoint"] == pytest.approx(one.instance_seconds / 3600 * 1.408)
    assert one.instance_seconds == pytest.approx(3600, abs=60)


def test_watching_costs_five_dollars_a_million_requests_more() -> None:
    traffic = {"hours": 1.0, "rate": 1.0}
    plain = costs(run(traffic=traffic, endpoint={"concurrency": 10}))
    watching = costs(run(traffic=traffic, endpoint={"concurrency": 10}, bridge={"watch_unanswered": True}))
    assert (watching["S3"] - plain["S3"]) / 3600 * 1e6 == pytest.approx(5)


def test_percentiles_are_values_that_came() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([7.0], 0.5) == 7


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("traffic.rate", "must be TABLE.NAME=VALUE"),
        ("rate=5", "must be TABLE.NAME=VALUE"),
        ("road.rate=5", "road: no such table; there are traffic, bridge"),
        ("traffic.speed=5", "traffic.speed: no such parameter; there are hours, rate"),
        ("traffic.rate=fast", "traffic.rate: must be float, not 'fast'"),
        ("traffic.rate=true", "traffic.rate: must be float, not True"),
        ("traffic.rate=-1", "traffic.rate: must be from 0 to inf, not -1"),
        ("bridge.max_concurrency=1", "bridge.max_concurrency: must be from 2 to 1000, not 1"),
        ("bridge.notification_delivery=PIGEON", "must be DIRECT or QUEUE, not PIGEON"),
        ("endpoint.min_instances=3", "endpoint.max_instances: must be at least 1"),
    ],
)
def test_a_bad_parameter_is_named(setting: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ParameterError, match=message.replace(".", r"\.")):
        read(None, [setting])
    assert main(["--set", setting]) == 2
    assert message in capsys.readouterr().err


def test_the_example_has_the_defaults_but_for_the_models_variation() -> None:
    assert read(EXAMPLE, ["endpoint.model_variation=0.0"]) == Parameters()


def test_make_simulate_writes_plot_and_figures(tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    command = ["make", "--no-print-directory", "simulate", "RATE=0.05", "SET=traffic.hours=2", f"PLOT={plot}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "plot.json").read_text(encoding="utf-8"))
    assert f"{figures['requests']:,} requests in " in done.stdout
    assert figures["statuses"]["Completed"] == figures["requests"] > 4000
    drawn = plot.read_text(encoding="utf-8")
    assert "<svg" in drawn
    assert drawn.count("<path") > 20
