"""A service that hangs costs its own checks, and the others do not wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from patient import HASTY, Patient, hasty, silent_report
from silence import Silence, silence

from doctor.aws import Aws, CallLimits
from doctor.checks import CHECKS
from doctor.checks import functions as functions_check
from doctor.faults import CannotLookError
from doctor.finding import State
from doctor.report import Report
from doctor.run import examine
from doctor.stack import Stack

# Service, as in AWS_ENDPOINT_URL_…, and the families of checks that ask it.
ASKED_BY = {
    "SAGEMAKER": {"endpoints", "outputs", "execution-role"},
    "IAM": {"execution-role"},
    "SNS": {"subscriptions"},
    "SQS": {"queues", "dead-letters"},
    "LAMBDA": {"mappings", "functions", "concurrency"},
    "APIGATEWAYV2": {"concurrency"},
    "CLOUDWATCH": {"alarms"},
}
# Until it is released.
LONG = CallLimits(read_seconds=3600, tries=1)


class Watching(Report):
    """Releases the hanging service when every family that does not ask it has ended, and only then."""

    def __init__(self, hanging: Silence, waited_for: set[str]) -> None:
        super().__init__(silent_report().console)
        self._hanging = hanging
        self._waited_for = set(waited_for)
        self.ended: list[str] = []

    @contextmanager
    def progress(self, _what: str) -> Iterator[Watching]:
        yield self

    def begin(self, _name: str) -> None:
        pass

    def end(self, name: str) -> None:
        self.ended.append(name)
        self._waited_for.discard(name)
        if not self._waited_for:
            self._hanging.release()


@pytest.mark.parametrize("service", ASKED_BY)
def test_its_neighbours_end_while_it_hangs(queued: Patient, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # For an alarm that still is in ALARM after another test, the alarms check asks SQS too.
    queued.reset_alarms()
    usual = examine(queued.stack(), silent_report())
    others = set(CHECKS) - {"stack"} - ASKED_BY[service]
    with silence() as hanging:
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", hanging.url)
        watching = Watching(hanging, others)
        found = examine(Stack.find(queued.local.name, Aws(LONG)), watching)
    assert set(watching.ended[: len(others)]) == others
    assert {name: found[name] for name in others} == {name: usual[name] for name in others}
    for name in ASKED_BY[service]:
        assert State.CANNOT_TELL in {finding.state for finding in found[name]}, name
        assert State.WRONG not in {finding.state for finding in found[name]}, name


def test_it_is_waited_for_once(queued: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    with silence() as hanging:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", hanging.url)
        found = examine(queued.stack(hasty("cloudwatch")), silent_report())
        hanging.wait_for_call()
        assert hanging.calls == 1
        assert {finding.words for finding in found["alarms"]} == {f"no answer from {hanging.url}/"}


def test_a_package_that_does_not_come_is_no_fault_of_the_function(
    queued: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = queued.stack()
    with silence() as hanging:
        answer = {**stack.function("SubmitFunction"), "Code": {"Location": f"{hanging.url}/package?X-Amz-Signature=s"}}
        monkeypatch.setattr(Stack, "function", lambda *_: answer)
        stack.aws.call_limits = HASTY
        rows = list(functions_check.check(stack))
    packages = [row for row in rows if row.subject.startswith("package")]
    assert {row.state for row in packages} == {State.CANNOT_TELL}
    assert "Signature" not in str(rows)


def test_without_cloudformation_nothing_can_be_looked_at(queued: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    with silence() as hanging:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", hanging.url)
        with pytest.raises(CannotLookError, match=r"^stack doctor-queue: no answer from http://127"):
            Stack.find(queued.local.name, Aws(HASTY))
