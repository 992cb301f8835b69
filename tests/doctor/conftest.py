"""Deployed bridges that the doctor finds well, to be broken in one way after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from patient import Patient

from local.signals import interruptible
from local.stack import LocalStack


@pytest.fixture(scope="session", autouse=True)
def _ended_by_signals() -> Iterator[None]:
    """A terminated run brings its stacks down too."""
    with interruptible():
        yield


@contextmanager
def well(endpoints: Mapping[str, str], delivery: str) -> Iterator[Patient]:
    """A stack without a fault. What it may take is below what ministack says of the smallest machine's concurrency."""
    parameters = {"ThrottlingRateLimit": "1", "ThrottlingBurstLimit": "1", "NotificationDelivery": delivery}
    name = f"doctor-{delivery.lower()}"
    with LocalStack(endpoints, parameters=parameters, name=name) as stack:
        patient = Patient(stack)
        with pytest.MonkeyPatch.context() as patch:
            patient.enter(patch).make_whole()
        yield patient


@pytest.fixture(scope="session")
def queued_patient() -> Iterator[Patient]:
    with well({"summarizer": "echo", "extra": "echo"}, "QUEUE") as patient:
        yield patient


@pytest.fixture(scope="session")
def direct_patient() -> Iterator[Patient]:
    with well({"summarizer": "echo"}, "DIRECT") as patient:
        yield patient


@pytest.fixture
def queued(queued_patient: Patient, monkeypatch: pytest.MonkeyPatch) -> Patient:
    """Notifications by QUEUE."""
    return queued_patient.enter(monkeypatch)


@pytest.fixture
def direct(direct_patient: Patient, monkeypatch: pytest.MonkeyPatch) -> Patient:
    """Notifications DIRECT."""
    return direct_patient.enter(monkeypatch)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Patient]:
    """A model that takes nothing, behind an API for everybody."""
    parameters = {"HttpAuth": "NONE", "ResultFormat": "raw"}
    with LocalStack({"refusing": "fail"}, parameters=parameters, name="doctor-refusing") as stack:
        yield Patient(stack).enter(monkeypatch)
