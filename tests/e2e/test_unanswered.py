"""`WatchUnanswered` on the local AWS: notifications are lost, endpoints deleted, every request answered."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, REGION, aws_client, body_json, wait_for
from local.stack import ROOT, LocalStack

EVENT = (ROOT / "events/collect/scheduled-event.json").read_bytes()
PAST = "20200101T0000Z"
CHECKSUM_BYTES = 6


class Watching(LocalStack):
    """A stack that watches, with a reply queue. Its sweeps are those that a test makes."""

    def _deploy(self) -> None:
        self.outputs["team-a"] = url = self.sqs.create_queue(QueueName="team-a")["QueueUrl"]
        super()._deploy()
        self.outputs["team-a"] = url
        self.client("events").disable_rule(Name=self.resource("SweepSchedule"))

    def remembered(self) -> dict[str, str]:
        """The inference ids of the requests that are remembered, by their keys."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="pending/2").get("Contents", [])
        found = {}
        for key in (item["Key"] for item in listed):
            # What is answered between the two calls is forgotten.
            with suppress(self.s3.exceptions.NoSuchKey):
                found[key] = json.load(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"])["inferenceId"]
        return found

    def is_remembered(self, endpoint: str) -> bool:
        """Whether an endpoint has accepted requests, and all of them are remembered."""
        accepted = {one["inferenceId"] for one in self.invocations(endpoint)}
        return bool(accepted) and accepted <= set(self.remembered().values())

    def make_overdue(self) -> None:
        """Hours pass for all that is remembered."""
        for key in self.remembered():
            name = f"pending/{PAST}{key.removeprefix('pending/')[len(PAST) :]}"
            with suppress(self.s3.exceptions.NoSuchKey):
                self.s3.copy_object(Bucket=self.bucket, Key=name, CopySource={"Bucket": self.bucket, "Key": key})
                self.s3.delete_object(Bucket=self.bucket, Key=key)

    def sweep(self) -> None:
        """What the schedule does every five minutes."""
        function = self.resource("CollectFunction")
        answer = self.client("lambda").invoke(FunctionName=function, Payload=EVENT)
        assert "FunctionError" not in answer, answer["Payload"].read()


def has_ended(stack: LocalStack, endpoint: str, inference_id: str) -> bool:
    return any(one["status"] in ("Completed", "Failed") for one in stack.invocations(endpoint, inference_id))


@pytest.fixture(scope="module")
def stack() -> Iterator[Watching]:
    parameters = {
        "WatchUnanswered": "true",
        "ReplyToArns": f"arn:aws:sqs:{REGION}:000000000000:team-a",
        "HttpAuth": "NONE",
    }
    lost = ("--fault", "lost:lost-notification=1", "--fault", "lost-failing:lost-notification=1")
    models = {"echo": "echo", "lost": "echo", "lost-failing": "fail", "doomed": "sleep:3600"}
    with Watching(models, parameters=parameters, emulator_arguments=lost, name="watching") as stack:
        yield stack


def test_what_is_answered_is_forgotten(stack: Watching) -> None:
    sent = [stack.send("small"), stack.send("x" * 130_000)]
    for inference_id in sent:
        stack.wait_for_result(inference_id)
    wait_for(lambda: not set(sent) & set(stack.remembered().values()), PATIENCE_SECONDS, "the records' end")
    result = body_json(stack.results[sent[0]][0])
    assert "customAttributes" not in result["requestParameters"]


def test_lost_notifications_are_made_up_for_by_the_return_address(stack: Watching) -> None:
    done = stack.send("hello", EndpointName="lost", CustomAttributes="accept_eula=true")
    replied = stack.send("hello a", EndpointName="lost", ReplyTo="team-a")
    failed = stack.send("hello", EndpointName="lost-failing")
    for endpoint, inference_id in (("lost", done), ("lost", replied), ("lost-failing", failed)):
        wait_for(lambda at=endpoint, one=inference_id: has_ended(stack, at, one), PATIENCE_SECONDS, inference_id)
    # A model may be done before `submit` has written down that it was asked.
    sent = {done, replied, failed}
    wait_for(lambda: sent <= set(stack.remembered().values()), PATIENCE_SECONDS, "three accepted requests")
    stack.sweep()
    assert sent <= set(stack.remembered().values()), "nothing is overdue yet"
    stack.make_overdue()
    stack.sweep()
    result = body_json(stack.wait_for_result(done))
    assert (result["invocationStatus"], result["eventName"]) == ("Completed", "InferenceRecovered")
    assert result["responseBody"] == {"content": "hello", "encoding": "UTF8"}
    assert result["requestParameters"]["customAttributes"] == "accept_eula=true"
    result = body_json(stack.wait_for_result(failed))
    assert (result["invocationStatus"], result["eventName"]) == ("Failed", "InferenceRecovered")
    assert result["responseBody"]["content"]
    (reply,) = stack.receive_all("team-a", 1)
    assert body_json(reply)["responseBody"]["content"] == "hello a"
    assert not sent & set(stack.remembered().values())


def overdue_path(path: str) -> str:
    """The token of an invocation as it would be if its answer were overdue."""
    head, _, token = path.rpartition("/")
    data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[CHECKSUM_BYTES:]
    fields: list[Any] = json.loads(data)
    fields[4] = PAST + fields[4][len(PAST) :]
    data = json.dumps(fields).encode()
    token = base64.urlsafe_b64encode(hashlib.sha256(data).digest()[:CHECKSUM_BYTES] + data).decode().rstrip("=")
    return f"{head}/{token}"


def test_requests_in_the_queue_of_a_deleted_endpoint_are_unanswered(stack: Watching) -> None:
    accepted = stack.http("POST", "/endpoints/doomed/async-invocations", b"{}", sign=False)
    assert accepted.status == 202
    by_http = json.loads(accepted.body)["InferenceId"]
    sent = {by_http} | {stack.send(f"{n}", EndpointName="doomed") for n in range(3)}
    wait_for(lambda: sent <= set(stack.remembered().values()), PATIENCE_SECONDS, "four accepted requests")
    path = "/invocations/" + accepted.headers["location"].rpartition("/")[2]
    assert stack.http("GET", path, sign=False).status == 202
    aws_client("sagemaker", stack.emulator_url).delete_endpoint(EndpointName="doomed")

    stack.make_overdue()
    assert stack.http("GET", overdue_path(path), sign=False).status == 202, "nobody has looked yet"
    stack.sweep()
    for inference_id in sent:
        result = body_json(stack.wait_for_result(inference_id))
        assert (result["invocationStatus"], result["eventName"]) == ("Unanswered", "InferenceUnanswered")
        assert "there is no object at s3://" in result["failureReason"]
    assert not sent & set(stack.remembered().values())
    answer = stack.http("GET", overdue_path(path), sign=False)
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (424, "Unanswered")
    assert "there is no object at" in json.loads(answer.body)["Message"]


def test_the_log_says_what_a_sweep_found(stack: Watching) -> None:
    stack.sweep()
    group = f"/aws/lambda/{stack.name}-collect"
    events = stack.client("logs").filter_log_events(logGroupName=group)["events"]
    lines = [event["message"] for event in events if "sweep for unanswered requests done" in event["message"]]
    counted = [json.loads(line)["fields"] if "fields" in json.loads(line) else json.loads(line) for line in lines]
    assert sum(line["overdue.unanswered"] for line in counted) >= 4
    assert sum(line["overdue.unreadable"] for line in counted) == 0
