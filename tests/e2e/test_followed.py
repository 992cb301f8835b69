"""Alarms, the dashboard, the canary, and one request followed, on the local AWS (docs/metrics.md)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, REGION, ROOT_KEY, body_json, wait_for
from local.stack import ROOT
from tests.e2e.test_metrics import Measured

TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")


class Watched(Measured):
    """A bridge with all of it on, whose alarms somebody listens to, and whose canary goes when a test lets it."""

    def _deploy(self) -> None:
        self.parameters["AlarmTopicArn"] = self.sns.create_topic(Name="on-call")["TopicArn"]
        super()._deploy()
        self.client("events").disable_rule(Name=self.resource("CanarySchedule"))

    def logged(self, function: str, inference_id: str) -> dict[str, Any]:
        """The line about what became of an inference."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [line for line in self.log(function) if line.get("inference.id") == inference_id]
            return bool(found)

        wait_for(is_there, PATIENCE_SECONDS, f"a line about {inference_id}")
        return found[0]


@pytest.fixture(scope="module")
def stack() -> Iterator[Watched]:
    parameters = {"HttpAuth": "NONE", "Tracing": "true", "WatchUnanswered": "true", "CanaryMinutes": "5"}
    with Watched({"summarizer": "echo"}, parameters=parameters, name="watched") as stack:
        yield stack


def test_the_alarms_are_on_what_the_stack_has(stack: Watched) -> None:
    alarms = stack.client("cloudwatch").describe_alarms()["MetricAlarms"]
    names = {alarm["AlarmDescription"].rpartition("#")[2] for alarm in alarms}
    assert {"requestdeadletterqueuenotempty", "submiterrors", "slowresults", "successtopicfailures"} < names
    values = {dimension["Value"] for alarm in alarms for dimension in alarm["Dimensions"]}
    queues = {stack.resource(name).rsplit("/", 1)[1] for name in ("RequestQueue", "RequestDeadLetterQueue")}
    topic = stack.resource("SuccessTopic").rsplit(":", 1)[1]
    assert {"summarizer", topic, stack.resource("SubmitFunction"), stack.resource("CollectFunction"), *queues} < values
    assert {action for alarm in alarms for action in alarm["AlarmActions"]} == {stack.parameters["AlarmTopicArn"]}


def test_the_dashboard_shows_what_the_stack_has(stack: Watched) -> None:
    found = stack.client("cloudwatch").get_dashboard(DashboardName=f"{stack.name}-us-east-1")["DashboardBody"]
    body = json.loads(found)
    assert len(body["widgets"]) == 6
    assert "${" not in found
    for name in ("RequestQueue", "ResultsQueue", "NotificationDeadLetterQueue"):
        assert f'"{stack.resource(name).rsplit("/", 1)[1]}"' in found


def test_a_request_keeps_its_trace_from_submit_to_its_result(stack: Watched) -> None:
    by_queue, answer = stack.send("x"), stack.http("POST", "/invocations", b"x")
    by_http = json.loads(answer.body)["InferenceId"]
    traces = set()
    for inference_id in (by_queue, by_http):
        result = body_json(stack.wait_for_result(inference_id))
        assert "customAttributes" not in result["requestParameters"]
        trace_id = stack.logged("submit", inference_id)["xray.trace_id"]
        assert TRACE_ID.fullmatch(trace_id)
        assert stack.logged("collect", inference_id)["xray.trace_id"] == trace_id
        traces.add(trace_id)
    assert len(traces) == 2


def stable(line: dict[str, Any]) -> dict[str, Any]:
    """What two runs agree on: which fields there are, and the values that are no ids, times or sizes."""
    varying = ("timestamp", "_ms", "_id", ".id", ".ids", ".location", "Latency", "RequestToResult", "result.bytes")
    kept = {key: "…" if key.endswith(varying) else value for key, value in line.items() if key != "ColdStart"}
    if "_aws" in line:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        described = [metric for metric in directive["Metrics"] if metric["Name"] != "ColdStart"]
        kept["_aws"] = {**directive, "Metrics": described}
    return kept


def test_the_page_follows_a_request_by_its_inference_id_as_it_shows(stack: Watched) -> None:
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    ((commands, shown),) = re.findall(r"^```sh\n(.*?)^```\n.*?^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    inference_id = stack.send("hello")
    stack.wait_for_result(inference_id)
    for function in ("submit", "collect"):
        stack.measured(function, inference_id)
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": stack.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "STACK": stack.name,
        "ID": inference_id,
    }
    ran = subprocess.run(["bash", "-euc", commands], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    printed, documented = ([json.loads(line) for line in text.splitlines()] for text in (ran.stdout, shown))
    for line in printed:
        assert line.get("inference.id") == inference_id or line["inference.ids"] == [inference_id]
    assert [stable(line) for line in printed] == [stable(line) for line in documented]


def test_the_canary_is_answered_and_counted_and_no_consumer_gets_it(stack: Watched) -> None:
    events = stack.client("events")
    (rule,) = [rule["Name"] for rule in events.list_rules()["Rules"] if "Canary" in rule["Name"]]
    (target,) = events.list_targets_by_rule(Rule=rule)["Targets"]
    # As the schedule does, without its five minutes.
    stack.client("lambda").invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=target["Input"].encode())
    assert stack.measured("collect", "canary")["Completed"] == 1
    stack.wait_for_result(stack.send("behind it"))
    assert "canary" not in stack.results
