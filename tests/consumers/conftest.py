"""The consumers, and two deployed bridges, one for each format of results, with the endpoints of the samples."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.signals import interruptible
from local.stack import BINARIES, ROOT, LocalStack
from tests.consumers.running import Program, make_table
from tests.node import NODE, with_packages

CONSUMERS = ROOT / "examples/consumers"
ENDPOINTS = {"summarizer": "echo", "asr": "echo", "failing": "fail"}


@pytest.fixture(scope="session", autouse=True)
def _ended_by_signals() -> Iterator[None]:
    """A terminated run brings its stacks down too."""
    with interruptible():
        yield


@pytest.fixture(scope="session")
def notifications() -> Iterator[LocalStack]:
    """Results in `notification` format."""
    with LocalStack(ENDPOINTS, name="notifications") as stack:
        yield stack


@pytest.fixture(scope="session")
def raw() -> Iterator[LocalStack]:
    """Results in `raw` format."""
    with LocalStack(ENDPOINTS, parameters={"ResultFormat": "raw"}, name="raw") as stack:
        yield stack


def python(stack: LocalStack) -> list[str]:
    return [sys.executable, str(CONSUMERS / "python/consumer.py"), "--table", make_table(stack)]


@pytest.fixture(scope="session")
def typescript() -> Path:
    """The consumer in TypeScript with its packages."""
    return with_packages(CONSUMERS / "typescript", ROOT / ".venv/typescript")


def rust(stack: LocalStack) -> list[str]:
    return [str(BINARIES / "results-consumer"), "--store", f"s3://{stack.bucket}/handled/"]


@pytest.fixture(params=["python", "typescript", "rust"])
def program(request: pytest.FixtureRequest) -> Program:
    """A consumer in each language."""
    if request.param != "typescript":
        return {"python": python, "rust": rust}[request.param]
    directory: Path = request.getfixturevalue("typescript")
    return lambda stack: [*NODE, str(directory / "consumer.ts"), "--table", make_table(stack)]


@pytest.fixture
def stack(notifications: LocalStack) -> Iterator[LocalStack]:
    """The bridge, with an empty results queue before and after."""
    empty(notifications)
    yield notifications
    empty(notifications)


def empty(stack: LocalStack) -> None:
    """Purges the results queue of what other tests left."""
    stack.sqs.purge_queue(QueueUrl=stack.outputs["ResultsQueueUrl"])
