"""The proxy: what it decides, what it answers, what it writes down."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from chaos.evidence import INVOKE, PUBLISH, SEND, subjects
from chaos.faults import FAULTS, REFUSALS, check_plan, lot
from chaos.ledger import Call, read_calls
from chaos.requests import sendings
from chaos.stack import exchange
from local.bridge import PATIENCE_SECONDS, aws_client
from local.processes import Process, ReservedPort

NOTIFICATION = {"inferenceId": "i", "responseParameters": {"outputLocation": "s3://b/o"}}


def test_the_same_seed_gives_the_same_faults_and_requests() -> None:
    rates = {"throttled": 0.2, "dropped-after": 0.1}
    lots = [[lot(seed, "s3", number, rates) for number in range(1000)] for seed in (1, 1, 2)]
    assert lots[0] == lots[1] != lots[2]
    assert 150 < lots[0].count("throttled") < 250
    assert 60 < lots[0].count("dropped-after") < 140
    made = [[(s.record, s.body, s.attributes) for s in sendings(seed, 50)] for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize("plan", [{"s4": {}}, {"s3": {"slow": 0.1}}, {"s3": {"throttled": 2}}])
def test_a_plan_that_is_none_is_refused(plan: dict) -> None:
    with pytest.raises(ValueError, match=r"none of|no rate"):
        check_plan({"services": plan})
    with pytest.raises(ValueError, match="more than 1"):
        check_plan({"services": {"s3": dict.fromkeys(FAULTS, 0.5)}})


def test_it_is_seen_whose_request_a_call_is_about() -> None:
    entry = {"Id": "0", "MessageBody": json.dumps(NOTIFICATION)}
    for service, headers, body, expected in (
        ("sagemaker", {"x-amzn-sagemaker-inference-id": "i"}, b"x", (INVOKE, [("i", None)])),
        ("sns", {}, urlencode({"Message": json.dumps(NOTIFICATION)}).encode(), (PUBLISH, [("i", "s3://b/o")])),
        ("sqs", {}, json.dumps({"Entries": [entry, entry]}).encode(), (SEND, [("i", "s3://b/o")] * 2)),
        ("sqs", {}, b"{", ("sqs POST", [])),
        ("s3", {}, b"", ("s3 POST", [])),
    ):
        assert subjects(service, "POST", headers, body) == expected


class Aws(BaseHTTPRequestHandler):
    """Answers everything with 200 and counts it."""

    protocol_version = "HTTP/1.1"
    calls = 0

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        type(self).calls += 1
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("x-host", self.headers["host"])
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_PUT(self) -> None:
        self.do_POST()


@contextmanager
def proxied(service: str, directory: Path) -> Iterator[tuple[str, str, Path]]:
    """The proxy before an AWS: its address, that of its control, its log."""
    aws = ThreadingHTTPServer(("127.0.0.1", 0), Aws)
    threading.Thread(target=aws.serve_forever, args=(0.01,), daemon=True).start()
    control, port = ReservedPort(), ReservedPort()
    calls, log = directory / "calls.jsonl", directory / "log"
    ways = f"{service}={port.release()}=127.0.0.1:{aws.server_address[1]}"
    command = [sys.executable, "-m", "chaos.proxy", "--control", str(control.release()), "--log", str(calls), ways]
    proxy = Process("proxy", command, {"PYTHONPATH": str(Path.cwd())}, log)
    try:
        proxy.wait_until(lambda: b"listening" in log.read_bytes(), PATIENCE_SECONDS)
        yield f"127.0.0.1:{port.number}", f"http://127.0.0.1:{control.number}", calls
    finally:
        proxy.stop()
        aws.shutdown()
        aws.server_close()


def post(address: str) -> tuple[int, str | None]:
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)
    try:
        connection.request("POST", "/", b"body", {"Host": "aws.example", "amz-sdk-invocation-id": "c"})
        answer = connection.getresponse()
        return answer.status, answer.headers["x-host"]
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return 0, None
    finally:
        connection.close()


def test_a_call_meets_its_fault_and_is_written_down(tmp_path: Path) -> None:
    with proxied("sagemaker", tmp_path) as (address, control, log):
        assert post(address) == (200, "aws.example")
        seen = Aws.calls
        for fault, status, passes in (("dropped-before", 0, 0), ("dropped-after", 0, 1), ("throttled", 400, 0)):
            exchange(control, {"services": {"sagemaker": {fault: 1}}})
            assert post(address)[0] == status
            assert Aws.calls - seen == passes
            seen = Aws.calls
        assert exchange(control, None)["injected"] == {
            "sagemaker dropped-before": 1,
            "sagemaker dropped-after": 1,
            "sagemaker throttled": 1,
        }
    calls: list[Call] = read_calls(log)
    assert [(call.fault, call.forwarded, call.status) for call in calls] == [
        (None, True, 200),
        ("dropped-before", False, None),
        ("dropped-after", True, 200),
        ("throttled", False, 400),
    ]
    assert {call.sdkCall for call in calls} == {"c"}


CALLS = {
    "s3": lambda s3: s3.put_object(Bucket="b", Key="k", Body=b"x"),
    "sqs": lambda sqs: sqs.send_message_batch(QueueUrl="http://x/0/q", Entries=[{"Id": "0", "MessageBody": "{}"}]),
    "sns": lambda sns: sns.publish(TopicArn="arn:aws:sns:us-east-1:0:t", Message="{}"),
    "topics": lambda sns: sns.publish(TopicArn="arn:aws:sns:us-east-1:0:t", Message="{}"),
    "events": lambda events: events.put_events(Entries=[{"Source": "s", "DetailType": "t", "Detail": "{}"}]),
    "states": lambda states: states.send_task_success(taskToken="t", output="{}"),
    "lambda": lambda functions: functions.send_durable_execution_callback_success(CallbackId="AAAA", Result=b"{}"),
    "sagemaker": lambda runtime: runtime.invoke_endpoint_async(EndpointName="e", InputLocation="s3://b/k"),
}


@pytest.mark.parametrize("service", CALLS)
def test_an_sdk_understands_each_refusal(service: str, tmp_path: Path) -> None:
    with proxied(service, tmp_path) as (address, control, _log):
        config = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
        names = {"sagemaker": "sagemaker-runtime", "topics": "sns", "states": "stepfunctions"}
        name = names.get(service, service)
        aws = aws_client(name, f"http://{address}", config=config)
        codes = []
        for fault in REFUSALS:
            exchange(control, {"services": {service: {fault: 1}}})
            with pytest.raises(ClientError) as refused:
                CALLS[service](aws)
            codes.append(refused.value.response["Error"]["Code"])
        assert codes[0].startswith("ExpiredToken")
        assert codes[1].startswith(("Throttling", "SlowDown", "TooManyRequests"))
        assert codes[2] in ("ServiceUnavailable", "InternalError", "InternalException", "ServiceException")


def test_a_refused_head_has_no_body(tmp_path: Path) -> None:
    with proxied("s3", tmp_path) as (address, control, _log):
        exchange(control, {"services": {"s3": {"throttled": 1}}})
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(b"HEAD /b/k HTTP/1.1\r\nhost: aws.example\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"content-length: " in head
    assert body == b""
