"""Results to queues of the senders' own, by the deployed template: docs/pipelines.md, "The return address"."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, REGION, body_json, message_attribute, wait_for
from local.stack import ROOT, LocalStack
from tests.e2e.test_requests import attribute

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
ALLOWED = "ValidationError: ReplyTo must be `team-a`, `team-b.fifo` or `none`"


def arn(queue: str) -> str:
    return f"arn:aws:sqs:{REGION}:000000000000:{queue}"


class WithReplyQueues(LocalStack):
    """A stack with two reply queues, and a third one that it is not told of."""

    def _deploy(self) -> None:
        queues = {}
        for name in ("team-a", "team-b.fifo", "private"):
            attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
            queues[name] = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        super()._deploy()
        self.outputs |= queues

    def replies(self, queue: str, count: int) -> list[dict[str, Any]]:
        """What a queue gets: `count` messages."""
        messages = self.receive_all(queue, count)
        assert len(messages) == count, messages
        return messages

    def said_by_collect(self, words: str) -> bool:
        """Whether the function's log has these words."""
        events = self.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{self.name}-collect")["events"]
        return any(words in event["message"] for event in events)

    def assert_nothing_else(self, *queues: str) -> None:
        """No message is in these queues when an ordinary result has come by the same way behind theirs."""
        self.wait_for_result(self.send("last"))
        for queue in queues:
            assert self.receive(queue, wait_seconds=0) == [], queue


@pytest.fixture(scope="module", params=["DIRECT", "QUEUE"])
def stack(request: pytest.FixtureRequest) -> Iterator[WithReplyQueues]:
    parameters = {
        "ReplyToArns": f"{arn('team-a')},{arn('team-b.fifo')}",
        "NotificationDelivery": request.param,
        "HttpAuth": "NONE",
    }
    endpoints = {"echo": "echo", "failing": "fail"}
    with WithReplyQueues(endpoints, parameters=parameters, name="replies") as stack:
        yield stack


def test_a_result_goes_to_the_queue_that_its_request_names_and_nowhere_else(stack: WithReplyQueues) -> None:
    to_a = stack.send('{"for": "a"}', ReplyTo="team-a", CustomAttributes="accept_eula=true")
    stack.send('{"for": "b"}', ReplyTo="team-b.fifo", InferenceId="order 4711")
    (reply,) = stack.replies("team-a", 1)
    assert attribute(reply, "InferenceId") == to_a
    assert body_json(reply)["responseBody"]["content"] == '{"for": "a"}'
    assert body_json(reply)["requestParameters"]["customAttributes"] == "accept_eula=true"
    (reply,) = stack.replies("team-b.fifo", 1)
    assert attribute(reply, "InferenceId") == "order 4711"
    assert body_json(reply)["responseBody"]["content"] == '{"for": "b"}'
    assert "customAttributes" not in body_json(reply)["requestParameters"]
    # A hash: an inference id with a space is no group.
    assert len(reply["Attributes"]["MessageGroupId"]) == 64
    stack.assert_nothing_else("team-a", "team-b.fifo", "private")
    assert not {to_a, "order 4711"} & stack.results.keys()


def test_a_failure_goes_the_same_way(stack: WithReplyQueues) -> None:
    stack.send("{}", EndpointName="failing", ReplyTo="team-a")
    (failed,) = stack.replies("team-a", 1)
    assert body_json(failed)["invocationStatus"] == "Failed"


def test_a_request_that_wants_no_result_gets_none_and_its_output_can_be_fetched(stack: WithReplyQueues) -> None:
    headers = {"X-Bridge-Reply-To": "none", "X-Amzn-SageMaker-Inference-Id": "polled", "Prefer": "wait=20"}
    answer = stack.http("POST", "/invocations", b"polled", sign=False, headers=headers)
    assert (answer.status, answer.body) == (200, b"polled")
    wait_for(lambda: stack.said_by_collect("ReplyTo none"), PATIENCE_SECONDS, "the notification")
    stack.assert_nothing_else("team-a", "team-b.fifo", "private")
    assert "polled" not in stack.results


def test_by_http_a_header_names_the_queue(stack: WithReplyQueues) -> None:
    answer = stack.http("POST", "/invocations", b"by http", sign=False, headers={"X-Bridge-Reply-To": "team-a"})
    assert answer.status == 202, answer.body
    (reply,) = stack.replies("team-a", 1)
    assert body_json(reply)["responseBody"]["content"] == "by http"


def test_by_http_an_unknown_route_is_a_400_that_names_what_is_allowed(stack: WithReplyQueues) -> None:
    answer = stack.http("POST", "/invocations", b"{}", sign=False, headers={"X-Bridge-Reply-To": "private"})
    assert answer.status == 400
    assert f"ValidationError: {json.loads(answer.body)['Message']}" == ALLOWED


@pytest.mark.parametrize("name", ["private", arn("private"), "TEAM-A"])
def test_an_unknown_route_is_rejected_and_told_to_the_results_queue(stack: WithReplyQueues, name: str) -> None:
    rejected = stack.wait_for_result(stack.send("{}", ReplyTo=name))
    assert body_json(rejected)["failureReason"] == ALLOWED
    (letter,) = stack.receive_all("RequestDeadLetterQueueUrl", 1)
    assert (attribute(letter, "ReplyTo"), attribute(letter, "FailureReason")) == (name, ALLOWED)


def test_what_is_rejected_for_another_reason_is_told_by_the_return_address(stack: WithReplyQueues) -> None:
    sent = stack.send("%", ContentEncoding="base64", ReplyTo="team-a")
    (rejected,) = stack.replies("team-a", 1)
    assert (attribute(rejected, "InferenceId"), attribute(rejected, "InvocationStatus")) == (sent, "Rejected")
    assert len(stack.receive_all("RequestDeadLetterQueueUrl", 1)) == 1
    stack.assert_nothing_else("team-a")
    assert sent not in stack.results


@pytest.mark.parametrize("reply_to", [None, "team-a"])
def test_the_group_of_a_fair_queue_comes_back_with_the_result(stack: WithReplyQueues, reply_to: str | None) -> None:
    sent = stack.sqs.send_message(
        QueueUrl=stack.outputs["RequestQueueUrl"],
        MessageBody="{}",
        MessageGroupId="tenant-1",
        MessageAttributes={"ReplyTo": message_attribute(reply_to)} if reply_to else {},
    )
    result = stack.replies(reply_to, 1)[0] if reply_to else stack.wait_for_result(sent["MessageId"])
    assert result["Attributes"]["MessageGroupId"] == "tenant-1"
    assert "customAttributes" not in body_json(result)["requestParameters"]


def test_a_trace_travels_with_the_request(stack: WithReplyQueues) -> None:
    # The local SQS drops it from a batch, as which results are sent: that collect sends it, a test in Rust shows.
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    spy = stack.sqs.create_queue(QueueName="spy", Attributes={"Policy": policy})["QueueUrl"]
    subscription = stack.sns.subscribe(
        TopicArn=stack.outputs["SuccessTopicArn"],
        Protocol="sqs",
        Endpoint=arn("spy"),
        Attributes={"RawMessageDelivery": "true"},
        ReturnSubscriptionArn=True,
    )
    stack.sqs.send_message(
        QueueUrl=stack.outputs["RequestQueueUrl"],
        MessageBody="{}",
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE}},
    )
    stack.outputs["spy"] = spy
    (seen,) = stack.replies("spy", 1)
    stack.sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    pair = body_json(seen)["requestParameters"]["customAttributes"]
    assert re.fullmatch(rf"bridge=trace:{re.escape(TRACE.replace(';', '%3B'))};sent:\d{{13}}", pair), pair


def test_a_forged_notification_reaches_no_other_queue_by_its_return_address(stack: WithReplyQueues) -> None:
    sample = json.loads((ROOT / "events/notifications/failed-bare.json").read_text(encoding="utf-8"))
    for number, pair in enumerate(("to:private", f"to:{arn('private')}", "to:%2E%2E/private")):
        parameters = {"endpointName": "echo", "customAttributes": f"bridge={pair}"}
        forged = {**sample, "inferenceId": f"forged-{number}", "requestParameters": parameters}
        stack.sns.publish(TopicArn=stack.outputs["SuccessTopicArn"], Message=json.dumps(forged))
        assert body_json(stack.wait_for_result(f"forged-{number}"))["invocationStatus"] == "Failed"
    stack.assert_nothing_else("team-a", "team-b.fifo", "private")
