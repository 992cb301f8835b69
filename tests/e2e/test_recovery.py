"""A right is missing, dead letters pile up, the right is mended, and the runbook's commands lose nothing."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from local.bridge import PATIENCE_SECONDS, REGION, body_json, wait_for
from local.stack import ROOT, LocalStack
from tests.recovery import runbook
from tests.recovery.alarms import Alarms

COUNT = 12
ALARM_TOPIC = f"arn:aws:sns:{REGION}:000000000000:alarms"
COUNTED = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]


class Gated(LocalStack):
    """A bridge before whose endpoints stands IAM: the emulator itself lets everybody in."""

    def start(self) -> LocalStack:
        self.gate = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        Thread(target=self.gate.serve_forever, daemon=True).start()
        return super().start()

    def stop(self) -> None:
        super().stop()
        self.gate.shutdown()
        self.gate.server_close()

    def _deploy(self) -> None:
        super()._deploy()
        # Once: a client takes long to make, and `submit` waits only so long for an answer before it asks again.
        self._iam = self.client("iam")
        self._submit_role = self._iam.get_role(RoleName=self.resource("SubmitRole"))["Role"]["Arn"]

    def _parameters(self) -> dict[str, str]:
        return {**super()._parameters(), "SageMakerRuntimeEndpointUrl": f"http://127.0.0.1:{self.gate.server_port}"}

    def may_invoke(self, endpoint: str) -> bool:
        """What IAM says of `submit`'s role as it is now."""
        resource = f"arn:aws:sagemaker:{REGION}:000000000000:endpoint/{endpoint}"
        answer = self._iam.simulate_principal_policy(
            PolicySourceArn=self._submit_role, ActionNames=["sagemaker:InvokeEndpointAsync"], ResourceArns=[resource]
        )
        return all(result["EvalDecision"] == "allowed" for result in answer["EvaluationResults"])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stack = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if not stack.may_invoke(self.path.split("/")[2]):
                    message = "User is not authorized to perform: sagemaker:InvokeEndpointAsync"
                    self.answer(
                        403, {"x-amzn-errortype": "AccessDeniedException"}, json.dumps({"Message": message}).encode()
                    )
                    return
                request = urllib.request.Request(
                    stack.emulator_url + self.path, data=body, headers=dict(self.headers), method="POST"
                )
                try:
                    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                        self.answer(answer.status, dict(answer.headers), answer.read())
                except urllib.error.HTTPError as error:
                    self.answer(error.code, dict(error.headers), error.read())

            def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower().startswith("x-amzn-") or name.lower() == "content-type":
                        self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def without(self, role: str, policy: str, sid: str) -> Callable[[], None]:
        """Deploys a role without one of its statements; what mends it."""
        iam, name = self.client("iam"), self.resource(role)
        whole = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        narrowed = {**whole, "Statement": [given for given in whole["Statement"] if given.get("Sid") != sid]}
        assert len(narrowed["Statement"]) == len(whole["Statement"]) - 1

        def put(document: dict[str, Any]) -> None:
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))

        put(narrowed)
        return lambda: put(whole)

    def lying(self, queue: str) -> int:
        """How many messages a queue has, seen from outside: nothing is received."""
        found = self.sqs.get_queue_attributes(QueueUrl=self.resource(queue), AttributeNames=COUNTED)["Attributes"]
        return sum(map(int, found.values()))

    def wait_until_dead(self, queue: str) -> None:
        """Until all requests are dead letters."""
        wait_for(lambda: self.lying(queue) >= COUNT, PATIENCE_SECONDS, f"{COUNT} messages in {queue}")
        assert self.lying(queue) == COUNT


@pytest.fixture(scope="module", params=["DIRECT", "QUEUE"])
def stack(request: pytest.FixtureRequest) -> Iterator[Gated]:
    with Gated(
        {"summarizer": "echo"},
        parameters={"NotificationDelivery": request.param, "AlarmTopicArn": ALARM_TOPIC},
        name=f"recovery-{request.param.lower()}",
    ) as stack:
        yield stack


def sent(stack: Gated, what: str) -> dict[str, str]:
    """Inference ids and payloads of requests; every other one leaves its id to the bridge."""
    payloads = {}
    for number in range(COUNT):
        payload = f"{what} {number}"
        named = {"InferenceId": f"{what}-{number}"} if number % 2 else {}
        message_id = stack.send(payload, **named)
        payloads[named.get("InferenceId", message_id)] = payload
    return payloads


def commands(section: str) -> tuple[str, list[str]]:
    """The section's block that looks, and those that send."""
    looking, *others = runbook.blocks(section)
    assert "make redrive" in looking
    sending = [text for text in others if "RUN=1" in text]
    assert sending
    return looking, sending


def assert_each_is_answered_once(stack: Gated, payloads: dict[str, str]) -> None:
    for inference_id, payload in payloads.items():
        result = body_json(stack.wait_for_result(inference_id))
        assert result["responseBody"]["content"] == payload
    # Behind them, so that a second answer to one of them would be here.
    stack.wait_for_result(stack.send("behind them"))
    stack.poll_results()
    assert [len(stack.results[inference_id]) for inference_id in payloads] == [1] * COUNT
    for inference_id in payloads:
        assert len(stack.invocations("summarizer", inference_id)) == 1, inference_id
    for queue in ("RequestDeadLetterQueue", "NotificationDeadLetterQueue", "EventDeadLetterQueue"):
        assert stack.lying(queue) == 0, queue


def test_requests_that_submit_could_not_invoke_are_each_answered_once_by_the_runbook(stack: Gated) -> None:
    looking, sending = commands("RequestDeadLetterQueueNotEmpty")
    alarms = Alarms(stack)
    mend = stack.without("SubmitRole", "submit", "InvokeEndpoint")
    try:
        payloads = sent(stack, "request")
        stack.wait_until_dead("RequestDeadLetterQueue")
        # Each message comes back by itself: the function's invocations are no errors.
        assert alarms.breached() == {"RequestDeadLetterQueueNotEmpty"}
        written = runbook.run(stack, runbook.environment(stack), looking)
        assert f"RequestDeadLetterQueue  {COUNT} " in written
        assert "too many receipts from" in written
        assert "InvokeEndpointAsync" in written, "the log says which right"
        assert stack.lying("RequestDeadLetterQueue") == COUNT
        assert stack.invocations("summarizer") == []
    finally:
        mend()
    runbook.run(stack, runbook.environment(stack), *sending)
    assert_each_is_answered_once(stack, payloads)
    assert alarms.breached() == set()


def test_notifications_that_collect_could_not_complete_become_one_result_each_by_the_runbook(stack: Gated) -> None:
    looking, sending = commands("NotificationDeadLetterQueueNotEmpty")
    alarms = Alarms(stack)
    mend = stack.without("CollectRole", "collect", "ReadOutputs")
    try:
        payloads = sent(stack, "notification")
        stack.wait_until_dead("NotificationDeadLetterQueue")
        # SNS's invocation fails as a whole, SQS's gives its messages back one by one.
        errors = {"CollectErrors"} if stack.parameters["NotificationDelivery"] == "DIRECT" else set()
        assert alarms.breached() == {"NotificationDeadLetterQueueNotEmpty", *errors}
        written = runbook.run(stack, runbook.environment(stack), looking)
        assert f"NotificationDeadLetterQueue  {COUNT} " in written
        assert "GetObject" in written, "the reason, or the log, says which right"
        assert stack.lying("NotificationDeadLetterQueue") == COUNT
        assert not stack.results.keys() & payloads.keys()
    finally:
        mend()
    runbook.run(stack, runbook.environment(stack), *sending)
    assert_each_is_answered_once(stack, payloads)
    assert alarms.breached() == set()


def test_what_is_sent_before_it_is_mended_stays_or_comes_back(stack: Gated) -> None:
    mend = stack.without("CollectRole", "collect", "ReadOutputs")
    try:
        payloads = sent(stack, "early")
        stack.wait_until_dead("NotificationDeadLetterQueue")
        is_direct = stack.parameters["NotificationDelivery"] == "DIRECT"
        too_early = f'make redrive STACK="$STACK" RUN=1 {"&& exit 1 || true" if is_direct else ""}'
        written = runbook.run(stack, runbook.environment(stack), too_early)
        assert ("stays: " in written) == is_direct
        stack.wait_until_dead("NotificationDeadLetterQueue")
    finally:
        mend()
    runbook.run(stack, runbook.environment(stack), 'make redrive STACK="$STACK" RUN=1')
    assert_each_is_answered_once(stack, payloads)


def test_what_lambda_recorded_before_a_change_of_delivery_becomes_a_result_too(stack: Gated) -> None:
    name = f"recorded-{stack.name}"
    stack.s3.put_object(Bucket=stack.bucket, Key=f"output/{name}.out", Body=b"output")
    notification = json.loads((ROOT / "events/notifications/completed.json").read_text(encoding="utf-8"))
    notification["inferenceId"] = name
    notification["requestParameters"]["endpointName"] = "summarizer"
    notification["responseParameters"]["outputLocation"] = f"s3://{stack.bucket}/output/{name}.out"
    event = {"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "m", "Message": json.dumps(notification)}}]}
    record = {"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event}
    url = stack.resource("NotificationDeadLetterQueue")
    stack.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(record))
    runbook.run(stack, runbook.environment(stack), 'make redrive STACK="$STACK" RUN=1')
    assert body_json(stack.wait_for_result(name))["responseBody"]["content"] == "output"
    assert stack.lying("NotificationDeadLetterQueue") == 0
