"""Two deployed bridges whose endpoints are those of the sample notifications: one for each format of results."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.signals import interruptible
from local.stack import LocalStack

ENDPOINTS = {"summarizer": "echo", "asr": "echo", "failing": "fail"}
# Long enough that no invocation outlasts it on a busy machine: no message may come back while it is worked on.
VISIBILITY_TIMEOUT_SECONDS = 5


@pytest.fixture(scope="session", autouse=True)
def _ended_by_signals() -> Iterator[None]:
    """A terminated run brings its stacks down too."""
    with interruptible():
        yield


@pytest.fixture(scope="session")
def notifications() -> Iterator[LocalStack]:
    """Results in `notification` format."""
    with LocalStack(ENDPOINTS, visibility_timeout_seconds=VISIBILITY_TIMEOUT_SECONDS, name="notifications") as stack:
        yield stack


@pytest.fixture(scope="session")
def raw() -> Iterator[LocalStack]:
    """Results in `raw` format."""
    timeout, parameters = VISIBILITY_TIMEOUT_SECONDS, {"ResultFormat": "raw"}
    with LocalStack(ENDPOINTS, parameters=parameters, visibility_timeout_seconds=timeout, name="raw") as stack:
        yield stack
