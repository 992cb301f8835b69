"""Dead letters of every kind, tried again on the local AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from doctor.faults import CannotLookError
from local.bridge import PATIENCE_SECONDS, body_json, message_attribute, wait_for
from local.stack import ROOT, LocalStack
from recovery import redrive
from recovery.queue import Queue

SECRET = "what the customer wrote"
OWN_REASON = {"DataType": "String.sagemaker-async-bridge", "StringValue": "ValidationError: of the bridge"}
REQUEST_DLQ, EVENT_DLQ, NOTIFICATION_DLQ = (
    "RequestDeadLetterQueue",
    "EventDeadLetterQueue",
    "NotificationDeadLetterQueue",
)


def put(stack: LocalStack, queue: str, body: str, **message: Any) -> str:
    """Puts a message into a queue of the stack; its id."""
    return stack.sqs.send_message(QueueUrl=stack.resource(queue), MessageBody=body, **message)["MessageId"]


def lying(stack: LocalStack, url: str) -> list[dict[str, Any]]:
    """What lies in a queue, taken out of it."""
    found: list[dict[str, Any]] = []
    while messages := stack.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    ).get("Messages", []):
        for message in messages:
            stack.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        found += messages
    return found


def in_queue(stack: LocalStack, name: str) -> list[dict[str, Any]]:
    return lying(stack, stack.resource(name))


def notification(stack: LocalStack, name: str) -> str:
    """A notification whose output is there."""
    stack.s3.put_object(Bucket=stack.bucket, Key=f"output/{name}.out", Body=name.encode())
    content = json.loads((ROOT / "events/notifications/completed.json").read_text(encoding="utf-8"))
    content["inferenceId"] = name
    content["requestParameters"]["endpointName"] = "summarizer"
    content["responseParameters"]["outputLocation"] = f"s3://{stack.bucket}/output/{name}.out"
    return json.dumps(content)


def record(event: dict[str, Any], error: str = "GetObject: AccessDenied") -> str:
    """What Lambda sends to a function's destination."""
    return json.dumps(
        {
            "version": "1.0",
            "requestContext": {"requestId": "r", "condition": "RetriesExhausted", "approximateInvokeCount": 3},
            "requestPayload": event,
            "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
            "responsePayload": {"errorType": "Fault", "errorMessage": error},
        }
    )


def queue(stack: LocalStack, name: str, **attributes: str) -> str:
    """URL of a queue of its own."""
    return stack.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


# ---- looking ----


def test_without_run_it_counts_by_reason_and_changes_nothing(stack: LocalStack, run: Any) -> None:
    for _ in range(12):
        put(stack, REQUEST_DLQ, SECRET, MessageAttributes={"FailureReason": OWN_REASON})
    put(stack, REQUEST_DLQ, SECRET)
    put(stack, NOTIFICATION_DLQ, record({"Records": [{"Sns": {"Message": SECRET}}]}))
    code, written = run(redrive.main, stack.name)
    assert code == 0
    rows = [line.split(maxsplit=2) for line in written.splitlines()]
    assert [REQUEST_DLQ, "12"] in [row[:2] for row in rows if row[-1].endswith("ValidationError: of the bridge")]
    assert [REQUEST_DLQ, "1"] in [row[:2] for row in rows if row[-1].endswith("no reason given")]
    assert "RetriesExhausted: Fault: GetObject: AccessDenied" in written
    assert "EventDeadLetterQueue: empty" in written
    assert written.splitlines()[-1].startswith("Nothing was sent.")
    assert SECRET not in written
    left = in_queue(stack, REQUEST_DLQ)
    assert len(left) == 13, "all of them visible at once"
    assert sum("FailureReason" in message.get("MessageAttributes", {}) for message in left) == 12
    assert len(in_queue(stack, NOTIFICATION_DLQ)) == 1
    stack.poll_results()
    assert stack.results == {}, stack.results


def test_a_limit_and_a_reason_choose_and_the_rest_stays(stack: LocalStack, run: Any) -> None:
    for number in range(5):
        why = {"DataType": "String", "StringValue": f"{'Throttling' if number < 4 else 'Access'}Exception: later"}
        attributes = {"FailureReason": why, "InferenceId": message_attribute(f"chosen-{number}")}
        put(stack, REQUEST_DLQ, SECRET, MessageAttributes=attributes)
    code, written = run(redrive.main, stack.name, "--run", "--reason", "throttling", "--limit", "3")
    assert (code, "RequestDeadLetterQueue: 3 handed over" in written) == (0, True)
    left = [message["MessageAttributes"]["InferenceId"]["StringValue"] for message in in_queue(stack, REQUEST_DLQ)]
    assert len(left) == 2
    assert "chosen-4" in left
    # None is left for the next test.
    for inference_id in {f"chosen-{number}" for number in range(5)} - set(left):
        stack.wait_for_result(inference_id)


# ---- requests ----


def test_a_request_is_sent_as_it_was_but_for_the_bridge_s_reason(stack: LocalStack, run: Any) -> None:
    source, target = queue(stack, "requests-dead"), queue(stack, "requests")
    binary = {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"}
    others = {f"Own{number}": {"DataType": "Number", "StringValue": str(number)} for number in range(8)}
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    sent = stack.sqs.send_message(
        QueueUrl=source,
        MessageBody=SECRET,
        MessageAttributes={**others, "Picture": binary, "FailureReason": OWN_REASON},
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": header}},
        MessageGroupId="tenant",
    )
    code, written = run(redrive.main, stack.name, "--from", source, "--to", target, "--run")
    assert (code, "requests-dead: 1 handed over" in written) == (0, True)
    (message,) = lying(stack, target)
    given = {
        name: {key: value[key] for key in ("DataType", "StringValue", "BinaryValue") if key in value}
        for name, value in message["MessageAttributes"].items()
    }
    # Nine are left of the ten, so there is room for the id by which its sender knows it.
    assert given == {**others, "Picture": binary, "InferenceId": message_attribute(sent["MessageId"])}
    assert (message["Body"], message["Attributes"]["MessageGroupId"]) == (SECRET, "tenant")
    assert message["Attributes"]["AWSTraceHeader"] == header
    assert lying(stack, source) == []


def test_ten_attributes_of_the_sender_s_and_a_reason_of_the_sender_s_stay(stack: LocalStack, run: Any) -> None:
    source, target = queue(stack, "full-dead"), queue(stack, "full")
    given = {f"Own{number}": message_attribute(number) for number in range(9)}
    given["FailureReason"] = message_attribute("the sender's own")
    stack.sqs.send_message(QueueUrl=source, MessageBody=SECRET, MessageAttributes=given)
    assert run(redrive.main, stack.name, "--from", source, "--to", target, "--run")[0] == 0
    (message,) = lying(stack, target)
    assert {name: value["StringValue"] for name, value in message["MessageAttributes"].items()} == {
        name: value["StringValue"] for name, value in given.items()
    }


def test_a_redriven_request_is_answered_under_the_id_that_its_sender_knows(stack: LocalStack, run: Any) -> None:
    known = put(stack, REQUEST_DLQ, "hello")
    assert run(redrive.main, stack.name, "--run")[0] == 0
    assert body_json(stack.wait_for_result(known))["responseBody"]["content"] == "hello"


def test_what_is_rejected_again_is_not_sent_for_ever(stack: LocalStack, run: Any) -> None:
    attributes = {"ContentEncoding": message_attribute("base64"), "InferenceId": message_attribute("bad")}
    for _ in range(12):
        put(stack, REQUEST_DLQ, "no base64!", MessageAttributes=attributes)
    code, written = run(redrive.main, stack.name, "--run", "--queue", REQUEST_DLQ)
    assert (code, "RequestDeadLetterQueue: 12 handed over" in written) == (0, True)
    back: list[dict[str, Any]] = []

    def all_back() -> bool:
        back.extend(in_queue(stack, REQUEST_DLQ))
        return len(back) == 12

    wait_for(all_back, PATIENCE_SECONDS, "12 dead letters")
    reasons = {message["MessageAttributes"]["FailureReason"]["StringValue"] for message in back}
    assert all(reason.startswith("ValidationError") for reason in reasons)


def test_in_a_fifo_queue_groups_keep_their_order_and_nothing_passes_one_that_stays(stack: LocalStack, run: Any) -> None:
    source = queue(stack, "ordered-dead.fifo", FifoQueue="true")
    target = queue(stack, "ordered.fifo", FifoQueue="true", MaximumMessageSize="1024")
    for number, (group, body) in enumerate(
        [("a", "a1"), ("b", "b1"), ("a", "x" * 2000), ("b", "b2"), ("a", "a3"), ("b", "b3")]
    ):
        stack.sqs.send_message(
            QueueUrl=source, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=f"same-{number}"
        )
    code, written = run(redrive.main, stack.name, "--from", source, "--to", target, "--run")
    assert code == 1
    assert "it stays behind an earlier one of its group" in written
    moved = lying(stack, target)
    assert [m["Body"] for m in moved if m["Attributes"]["MessageGroupId"] == "a"] == ["a1"]
    assert [m["Body"] for m in moved if m["Attributes"]["MessageGroupId"] == "b"] == ["b1", "b2", "b3"]
    assert not {m["Attributes"]["MessageDeduplicationId"] for m in moved} & {f"same-{n}" for n in range(6)}
    assert [message["Body"][:2] for message in lying(stack, source)] == ["xx", "a3"]


def test_when_the_run_ends_early_what_was_not_sent_is_visible_at_once(stack: LocalStack) -> None:
    for _ in range(3):
        put(stack, REQUEST_DLQ, SECRET)

    def ended_early() -> None:
        with Queue(redrive.Aws(), stack.resource(REQUEST_DLQ)) as taken:
            first, *_ = next(taken.batches())
            assert taken.hand_over(first, lambda _: None) is None
            raise CannotLookError("the credentials have expired")

    with pytest.raises(CannotLookError):
        ended_early()
    assert len(in_queue(stack, REQUEST_DLQ)) == 2


# ---- events and notifications ----


def test_a_notification_becomes_a_result_however_it_got_there(stack: LocalStack, run: Any) -> None:
    texts = {name: notification(stack, name) for name in ("raw", "envelope", "destination", "own-queue")}
    envelope = {"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": texts["envelope"]}
    sns = {
        name: {"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "m", "Message": texts[name]}}]}
        for name in ("destination", "own-queue")
    }
    why = {"RequestID": message_attribute("r"), "ErrorCode": message_attribute(200)}
    put(stack, NOTIFICATION_DLQ, texts["raw"])
    put(stack, NOTIFICATION_DLQ, json.dumps(envelope))
    put(stack, NOTIFICATION_DLQ, record(sns["destination"]))
    put(
        stack,
        NOTIFICATION_DLQ,
        json.dumps(sns["own-queue"]),
        MessageAttributes={**why, "ErrorMessage": message_attribute("GetObject: AccessDenied")},
    )
    put(stack, NOTIFICATION_DLQ, "no notification")
    code, written = run(redrive.main, stack.name, "--run")
    assert (code, "NotificationDeadLetterQueue: 4 handed over, 1 stay" in written) == (1, True)
    for name in texts:
        assert body_json(stack.wait_for_result(name))["responseBody"]["content"] == name
    assert [len(stack.results[name]) for name in texts] == [1, 1, 1, 1]
    (left,) = in_queue(stack, NOTIFICATION_DLQ)
    assert left["Body"] == "no notification"


def test_an_event_becomes_a_request_whichever_way_it_came(stack: LocalStack, run: Any) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key="requests/by s3.txt", Body=b"by S3")
    in_queue(stack, "ResultsQueue")
    by_bus = {"detail-type": "Request", "id": "e", "detail": {"Body": "by bus", "InferenceId": "by-bus"}}
    canary = {"Body": "by schedule", "InferenceId": "by-schedule"}
    s3 = json.loads((ROOT / "events/submit/s3-put.json").read_text(encoding="utf-8"))
    (first, *_) = s3["Records"]
    first["s3"]["bucket"]["name"], first["s3"]["object"]["key"] = stack.bucket, "requests/by+s3.txt"
    for body in (record(by_bus), record(canary), json.dumps({"Records": [first]}), SECRET):
        put(stack, EVENT_DLQ, body)
    code, written = run(redrive.main, stack.name, "--run")
    assert (code, "EventDeadLetterQueue: 3 handed over, 1 stay" in written) == (1, True), written
    assert SECRET not in written
    contents = {"by bus", "by schedule", "by S3"}

    def answered() -> bool:
        stack.poll_results()
        outputs = {
            body_json(message).get("responseBody", {}).get("content")
            for messages in stack.results.values()
            for message in messages
        }
        return contents <= outputs

    wait_for(answered, PATIENCE_SECONDS, "three results")
    (left,) = in_queue(stack, EVENT_DLQ)
    assert left["Body"] == SECRET


def test_what_fails_again_stays_and_says_why(stack: LocalStack, run: Any) -> None:
    unreadable = json.loads(notification(stack, "gone"))
    unreadable["responseParameters"]["outputLocation"] = "s3://somebody-elses/output/gone.out"
    body = record(
        {"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "m", "Message": json.dumps(unreadable)}}]}
    )
    put(stack, NOTIFICATION_DLQ, body)
    code, written = run(redrive.main, stack.name, "--run")
    assert code == 1
    (stays,) = [line for line in written.splitlines() if "stays:" in line]
    assert "GetObject" in stays
    (left,) = in_queue(stack, NOTIFICATION_DLQ)
    assert left["Body"] == body


# ---- what cannot be tried ----


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([""], "STACK is empty"),
        (["s", "--to", "http://q"], "--to needs --from"),
        (["s", "--from", "http://q", "--queue", REQUEST_DLQ], "give one of them"),
        (["s", "--limit", "0"], "0 is less than 1"),
        (["s", "--queue", "ResultsQueue"], "invalid choice"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        redrive.main(arguments)
    assert refused.value.code == 2
    assert words in capsys.readouterr().err


def test_a_stack_that_is_not_there_is_named(stack: LocalStack, run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(redrive.main, f"no-{stack.name}")[0] == 2
    assert f"there is no stack no-{stack.name}" in capsys.readouterr().err
