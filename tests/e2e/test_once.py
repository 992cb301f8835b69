"""Invoked once: equal requests by HTTP under one key, redelivered messages of the queue."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from local.gateway import HttpAnswer
from local.stack import LocalStack

CALLERS = 50


def post(stack: LocalStack, body: bytes, key: str, *, sign: bool = True) -> HttpAnswer:
    """A request with a key."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return stack.http("POST", "/invocations", body, headers=headers, sign=sign)


def test_of_fifty_callers_with_one_key_one_invokes_and_all_get_its_answer(direct: LocalStack) -> None:
    key = str(uuid.uuid4())
    body = json.dumps({"key": key}).encode()

    def call_until_answered(_: int) -> tuple[list[int], bytes]:
        statuses = []
        while True:
            answer = post(direct, body, key)
            statuses.append(answer.status)
            if answer.status != 409:
                return statuses, answer.body
            assert answer.headers["x-amzn-errortype"] == "ConflictException"
            time.sleep(int(answer.headers["retry-after"]))

    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(call_until_answered, range(CALLERS)))
    assert {statuses[-1] for statuses, _ in answers} == {202}
    assert len({body for _, body in answers}) == 1
    accepted = json.loads(answers[0][1])
    assert accepted["InferenceId"] == key
    assert len(direct.invocations("echo", key)) == 1


def test_a_key_is_for_one_request(direct: LocalStack) -> None:
    key = str(uuid.uuid4())
    assert post(direct, b'{"n": 1}', key).status == 202
    refused = post(direct, b'{"n": 2}', key)
    assert (refused.status, refused.headers["x-amzn-errortype"]) == (422, "IdempotentParameterMismatchException")


def test_a_redelivered_message_that_was_accepted_is_not_invoked_again(queued: LocalStack) -> None:
    message_id, queue_arn = str(uuid.uuid4()), "arn:aws:sqs:us-east-1:000000000000:requests"

    def deliver(count: int) -> dict:
        record = {
            "messageId": message_id,
            "receiptHandle": "x",
            "body": "{}",
            "attributes": {"ApproximateReceiveCount": str(count)},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": queue_arn,
        }
        payload = json.dumps({"Records": [record]}).encode()
        function = queued.resource("SubmitFunction")
        answer = queued.client("lambda").invoke(FunctionName=function, Payload=payload)
        return json.load(answer["Payload"])

    for count in (1, 2, 3):
        assert deliver(count) == {"batchItemFailures": []}
    assert len(queued.invocations("echo", message_id)) == 1
