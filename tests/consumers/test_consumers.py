"""The consumers of examples/consumers/ with results of the deployed functions."""

from __future__ import annotations

import base64
import json
import subprocess
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local.bridge import Bridge, message_attribute, wait_for
from local.stack import LocalStack
from tests.consumers.running import TIMEOUT_SECONDS, Consumer, HangingS3, Program, messages_left, nudge, running
from tests.schemas.documents import SCHEMAS

LARGE = "x" * 300_000
BYTES = bytes(range(256)) * 4
# Seconds after which a result comes back, where a test waits for that. Longer than one is worked on on a busy machine.
SHORT = 10


def send(stack: Bridge, body: str, **attributes: str) -> str:
    """Sends a request under an id of its own."""
    inference_id = f"a/b {uuid.uuid4()}"
    stack.send(body, InferenceId=inference_id, **attributes)
    return inference_id


def publish(stack: LocalStack, **fields: Any) -> str:
    """Publishes a notification to the success topic, as SageMaker does; gives its text."""
    notification = {
        "eventTime": "2026-06-20T10:00:03.814Z",
        "invocationStatus": "Completed",
        "inferenceId": str(uuid.uuid4()),
        "requestParameters": {"endpointName": "summarizer"},
        **fields,
    }
    stack.sns.publish(TopicArn=stack.outputs["SuccessTopicArn"], Message=json.dumps(notification))
    return json.dumps(notification)


def put_into_queue(stack: LocalStack, result: dict[str, Any]) -> None:
    """Puts a result into the queue that the functions do not send yet."""
    attributes = {"InferenceId": result["inferenceId"], "InvocationStatus": result["invocationStatus"]}
    stack.sqs.send_message(
        QueueUrl=stack.outputs["ResultsQueueUrl"],
        MessageBody=json.dumps(result),
        MessageAttributes={name: message_attribute(value) for name, value in attributes.items()},
    )


def wait_until_left(stack: LocalStack, count: int, consumer: Consumer) -> None:
    wait_for(lambda: messages_left(stack) == count, TIMEOUT_SECONDS, f"{count} messages left: {consumer.log}")


def test_each_result_is_handled_with_its_output_and_then_deleted(
    stack: LocalStack, program: Program, tmp_path: Path
) -> None:
    encoded = base64.b64encode(BYTES).decode()
    outputs = {send(stack, '{"n": "ä"}'): '{"n": "ä"}'.encode(), send(stack, LARGE): LARGE.encode()}
    outputs[send(stack, encoded, ContentEncoding="base64", ContentType="image/png")] = BYTES
    large_failure = b"why " * 100_000
    stack.s3.put_object(Bucket=stack.bucket, Key="failure/a b%20", Body=large_failure)
    location = f"https://{stack.bucket}.s3.us-east-1.amazonaws.com/failure/a b%20"
    expired = publish(stack, invocationStatus="Expired", responseParameters={"failureLocation": location})
    failed = send(stack, "{}", EndpointName="failing")
    rejected = send(stack, "%", ContentEncoding="base64")
    unanswered = {**SCHEMAS["result"]["examples"][3], "inferenceId": str(uuid.uuid4())}
    put_into_queue(stack, unanswered)
    with running(program, stack, tmp_path / "outputs") as consumer:
        for inference_id, output in outputs.items():
            line = consumer.wait_for(inference_id)
            assert (line["result"], Path(line["file"]).read_bytes()) == ("Completed", output)
        line = consumer.wait_for(failed)
        assert (line["result"], line["status"], line["endpointName"]) == ("Failed", "Failed", "failing")
        assert line["reason"].startswith("ClientError: ")
        assert json.loads(Path(line["file"]).read_bytes()) == {"message": "the model fail always fails"}
        line = consumer.wait_for(json.loads(expired)["inferenceId"])
        assert (line["result"], line["status"]) == ("Failed", "Expired")
        assert Path(line["file"]).read_bytes() == large_failure
        line = consumer.wait_for(rejected)
        assert (line["result"], line["reason"][:17]) == ("Rejected", "ValidationError: ")
        line = consumer.wait_for(unanswered["inferenceId"])
        assert (line["result"], line["reason"]) == ("Unanswered", unanswered["failureReason"])
        assert not any("file" in consumer.wait_for(id_) for id_ in (rejected, unanswered["inferenceId"]))
        wait_until_left(stack, 0, consumer)
    assert len(consumer.lines) == len(outputs) + 4


def test_what_is_delivered_twice_is_handled_once_by_whichever_consumer(
    stack: LocalStack, program: Program, tmp_path: Path
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(30)]
    body = {"content": "once", "encoding": "UTF-8"}
    for inference_id in ids + ids:
        publish(stack, inferenceId=inference_id, responseBody=body)
    # Else there might be nothing left before the first has come.
    wait_for(lambda: messages_left(stack) >= 2 * len(ids), TIMEOUT_SECONDS, "all results")
    with ExitStack() as several:
        consumers = [
            several.enter_context(running(program, stack, tmp_path / name, visibility_seconds=SHORT * 2))
            for name in ("one", "other")
        ]
        wait_until_left(stack, 0, consumers[0])
    handled = sorted(line["inferenceId"] for consumer in consumers for line in consumer.lines)
    assert handled == sorted(ids)


def test_statuses_of_one_inference_are_results_of_their_own(
    stack: LocalStack, program: Program, tmp_path: Path
) -> None:
    unanswered = {**SCHEMAS["result"]["examples"][3], "inferenceId": str(uuid.uuid4())}
    put_into_queue(stack, unanswered)
    with running(program, stack, tmp_path / "outputs") as consumer:
        consumer.wait_for(unanswered["inferenceId"])
        publish(stack, inferenceId=unanswered["inferenceId"], responseBody={"content": "late"})
        wait_for(lambda: len(consumer.of(unanswered["inferenceId"])) == 2, TIMEOUT_SECONDS, "the late answer")
        wait_until_left(stack, 0, consumer)
    late = consumer.of(unanswered["inferenceId"])[1]
    assert (late["result"], Path(late["file"]).read_bytes()) == ("Completed", b"late")


def test_a_result_whose_handler_fails_comes_back_and_its_neighbours_do_not_wait(
    stack: LocalStack, program: Program, tmp_path: Path
) -> None:
    directory, inference_id = tmp_path / "outputs", str(uuid.uuid4())
    # The handler cannot write a file where a directory is.
    blocking = directory / f"{inference_id}.out"
    blocking.mkdir(parents=True)
    publish(stack, inferenceId=inference_id, responseBody={"content": "at last"})
    neighbours = [send(stack, f'{{"n": {n}}}') for n in range(12)]
    with running(program, stack, directory, visibility_seconds=SHORT) as consumer:
        for neighbour in neighbours:
            consumer.wait_for(neighbour)
        wait_until_left(stack, 1, consumer)
        # Tried again, not only once.
        wait_for(lambda: consumer.log.count("not handled") >= 2, TIMEOUT_SECONDS, consumer.log)
        assert consumer.of(inference_id) == []
        blocking.rmdir()
        line = consumer.wait_for(inference_id)
        wait_until_left(stack, 0, consumer)
    assert Path(line["file"]).read_bytes() == b"at last"
    assert len(consumer.lines) == len(neighbours) + 1


def test_what_is_no_result_comes_back_until_the_queues_redrive_takes_it(
    stack: LocalStack, program: Program, tmp_path: Path
) -> None:
    for body in ("no result", '{"inferenceId": "x"}', "[]"):
        stack.sqs.send_message(QueueUrl=stack.outputs["ResultsQueueUrl"], MessageBody=body)
    text = json.loads(publish(stack, responseBody={"content": "no encoding: text"}))["inferenceId"]
    put_into_queue(stack, {"invocationStatus": "Completed", "inferenceId": "nowhere"})
    neighbour = send(stack, "{}")
    with running(program, stack, tmp_path / "outputs") as consumer:
        consumer.wait_for(neighbour)
        wait_until_left(stack, 4, consumer)
        wait_for(lambda: consumer.log.count("not handled") == 4, TIMEOUT_SECONDS, consumer.log)
    assert {line["inferenceId"] for line in consumer.lines} == {text, neighbour}


def hanging_result(stack: LocalStack) -> str:
    """A result whose output is too large for its message, at a key that hangs."""
    key = f"output/hangs-{uuid.uuid4()}"
    stack.s3.put_object(Bucket=stack.bucket, Key=key, Body=LARGE.encode())
    text = publish(stack, responseParameters={"outputLocation": f"s3://{stack.bucket}/{key}"})
    return json.loads(text)["inferenceId"]


def test_an_output_that_hangs_holds_up_no_neighbour(stack: LocalStack, program: Program, tmp_path: Path) -> None:
    with (
        HangingS3(stack.port) as s3,
        # Should the neighbours take longer than a consumer waits for an output, it has another try within the test.
        running(program, stack, tmp_path / "outputs", visibility_seconds=60, AWS_ENDPOINT_URL_S3=s3.url) as consumer,
    ):
        hanging = hanging_result(stack)
        wait_for(s3.is_hanging.is_set, TIMEOUT_SECONDS, f"the fetch: {consumer.log}")
        # More than a batch, large ones too.
        neighbours = [send(stack, body) for body in ["{}"] * 12 + [LARGE] * 2]
        for neighbour in neighbours:
            consumer.wait_for(neighbour)
        wait_until_left(stack, 1, consumer)
        assert consumer.of(hanging) == []
        s3.go_on.set()
        line = consumer.wait_for(hanging)
        wait_until_left(stack, 0, consumer)
    assert Path(line["file"]).read_bytes() == LARGE.encode()


def test_what_a_consumer_had_when_it_was_killed_is_handled_by_the_next(
    stack: LocalStack, program: Program, tmp_path: Path
) -> None:
    with HangingS3(stack.port) as s3:
        hanging = hanging_result(stack)
        with running(
            program, stack, tmp_path / "killed", visibility_seconds=SHORT, AWS_ENDPOINT_URL_S3=s3.url
        ) as killed:
            wait_for(s3.is_hanging.is_set, TIMEOUT_SECONDS, f"the fetch: {killed.log}")
            killed.kill()
    assert killed.lines == []
    with running(program, stack, tmp_path / "next", visibility_seconds=SHORT) as consumer:
        consumer.wait_for(hanging)
        wait_until_left(stack, 0, consumer)
    assert len(consumer.of(hanging)) == 1


def test_a_consumer_that_is_told_to_stop_handles_what_it_has_received(
    stack: LocalStack, program: Program, tmp_path: Path
) -> None:
    with (
        HangingS3(stack.port) as s3,
        running(program, stack, tmp_path / "outputs", AWS_ENDPOINT_URL_S3=s3.url) as consumer,
    ):
        hanging = hanging_result(stack)
        wait_for(s3.is_hanging.is_set, TIMEOUT_SECONDS, f"the fetch: {consumer.log}")
        consumer.process.terminate()
        # Ends the wait for messages that is under way.
        nudge(stack)
        with pytest.raises(subprocess.TimeoutExpired):
            consumer.process.wait(1)
        s3.go_on.set()
        assert consumer.process.wait(TIMEOUT_SECONDS) == 0, consumer.log
        consumer.kill()
    assert len(consumer.of(hanging)) == 1
    assert messages_left(stack) <= 1
