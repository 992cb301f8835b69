"""Small cases whose outcome can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import simpy

from simulate.autoscaling import Autoscaler, Cooldown, cooled, tracked
from simulate.endpoint import Endpoint
from simulate.parameters import Endpoint as EndpointParameters
from simulate.parameters import Scaling
from simulate.request import Request

FIXED = EndpointParameters(initial_instances=1, max_instances=1, concurrency=1, model_seconds=10)


class Served:
    """An endpoint to which requests come at given times."""

    def __init__(self, times: list[float], scaling: Scaling | None = None, **parameters: Any) -> None:
        self.env = simpy.Environment()
        self.of = replace(FIXED, **parameters)
        self.ended: list[Request] = []
        self.endpoint = Endpoint(self.env, self.of, self.ended.append)
        self.requests = [Request(time) for time in times]
        self.accepted: list[bool] = []
        bounds = (self.of.min_instances, self.of.max_instances)
        self.autoscaler = Autoscaler(self.env, self.endpoint, scaling, bounds) if scaling else None
        self.env.process(self._send())

    def _send(self) -> Any:
        for request in self.requests:
            yield self.env.timeout(request.sent - self.env.now)
            self.accepted.append(self.endpoint.invoke(request))

    def until(self, seconds: float) -> Served:
        self.env.run(until=seconds)
        return self

    def latencies(self) -> list[float]:
        return [request.ended - request.accepted for request in self.requests]


def test_one_instance_slower_than_fixed_arrivals_falls_behind_by_the_difference_each_time() -> None:
    # D/D/1: a request every 6 seconds, 10 seconds of work.
    served = Served([6.0 * number for number in range(5)]).until(1000)
    assert served.latencies() == [10, 14, 18, 22, 26]
    assert served.endpoint.peak_backlog == 3


def test_one_instance_faster_than_fixed_arrivals_answers_each_in_the_models_time() -> None:
    served = Served([12.0 * number for number in range(5)]).until(1000)
    assert served.latencies() == [10] * 5
    assert served.endpoint.peak_backlog == 1


def test_mean_waiting_of_random_arrivals_is_that_of_the_pollaczek_khinchine_formula() -> None:
    from simulate.parameters import Traffic  # noqa: PLC0415
    from simulate.traffic import arrivals  # noqa: PLC0415

    # M/D/1 with a load of 0.5: rho / (2 (1 - rho)) of the model's time, 5 of 10 seconds.
    times = arrivals(Traffic(hours=600, rate=0.05, swing=0, bursts=0))
    served = Served(times, request_ttl_seconds=21_600).until(600 * 3600 + 1000)
    waits = [request.started - request.accepted for request in served.requests]
    assert sum(waits) / len(waits) == pytest.approx(5, rel=0.05)


def test_concurrency_and_instances_multiply() -> None:
    served = Served([0.0] * 13, initial_instances=3, max_instances=3, concurrency=4).until(100)
    assert served.latencies() == [10] * 12 + [20]


def test_a_request_that_waits_longer_than_its_time_to_live_expires_at_that_moment() -> None:
    served = Served([0.0] * 8, request_ttl_seconds=65).until(1000)
    assert [request.status for request in served.requests] == ["Completed"] * 7 + ["Expired"]
    assert served.latencies() == [10, 20, 30, 40, 50, 60, 70, 65]


def test_without_an_instance_everything_expires() -> None:
    served = Served([0.0, 30.0], initial_instances=0, request_ttl_seconds=60).until(1000)
    assert [request.status for request in served.requests] == ["Expired"] * 2
    assert [request.ended for request in served.requests] == [60, 90]


def test_a_model_that_takes_longer_than_the_invocations_timeout_fails_then() -> None:
    served = Served([0.0, 0.0], invocation_timeout_seconds=4).until(100)
    assert [request.status for request in served.requests] == ["Failed"] * 2
    assert served.latencies() == [4, 8]


def test_calls_above_the_rate_that_sagemaker_takes_are_throttled() -> None:
    served = Served([0.0, 0.0, 0.0, 0.4, 0.5], accepted_per_second=2).until(100)
    assert served.accepted == [True, True, False, False, True]
    assert served.endpoint.throttled == 2


def test_an_added_instance_serves_after_its_start_and_is_paid_for_from_the_decision() -> None:
    served = Served([0.0] * 4, start_seconds=15)
    served.endpoint.resize(2, lambda: None)
    served.until(100)
    # The second instance comes at 15 and takes the third request, the first takes the last one at 20.
    assert [request.started for request in served.requests] == [0, 10, 15, 20]
    assert served.endpoint.instance_seconds() == 200


def test_a_removed_instance_ends_what_it_runs() -> None:
    served = Served([0.0] * 3, initial_instances=2, max_instances=2)
    served.env.run(until=1)
    served.endpoint.resize(1, lambda: None)
    served.until(100)
    assert [request.ended for request in served.requests] == [10, 10, 20]


def test_the_alarm_without_capacity_wakes_an_endpoint_at_zero_in_its_second_minute() -> None:
    served = Served([1.0], Scaling(), initial_instances=0, max_instances=5, start_seconds=100).until(600)
    assert served.autoscaler is not None
    assert served.autoscaler.activities == [(120, 1)]
    assert served.requests[0].started == 220


def test_without_the_step_policy_a_backlog_below_the_target_hangs_until_it_expires() -> None:
    scaling = Scaling(from_zero=False)
    served = Served([1.0] * 5, scaling, initial_instances=0, max_instances=5, request_ttl_seconds=3600).until(4000)
    assert served.autoscaler is not None
    assert served.autoscaler.activities == []
    assert {request.status for request in served.requests} == {"Expired"}


def test_a_backlog_above_the_target_for_three_minutes_scales_out_in_proportion() -> None:
    served = Served([1.0] * 61, Scaling(), max_instances=50, model_seconds=1000, start_seconds=60).until(300)
    assert served.autoscaler is not None
    # 61 requests at five each.
    assert served.autoscaler.activities == [(180, 13)]
    assert served.endpoint.ready == 13


def test_an_idle_endpoint_scales_to_zero_after_fifteen_minutes() -> None:
    served = Served([], Scaling(), initial_instances=3, max_instances=3).until(3600)
    assert served.autoscaler is not None
    assert served.autoscaler.activities == [(900, 0)]
    assert served.endpoint.instance_seconds() == 3 * 900


@pytest.mark.parametrize(
    ("current", "metric", "wanted"), [(1, 5.0, 1), (1, 5.1, 2), (2, 12.0, 5), (4, 0.0, 0), (0, 6.0, 2), (10, 4.5, 9)]
)
def test_target_tracking_asks_for_what_the_emulator_asks_for(current: int, metric: float, wanted: int) -> None:
    assert tracked(current, metric, 5.0) == wanted


def test_a_cooldown_lets_a_larger_scale_out_alone_through() -> None:
    after_out = Cooldown(until=100, is_out=True, base=2)
    assert cooled(4, lambda base: base * 2, after_out, 50) is None
    assert cooled(4, lambda base: base * 3, after_out, 50) == 6
    assert cooled(4, lambda _: 1, after_out, 50) is None
    assert cooled(4, lambda _: 1, after_out, 100) == 1
    after_in = Cooldown(until=100, is_out=False, base=6)
    assert cooled(4, lambda _: 3, after_in, 50) is None
    assert cooled(4, lambda _: 5, after_in, 50) == 5
