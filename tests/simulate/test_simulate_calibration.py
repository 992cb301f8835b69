"""The simulated endpoint beside the emulator's, in a short scenario. Neither promises how long it takes."""

from __future__ import annotations

import pytest

from simulate.calibrate import SCENARIO, emulated, main, peak, simulated, table
from simulate.parameters import read

# A minute of the scenario takes a tenth of a second.
SCALE = 600
# Instances take five seconds to start, in which a busy machine too has sent the burst.
SMALL = ["traffic.burst_requests=60", "endpoint.model_seconds=30.0", "endpoint.start_seconds=3000.0"]
# How far apart the peaks may be, should it have taken longer all the same.
WIDE = 2


def test_the_emulator_answers_all_that_the_simulation_answers_and_scales_from_zero_as_it_does() -> None:
    given = read(SCENARIO, SMALL)
    here = simulated(given)
    there = emulated(given, SCALE, here.decided[:1])
    assert here.statuses == there.statuses == {"Completed": 60}
    assert here.peak_backlog / WIDE <= there.peak_backlog <= here.peak_backlog * WIDE
    # Both go to zero before the burst and wake for it.
    assert here.decided[0] == there.decided[0] == 0
    assert 1 <= there.decided[1] <= given.endpoint.max_instances
    assert "| ratio |" in table({"simulated": here, "emulated": there})


def test_a_peak_counts_what_was_there_at_once() -> None:
    assert peak([(0, 10), (5, 15), (10, 20), (12, 13)]) == 3
    assert peak([]) == 0


def test_parameters_that_cannot_be_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--set", "endpoint.speed=1"]) == 2
    assert "endpoint.speed: no such parameter" in capsys.readouterr().err
