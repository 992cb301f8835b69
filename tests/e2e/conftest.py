"""Two deployed bridges, with IAM enforced: the default one, and one with the other choice of each parameter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.signals import interruptible
from local.stack import LocalStack
from tests.gate import Gate


@pytest.fixture(scope="session", autouse=True)
def _ended_by_signals() -> Iterator[None]:
    """A terminated run brings its stacks down too."""
    with interruptible():
        yield


@pytest.fixture(scope="session")
def gate() -> Iterator[Gate]:
    """A model that a test can hold back."""
    with Gate.serving() as gate:
        yield gate


@pytest.fixture(scope="session")
def direct() -> Iterator[LocalStack]:
    """SNS invokes collect, results in `notification` format, callers signed with IAM. The endpoint `silent` accepts
    each call and answers none."""
    with LocalStack(
        {"echo": "echo", "failing": "fail", "silent": "echo"},
        emulator_arguments=("--fault", "silent:dropped-after-acceptance=1"),
        name="direct",
    ) as stack:
        yield stack


@pytest.fixture(scope="session")
def queued(gate: Gate) -> Iterator[LocalStack]:
    """Notifications by SQS in batches and with responses included, `raw` results, an HTTP API for everybody, messages
    deduplicated."""
    included = ("--include-inference-response-in", "SUCCESS_NOTIFICATION_TOPIC,ERROR_NOTIFICATION_TOPIC")
    with LocalStack(
        {"echo": "echo", "failing": "fail", "slow": "sleep:3", "gated": gate.url},
        parameters={
            "NotificationDelivery": "QUEUE",
            "ResultFormat": "raw",
            "HttpAuth": "NONE",
            "CorsAllowOrigins": "*",
            "Deduplicate": "true",
        },
        emulator_arguments=included,
        name="queued",
    ) as stack:
        yield stack
