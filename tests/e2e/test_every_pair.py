"""The same payload by each way in to each way out: as many answers as requests, each on its own way and on no other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, wait_for
from local.cases import decoded, read_location
from local.destinations import CALLBACK, INBOXES, NOBODY, PARAMETERS, RESULTS, TASK, Destinations, result_in
from local.pairs import NO_HEADER, NO_PLACE, PAIRS
from local.sources import S3_PARAMETERS, SENDERS, connect, headers_of
from local.stack import ROOT, LocalStack

PAYLOAD = '{"prompt": "the same by every way"}'


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    parameters = {"NotificationDelivery": "QUEUE", **S3_PARAMETERS, **PARAMETERS}
    with LocalStack({"echo": "echo"}, parameters=parameters, name="pairs") as stack:
        connect(stack)
        yield stack


def test_the_table_of_the_documentation_has_every_pair() -> None:
    text = (ROOT / "docs/pipelines.md").read_text(encoding="utf-8")
    table = text[text.index("| from \\ to |") :].split("\n\n")[0].splitlines()
    heads, _, *rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table]
    said = {(row[0], way): cell for row in rows for way, cell in zip(heads[1:], row[1:], strict=True)}
    assert {pair for pair, cell in said.items() if cell == "yes"} == set(PAIRS)
    assert {pair for pair, cell in said.items() if cell == "no header"} == NO_HEADER
    assert {pair for pair, cell in said.items() if cell == "no place"} == NO_PLACE


def id_of(way_in: str, way_out: str) -> str:
    """An inference id, and the beginning of an output's name: letters and hyphens."""
    return f"{way_in} to {way_out}".replace(" ", "-").lower()


def output_name(way_in: str) -> str:
    return f"polled-{way_in.split(maxsplit=1)[0].lower()}.out"


def receive_everything(stack: LocalStack) -> Counter[tuple[str, str, str]]:
    """What the inboxes have: inference id, way, output."""
    found: Counter[tuple[str, str, str]] = Counter()
    for way, queue in INBOXES.items():
        for message in stack.receive(queue):
            found[answer(way, result_in(way, message))] += 1
    return found


def name_of(result: dict[str, Any]) -> str:
    """The request's inference id, or the name of the object that was the request: its id is a hash."""
    _, is_object, name = result["requestParameters"].get("inputLocation", "").rpartition("/requests/")
    return name if is_object else result["inferenceId"]


def answer(way: str, result: dict[str, Any]) -> tuple[str, str, str]:
    assert result["invocationStatus"] == "Completed", result
    return name_of(result), way, decoded(result["responseBody"]).decode()


def test_there_are_as_many_answers_as_requests_each_on_its_own_way_and_on_no_other(stack: LocalStack) -> None:
    destinations = Destinations(stack)
    for way_in, way_out in PAIRS:
        name = id_of(way_in, way_out)
        parameters = {"InferenceId": name, **destinations.address(way_out, name)}
        if way_out == NOBODY:
            parameters["Filename"] = output_name(way_in)
        SENDERS[way_in](stack, PAYLOAD, parameters)
    expected = Counter((id_of(*pair), pair[1], PAYLOAD) for pair in PAIRS)
    waiting = {pair: id_of(*pair) for pair in PAIRS if pair[1] in (TASK, CALLBACK)}
    by_message = sum(way in INBOXES for _, way in PAIRS)
    answers: Counter[tuple[str, str, str]] = Counter()

    def all_have_come() -> bool:
        answers.update(receive_everything(stack))
        for pair, name in list(waiting.items()):
            if end := destinations.end_of(pair[1], name):
                assert not end.is_timed_out, name
                answers[answer(pair[1], end.result)] += 1
                del waiting[pair]
        return not waiting and sum(way in INBOXES for _, way, _ in answers.elements()) >= by_message

    wait_for(all_have_come, PATIENCE_SECONDS, "an answer to each request")
    for way_in, way_out in PAIRS:
        if way_out == NOBODY:
            output = polled(stack, output_name(way_in))
            answers[id_of(way_in, way_out), NOBODY, output] += 1
    # All have been answered by now, and nothing is under way: what else there is came by a wrong way, or twice.
    wait_until_acknowledged(stack)
    answers.update(receive_everything(stack))
    assert answers == expected


def polled(stack: LocalStack, name: str) -> str:
    """The output of a caller who polls for it."""
    location = f"s3://{stack.bucket}/output/{name}"
    listed = {"Bucket": stack.bucket, "Prefix": f"output/{name}"}
    wait_for(lambda: stack.s3.list_objects_v2(**listed)["KeyCount"], PATIENCE_SECONDS, location)
    return read_location(stack, location).decode()


def wait_until_acknowledged(stack: LocalStack) -> None:
    """Until no request and no notification is in its queue, nor with a function."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def all_are() -> bool:
        queues = map(stack.resource, ("RequestQueue", "S3RequestQueue", "NotificationQueue"))
        counts = [stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for url in queues]
        return all(set(count.values()) == {"0"} for count in counts)

    wait_for(all_are, PATIENCE_SECONDS, "empty queues")


@pytest.mark.parametrize("name", ["TaskToken", "X-Bridge-Task-Token", "CallbackId", "X-Bridge-Callback-Id"])
def test_no_header_ends_a_task_or_a_callback(stack: LocalStack, name: str) -> None:
    headers = headers_of({"InferenceId": f"by header {name}"}) | {name: "AAAA"}
    assert stack.http("POST", "/invocations", PAYLOAD.encode(), headers=headers).status == 202
    result = json.loads(stack.wait_for_result(f"by header {name}")["Body"])
    assert answer(RESULTS, result) == (f"by header {name}", RESULTS, PAYLOAD)
    assert "customAttributes" not in result["requestParameters"]
