"""Runs a bridge for two minutes and writes down what CloudWatch would have of it.

    python -m local.dashboard.record .local/dashboard.json

The run has what a dashboard is looked at for: load that rises, an endpoint that throttles for a while, a consumer that
stands still, requests that are rejected and inferences that fail. Everything runs: the functions, the queues, the
emulator with a model. The bridge's metrics are the functions' own lines; what AWS would measure by itself (queues,
functions, logs) is sampled or counted here.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.bridge import REGION
from local.signals import run_to_its_end
from local.stack import LocalStack

ENDPOINT = "summarizer"
SECONDS = 120
# CloudWatch's points are a minute apart; here two minutes are all.
PERIOD_SECONDS = 5
# Several, because one that sends by HTTP waits for its answer.
SENDERS = 4
# Parts of the run in which something is wrong.
THROTTLED = (45, 65)
CONSUMER_STANDS_STILL = (70, 95)
FAILING, REJECTED, LARGE, BY_HTTP = 0.04, 0.02, 0.1, 0.2

REPORT = re.compile(r"REPORT RequestId: .*\bDuration: ([\d.]+) ms\tBilled")
Series = dict[tuple[str, ...], list[tuple[float, float]]]


class Model(BaseHTTPRequestHandler):
    """Takes a while, and fails now and then."""

    chance = random.Random(1)

    def do_GET(self) -> None:
        """`/ping`: in service."""
        self._answer(200, b"")

    def do_POST(self) -> None:
        """One inference."""
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.chance.uniform(0.1, 0.8))
        if self.chance.random() < FAILING:
            self._answer(500, b"out of memory")
        else:
            self._answer(200, b'{"summary": "short"}')

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Says nothing."""


class Recorder:
    """Sends, receives and samples, each in a thread of its own, until the time is over."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.started = time.time()
        self.series: Series = defaultdict(list)
        self.queues = {
            name: stack.resource(name)
            for name in ("RequestQueue", "ResultsQueue", "RequestDeadLetterQueue", "NotificationDeadLetterQueue")
        }
        self.chance = random.Random(2)

    def run(self) -> None:
        """Returns when the time is over."""
        works = [*[self._send] * SENDERS, self._take, self._sample]
        threads = [threading.Thread(target=self._repeat, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        faults = f"{self.stack.emulator_url}/_emulator/faults/{ENDPOINT}"
        begin, end = THROTTLED
        self._sleep_until(begin)
        call("PUT", faults, {"throttling": 0.6})
        self._sleep_until(end)
        call("DELETE", faults)
        for thread in threads:
            thread.join()

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.time() - self.started

    def _sleep_until(self, second: float) -> None:
        time.sleep(max(0.0, second - self.elapsed))

    def _repeat(self, work: Callable[[], None]) -> None:
        while self.elapsed < SECONDS:
            work()

    def _count(self, namespace: str, metric: str, dimension: str, value: str, *, number: float = 1) -> None:
        self.series[namespace, metric, dimension, value].append((time.time(), number))

    def _count_messages(self, metric: str, queue: str, number: float) -> None:
        self._count("AWS/SQS", metric, "QueueName", self.queues[queue].rsplit("/", 1)[1], number=number)

    def _send(self) -> None:
        size = 200_000 if self.chance.random() < LARGE else self.chance.randrange(100, 4_000)
        if self.chance.random() < BY_HTTP:
            self.stack.http("POST", "/invocations", b"x" * size)
            self._count("AWS/ApiGateway", "Count", "ApiId", self.stack.outputs["ApiId"])
        else:
            self.stack.send("x" * size, **({"ContentEncoding": "gzip"} if self.chance.random() < REJECTED else {}))
            self._count_messages("NumberOfMessagesSent", "RequestQueue", 1)
        # From two requests a second to six.
        time.sleep(self.chance.expovariate((2 + 4 * self.elapsed / SECONDS) / SENDERS))

    def _take(self) -> None:
        begin, end = CONSUMER_STANDS_STILL
        if begin < self.elapsed < end:
            time.sleep(0.5)
            return
        if messages := self.stack.receive("ResultsQueueUrl"):
            self._count_messages("NumberOfMessagesDeleted", "ResultsQueue", len(messages))

    def _sample(self) -> None:
        for name, url in self.queues.items():
            attribute = "ApproximateNumberOfMessages"
            found = self.stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[attribute])["Attributes"]
            self._count_messages("ApproximateNumberOfMessagesVisible", name, int(found[attribute]))
        history = call("GET", f"{self.stack.emulator_url}/_emulator/endpoints/{ENDPOINT}/history")
        backlog = history["points"][-1]["backlog"] if history["points"] else 0
        self._count("AWS/SageMaker", "ApproximateBacklogSize", "EndpointName", ENDPOINT, number=backlog)
        time.sleep(1)

    # ---- afterwards ----

    def read_logs(self) -> None:
        """The bridge's metrics, where CloudWatch would find them, Lambda's by its own lines, and the size of all."""
        results = self.queues["ResultsQueue"].rsplit("/", 1)[1]
        for name in ("Submit", "Collect"):
            group, function = self.stack.resource(f"{name}LogGroup"), self.stack.resource(f"{name}Function")
            pages = self.stack.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
            for event in (event for page in pages for event in page["events"]):
                key = ("AWS/Logs", "IncomingBytes", "LogGroupName", group)
                then = event["timestamp"] / 1000
                self.series[key].append((then, len(event["message"].encode())))
                if report := REPORT.match(event["message"]):
                    self.series["AWS/Lambda", "Invocations", "FunctionName", function].append((then, 1))
                    self.series["AWS/Lambda", "Duration", "FunctionName", function].append((then, float(report[1])))
                for line in event["message"].splitlines():
                    if line.startswith('{"_aws"'):
                        self._read_metrics(json.loads(line))
                    elif '"message":"result sent"' in line:
                        self.series["AWS/SQS", "NumberOfMessagesSent", "QueueName", results].append((then, 1))

    def _read_metrics(self, line: dict[str, Any]) -> None:
        then = line["_aws"]["Timestamp"] / 1000
        for directive in line["_aws"]["CloudWatchMetrics"]:
            ((dimension,),) = directive["Dimensions"]
            for metric in directive["Metrics"]:
                values = line[metric["Name"]]
                points = [(then, value) for value in (values if isinstance(values, list) else [values])]
                self.series[directive["Namespace"], metric["Name"], dimension, line[dimension]] += points


def call(method: str, url: str, body: Any = None) -> Any:
    """The emulator's answer."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def record(path: Path) -> int:
    """Runs, and writes the dashboard's body and the series."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    model = f"http://127.0.0.1:{server.server_port}"
    with LocalStack({ENDPOINT: model}, parameters={"HttpAuth": "NONE"}, name="dashboard", report=print) as stack:
        name = f"{stack.name}-{REGION}"
        body = json.loads(stack.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
        print(f"sending requests for {SECONDS} s")
        recorder = Recorder(stack)
        recorder.run()
        recorder.read_logs()
    server.shutdown()
    recorded = {
        "body": body,
        "started": recorder.started,
        "seconds": SECONDS,
        "period": PERIOD_SECONDS,
        "series": [[*key, points] for key, points in sorted(recorder.series.items())],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(recorded), encoding="utf-8")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", type=Path)
    run_to_its_end(lambda: record(parser.parse_args().path))
