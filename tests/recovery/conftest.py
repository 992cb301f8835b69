"""A deployed bridge whose dead letters are tried again."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console
from runbook import environment

from doctor.report import PLAIN_WIDTH, Report
from local.bridge import REGION
from local.signals import interruptible
from local.stack import LocalStack

# Queues that a test gives its dead letters and looks into, and that have to be empty before and after.
QUEUES = ("RequestDeadLetterQueue", "EventDeadLetterQueue", "NotificationDeadLetterQueue", "ResultsQueue")


@pytest.fixture(scope="session", autouse=True)
def _ended_by_signals() -> Iterator[None]:
    """A terminated run brings its stacks down too."""
    with interruptible():
        yield


@pytest.fixture(scope="session")
def recovering() -> Iterator[LocalStack]:
    parameters = {"S3Requests": "true", "WatchUnanswered": "true"}
    # The queue is made by the test that names it.
    parameters["ReplyToArns"] = f"arn:aws:sqs:{REGION}:000000000000:team"
    with LocalStack({"summarizer": "echo", "failing": "fail"}, parameters=parameters, name="recovery") as stack:
        yield stack


@pytest.fixture
def stack(recovering: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStack]:
    """With empty queues, and as the AWS of the environment."""
    for name in QUEUES:
        recovering.sqs.purge_queue(QueueUrl=recovering.resource(name))
    recovering.results.clear()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(recovering).items():
        monkeypatch.setenv(name, value)
    return recovering


Tool = Callable[[list[str], Report], int]


@pytest.fixture
def run() -> Callable[..., tuple[int, str]]:
    """Runs one of the tools: its exit code, and what it writes."""

    def run(main: Tool, *arguments: str) -> tuple[int, str]:
        written = io.StringIO()
        code = main(list(arguments), Report(Console(file=written, width=PLAIN_WIDTH, highlight=False)))
        return code, written.getvalue()

    return run
