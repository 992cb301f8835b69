"""Invoked once: equal requests by HTTP under one key, redelivered messages of the queue."""

from __future__ import annotations

import json
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from botocore.credentials import Credentials

from local.bridge import REGION
from local.gateway import HttpAnswer, call
from local.stack import LocalStack

CALLERS = 50
GATEWAY_SECONDS = 30
# Of one call: src/aws.rs.
TRIES = 4


def post(stack: LocalStack, body: bytes, key: str, path: str = "/invocations") -> HttpAnswer:
    """A request with a key."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return stack.http("POST", path, body, headers=headers)


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


def test_a_key_whose_request_may_have_been_accepted_is_not_invoked_again(direct: LocalStack) -> None:
    key, path = str(uuid.uuid4()), "/endpoints/silent/async-invocations"
    lost = post(direct, b"{}", key, path)
    assert (lost.status, lost.headers["x-amzn-errortype"]) == (503, "ServiceUnavailable")
    again = post(direct, b"{}", key, path)
    assert (again.status, again.headers["x-amzn-errortype"]) == (409, "ConflictException")
    assert b"may have been accepted" in again.body
    assert 1 <= int(again.headers["retry-after"]) <= int(lost.headers["retry-after"]) <= GATEWAY_SECONDS
    # What docs/http.md says can still happen: the SDK tries a call again whose answer was lost.
    assert len(direct.invocations("silent", key)) == TRIES


def new_caller(stack: LocalStack, name: str) -> Credentials:
    """An IAM user who may call the API."""
    iam = stack.client("iam")
    iam.create_user(UserName=name)
    may_call = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may_call]})
    iam.put_user_policy(UserName=name, PolicyName="call", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def test_two_callers_with_one_key_get_outputs_of_their_own_whose_names_nobody_can_guess(direct: LocalStack) -> None:
    key = str(uuid.uuid4())
    headers = {"Content-Type": "application/json", "Idempotency-Key": key, "Prefer": "wait=20"}
    locations = set()
    for name in ("ann", "bob"):
        caller, body = new_caller(direct, name), json.dumps({"from": name}).encode()
        url = f"{direct.http_url}/invocations"
        answer = call("POST", url, body, headers, credentials=caller, region=REGION)
        assert (answer.status, answer.body, answer.headers["x-amzn-sagemaker-inference-id"]) == (200, body, key)
        location = answer.headers["x-amzn-sagemaker-outputlocation"]
        assert re.fullmatch(rf"s3://{direct.bucket}/output/[0-9a-f]{{28}}\.out", location)
        locations.add(location)
    assert len(locations) == 2


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
