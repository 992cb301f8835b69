"""A rejection is final. Visibility timeouts are as long as a test may take: none lives to see a second receipt."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.bridge import PATIENCE_SECONDS, body_json, wait_for
from local.stack import LocalStack
from tests.e2e.test_fifo import feed_submit, send, take_all

# Longer than all that a test waits for, one after the other: a message that came back would not be received again.
VISIBILITY_TIMEOUT_SECONDS = 12 * PATIENCE_SECONDS


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack({"echo": "echo"}, visibility_timeout_seconds=VISIBILITY_TIMEOUT_SECONDS, name="rejected") as stack:
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
    (letter,) = stack.receive_all("RequestDeadLetterQueueUrl", 1)
    result = body_json(stack.wait_for_result(sent["MessageId"]))
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

    wait_for(is_empty, PATIENCE_SECONDS, f"an empty {url}")


def test_the_log_says_where_a_rejected_message_lies(stack: LocalStack) -> None:
    message_id = stack.send("%", ContentEncoding="base64")
    (letter,) = stack.receive_all("RequestDeadLetterQueueUrl", 1)

    def lines() -> list[str]:
        events = stack.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{stack.name}-submit")["events"]
        lies = '"message rejected: it is in the dead-letter queue"'
        return [event["message"] for event in events if lies in event["message"] and message_id in event["message"]]

    wait_for(lines, PATIENCE_SECONDS, "the line of the rejection")
    (line,) = map(json.loads, lines())
    told = {
        "sqs.message_id": message_id,
        "dead_letter.message_id": letter["MessageId"],
        "error.type": "ValidationError",
    }
    assert {name: line.get(name) for name in told} == told


def test_the_fifo_neighbours_of_a_rejected_message_are_served(stack: LocalStack) -> None:
    url = feed_submit(stack, VISIBILITY_TIMEOUT_SECONDS)
    bad = {"ContentEncoding": "base64"}
    for group, body, more in [("g", "1", {}), ("g", "2", bad), ("g", "3", {}), ("h", "4", {})]:
        send(stack, url, group, body, **more)
    for body, status in [("1", "Completed"), ("2", "Rejected"), ("3", "Completed"), ("4", "Completed")]:
        result = body_json(stack.wait_for_result(f"fifo-{body}"))
        assert result["invocationStatus"] == status
    # The template's dead-letter queue is a standard one, where a group makes for fairness.
    (letter,) = take_all(stack, stack.outputs["RequestDeadLetterQueueUrl"], 1)
    assert (letter["Body"], letter["Attributes"]["MessageGroupId"]) == ("2", "g")
    assert_acknowledged(stack, url)
