"""Failed inferences, asked for once more from their inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, body_json, wait_for
from local.stack import LocalStack
from recovery import replay

SECRET = "what the customer wrote"


def result(stack: LocalStack, name: str, status: str = "Failed", **changes: Any) -> dict[str, Any]:
    """A result as the results queue has it, whose input is there."""
    stack.s3.put_object(Bucket=stack.bucket, Key=f"input/{name}", Body=f"input of {name}".encode())
    parameters = {
        "endpointName": "summarizer",
        "inputLocation": f"s3://{stack.bucket}/input/{name}",
        "contentType": "text/plain",
        "accept": "text/csv",
        "customAttributes": "accept_eula=true",
    }
    return {
        "eventTime": "2026-11-29T15:52:34.949Z",
        "invocationStatus": status,
        "failureReason": "the model has no memory left",
        "inferenceId": name,
        "requestParameters": parameters,
        "responseBody": {"content": SECRET, "encoding": "UTF8"},
        **changes,
    }


def written(tmp_path: Path, *results: dict[str, Any] | str) -> str:
    """A file with these results, one a line."""
    path = tmp_path / "results.jsonl"
    lines = (entry if isinstance(entry, str) else json.dumps(entry) for entry in results)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_without_run_it_counts_by_reason_and_sends_nothing(stack: LocalStack, run: Any, tmp_path: Path) -> None:
    unanswered = result(stack, "b", "Unanswered", failureReason="no answer by 15:52")
    path = written(tmp_path, result(stack, "a"), unanswered, result(stack, "c", "Completed"))
    code, text = run(replay.main, stack.name, "--results", path)
    assert code == 0
    assert "Failed: the model has no memory left" in text
    assert "Unanswered: no answer by 15:52" in text
    assert f"{path}: 1 are Completed" in text
    assert text.splitlines()[-1] == "Nothing was sent. RUN=1 sends them."
    assert SECRET not in text
    stack.poll_results()
    assert stack.results == {}


def test_each_failed_inference_is_asked_for_with_its_input_and_parameters(
    stack: LocalStack, run: Any, tmp_path: Path
) -> None:
    path = written(tmp_path, result(stack, "first"), result(stack, "second", "Unanswered"))
    code, text = run(replay.main, stack.name, "--results", path, "--run")
    assert (code, "2 handed over" in text) == (0, True)
    for name in ("first", "second"):
        answer = body_json(stack.wait_for_result(name))
        assert answer["invocationStatus"] == "Completed"
        assert answer["responseBody"]["content"] == f"input of {name}"
        expected = result(stack, name)["requestParameters"]
        assert {key: answer["requestParameters"].get(key) for key in expected} == expected


def test_what_does_not_name_its_input_and_what_is_settled_is_passed_over_and_said(
    stack: LocalStack, run: Any, tmp_path: Path
) -> None:
    inline = result(stack, "inline", requestParameters={"endpointName": "summarizer"})
    twice = result(stack, "twice")
    path = written(
        tmp_path,
        inline,
        twice,
        twice,
        result(stack, "later"),
        result(stack, "later", "Completed", eventTime="2026-11-29T16:00:00Z"),
        result(stack, "refused", "Rejected"),
        "a raw output",
        "[1]",
    )
    code, text = run(replay.main, stack.name, "--results", path, "--run")
    assert (code, "1 handed over" in text) == (0, True)
    for words in (
        "1 are Failed, and do not name their input",
        "1 came twice",
        "1 failed, and were answered later",
        "1 are Completed",
        "1 are Rejected",
        "2 are not results in JSON: raw results do not name their input",
    ):
        assert f"{path}: {words}" in text
    assert body_json(stack.wait_for_result("twice"))["responseBody"]["content"] == "input of twice"
    assert len(stack.invocations("summarizer", "twice")) == 1


def test_from_a_queue_what_was_sent_is_deleted_and_all_else_stays(stack: LocalStack, run: Any) -> None:
    url = stack.sqs.create_queue(QueueName="failed-results")["QueueUrl"]
    failed = json.dumps(result(stack, "queued"))
    completed = json.dumps(result(stack, "well", "Completed"))
    for body in (failed, failed, completed, "a raw output"):
        stack.sqs.send_message(QueueUrl=url, MessageBody=body)
    code, text = run(replay.main, stack.name, "--queue", url, "--run", "--reason", "no memory")
    assert (code, "2 handed over" in text) == (0, True)
    assert "Failed: the model has no memory left (repeated)" in text
    assert body_json(stack.wait_for_result("queued"))["responseBody"]["content"] == "input of queued"
    assert len(stack.invocations("summarizer", "queued")) == 1
    left = stack.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert sorted(message["Body"] for message in left) == sorted([completed, "a raw output"])


def test_an_inference_that_failed_on_the_way_is_repeated_by_its_own_result(
    stack: LocalStack, run: Any, tmp_path: Path
) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key="input/real", Body=b"a real one")
    sent = stack.send("not sent", EndpointName="failing", InputLocation=f"s3://{stack.bucket}/input/real")
    failure = body_json(stack.wait_for_result(sent))
    assert failure["invocationStatus"] == "Failed"
    # The endpoint that fails is mended by naming another.
    failure["requestParameters"]["endpointName"] = "summarizer"
    stack.results.clear()
    assert run(replay.main, stack.name, "--results", written(tmp_path, failure), "--run")[0] == 0
    assert body_json(stack.wait_for_result(sent))["responseBody"]["content"] == "a real one"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["", "--results", "f"], "STACK is empty"),
        (["s"], "give either RESULTS=file or QUEUE=url"),
        (["s", "--results", "f", "--queue", "u"], "give either RESULTS=file or QUEUE=url"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        replay.main(arguments)
    assert refused.value.code == 2
    assert words in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(
    stack: LocalStack, run: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(replay.main, stack.name, "--results", str(tmp_path / "none"))[0] == 2
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_a_reply_to_says_where_the_new_results_go(stack: LocalStack, run: Any, tmp_path: Path) -> None:
    url = stack.sqs.create_queue(QueueName="team")["QueueUrl"]
    path = written(tmp_path, result(stack, "of-a-team"))
    assert run(replay.main, stack.name, "--results", path, "--reply-to", "team", "--run")[0] == 0
    found: list[dict[str, Any]] = []

    def arrived() -> bool:
        found.extend(stack.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []))
        return bool(found)

    wait_for(arrived, PATIENCE_SECONDS, "a result in the team's queue")
    assert [body_json(message)["responseBody"]["content"] for message in found] == ["input of of-a-team"]
