"""Metrics in the functions' logs, as CloudWatch would take them from there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, wait_for
from local.stack import LocalStack
from tests.gate import Gate

NAMESPACE = "SageMakerAsyncBridge"


class Measured(LocalStack):
    """A bridge whose metrics are read."""

    def log(self, function: str) -> list[dict[str, Any]]:
        """Every line of JSON in a function's log."""
        group = f"/aws/lambda/{self.name}-{function}"
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        messages = (line for page in pages for event in page["events"] for line in event["message"].splitlines())
        return [json.loads(line) for line in messages if line.startswith("{")]

    def lines(self, function: str) -> list[dict[str, Any]]:
        """Every line of metrics that a function has written."""
        return [line for line in self.log(function) if "_aws" in line]

    def measured(self, function: str, inference_id: str) -> dict[str, Any]:
        """The line about an inference."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [line for line in self.lines(function) if inference_id in line.get("inference.ids", ())]
            return bool(found)

        wait_for(is_there, PATIENCE_SECONDS, f"the metrics of {inference_id}")
        assert len(found) == 1, found
        return found[0]


@pytest.fixture(scope="module")
def stack(gate: Gate) -> Iterator[Measured]:
    endpoints = {"echo": "echo", "failing": "fail", "gated": gate.url}
    with Measured(endpoints, parameters={"HttpAuth": "NONE"}, name="metrics") as stack:
        yield stack


def assert_is_described(line: dict[str, Any]) -> None:
    """What CloudWatch has to be told of a line, by the specification of the format."""
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == NAMESPACE
    assert directive["Dimensions"] == [["EndpointName"]]
    assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 600
    described = {metric["Name"] for metric in directive["Metrics"]}
    assert described == set(line) - {"_aws", "EndpointName", "inference.ids"}
    for name in described:
        values = line[name] if isinstance(line[name], list) else [line[name]]
        assert 1 <= len(values) <= 100, name
        assert all(isinstance(value, int) and value >= 0 for value in values), name


def test_a_request_is_measured_from_the_queue_to_its_result(stack: Measured, gate: Gate) -> None:
    started = time.time()
    # One function after the other, however long `submit` takes to end.
    with gate.closed():
        inference_id = stack.send("x" * 200, EndpointName="gated")
        submitted = stack.measured("submit", inference_id)
    stack.wait_for_result(inference_id)
    collected = stack.measured("collect", inference_id)
    elapsed = (time.time() - started) * 1000
    for line in (submitted, collected):
        assert_is_described(line)
        assert line["EndpointName"] == "gated"
    assert (submitted["Accepted"], submitted["PayloadBytes"]) == (1, 200)
    assert "AcceptedThroughS3" not in submitted
    assert (collected["Completed"], collected["OutputBytes"]) == (1, 200)
    assert submitted["SubmitLatency"] + collected["CollectLatency"] <= elapsed
    assert submitted["SubmitLatency"] <= collected["RequestToResult"] <= elapsed


def test_a_result_does_not_show_when_its_request_was_sent(stack: Measured) -> None:
    inference_id = stack.send("x", CustomAttributes="mine=1")
    result = json.loads(stack.wait_for_result(inference_id)["Body"])
    assert result["requestParameters"]["customAttributes"] == "mine=1"


def test_large_failed_and_rejected_requests_are_told_apart(stack: Measured) -> None:
    large, failing = stack.send("x" * 300_000), stack.send("x", EndpointName="failing")
    for inference_id in (large, failing):
        stack.wait_for_result(inference_id)
    assert stack.measured("submit", large)["AcceptedThroughS3"] == 1
    assert stack.measured("collect", large)["OutputTooLarge"] == 1
    failed = stack.measured("collect", failing)
    assert (failed["EndpointName"], failed["Failed"]) == ("failing", 1)

    rejected = stack.send("x", EndpointName="made-up")
    stack.wait_for_result(rejected)
    lines: list[dict[str, Any]] = []

    def is_measured() -> bool:
        lines[:] = [line for line in stack.lines("submit") if "Rejected" in line]
        return bool(lines)

    wait_for(is_measured, PATIENCE_SECONDS, "the metrics of a rejection")
    (line,) = lines
    assert_is_described(line)
    # Whoever sends requests must not make metrics up.
    assert (line["EndpointName"], line["Rejected"]) == ("echo", 1)


def test_a_process_starts_once(stack: Measured) -> None:
    for _ in range(3):
        # A process that has not ended an invocation takes no other: a second one would start.
        stack.measured("submit", stack.send("x"))
    lines = stack.lines("submit")
    assert 1 <= sum(line.get("ColdStart", 0) for line in lines) < len(lines)
