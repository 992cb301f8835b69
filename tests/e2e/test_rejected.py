"""A rejection is final. The template's own visibility timeouts are in force: no test lives to see a second receipt."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.bridge import body_json, wait_for
from local.stack import LocalStack
from tests.e2e.test_fifo import feed_submit, send, take_all

# Seconds on any machine, and less than the 180 s after which a message that came back would be received again.
TIMEOUT_SECONDS = 90


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack({"echo": "echo"}, visibility_timeout_seconds=None, name="rejected") as stack:
        yield stack


def test_a_rejected_message_is_a_dead_letter_with_every_attribute_and_its_reason_after_one_receipt(
    stack: LocalStack,
) -> None:
    attributes = {
        "ContentEncoding": {"DataType": "String", "StringValue": "gzip"},
        "Text": {"DataType": "String.label", "StringValue": "käse\t\N{SNOWMAN}"},
        "Number": {"DataType": "Number", "StringValue": "0.10"},
        "Integer": {"DataType": "Number.int", "StringValue": "7"},
        "Bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
        "Picture": {"DataType": "Binary.png", "BinaryValue": b"\x89PNG\r\n\x1a\n"},
    }
    sent = stack.sqs.send_message(
        QueueUrl=stack.outputs["RequestQueueUrl"], MessageBody="line\r\nline \N{SNOWMAN}", MessageAttributes=attributes
    )
    good = stack.send('{"good": 1}')
    assert body_json(stack.wait_for_result(good))["invocationStatus"] == "Completed"
    (letter,) = stack.receive_all("RequestDeadLetterQueueUrl", 1, TIMEOUT_SECONDS)
    result = body_json(stack.wait_for_result(sent["MessageId"], TIMEOUT_SECONDS))
    assert (result["invocationStatus"], letter["Body"]) == ("Rejected", "line\r\nline \N{SNOWMAN}")
    reason = letter["MessageAttributes"].pop("FailureReason")
    assert reason["StringValue"] == result["failureReason"]
    assert result["failureReason"] == "ValidationError: ContentEncoding must be `base64` or absent"
    assert letter["MessageAttributes"] == attributes
    assert letter["Attributes"]["ApproximateReceiveCount"] == "1"
    assert_acknowledged(stack, stack.outputs["RequestQueueUrl"])


def assert_acknowledged(stack: LocalStack, url: str) -> None:
    """Nothing of the queue is left, be it hidden by a visibility timeout or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def is_empty() -> bool:
        counts = stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return set(counts.values()) == {"0"}

    wait_for(is_empty, TIMEOUT_SECONDS, f"an empty {url}")


def test_the_log_says_where_a_rejected_message_lies(stack: LocalStack) -> None:
    message_id = stack.send("%", ContentEncoding="base64")
    (letter,) = stack.receive_all("RequestDeadLetterQueueUrl", 1, TIMEOUT_SECONDS)

    def lines() -> list[str]:
        events = stack.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{stack.name}-submit")["events"]
        lies = '"message rejected: it is in the dead-letter queue"'
        return [event["message"] for event in events if lies in event["message"] and message_id in event["message"]]

    wait_for(lines, TIMEOUT_SECONDS, "the line of the rejection")
    (line,) = map(json.loads, lines())
    told = {
        "sqs.message_id": message_id,
        "dead_letter.message_id": letter["MessageId"],
        "error.type": "ValidationError",
    }
    assert {name: line.get(name) for name in told} == told


def test_the_fifo_neighbours_of_a_rejected_message_are_served(stack: LocalStack) -> None:
    url = feed_submit(stack, visibility_timeout_seconds=180)
    bad = {"ContentEncoding": "base64"}
    for group, body, more in [("g", "1", {}), ("g", "2", bad), ("g", "3", {}), ("h", "4", {})]:
        send(stack, url, group, body, **more)
    for body, status in [("1", "Completed"), ("2", "Rejected"), ("3", "Completed"), ("4", "Completed")]:
        result = body_json(stack.wait_for_result(f"fifo-{body}", TIMEOUT_SECONDS))
        assert result["invocationStatus"] == status
    # The template's dead-letter queue is a standard one, where a group makes for fairness.
    (letter,) = take_all(stack, stack.outputs["RequestDeadLetterQueueUrl"], 1)
    assert (letter["Body"], letter["Attributes"]["MessageGroupId"]) == ("2", "g")
    assert_acknowledged(stack, url)
