"""Sends the requests, takes their answers, and times both."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from doctor.finding import Finding, findings_of, ok
from doctor.report import Report, Steps
from doctor.send import outcome
from doctor.send.mailbox import Mailbox, attribute
from doctor.send.payload import Payload
from doctor.send.requests import REJECTED, Request, Sender, new_requests
from doctor.stack import Stack

RECEIVE_SECONDS = 2
# Each look at a queue raises the receive counts of other people's messages, so they grow rarer with the time: after
# ten seconds there is one a second, after a hundred seconds one in ten.
RARER_BY, SHORTEST_SECONDS, RAREST_SECONDS = 10, 0.5, 10.0
# A result follows its output within so long, or somebody else has it.
RESULT_FOLLOWS_SECONDS = 20.0


@dataclass(frozen=True)
class Options:
    """What the user says of the requests. `wait_seconds`: for how long answers are waited for."""

    payload: Payload
    token: str | None = None
    wait_seconds: float = 120


def send(stack: Stack, options: Options, report: Report) -> list[Finding]:
    """Findings of one request of each kind."""
    return findings_of("requests", lambda: Exchange(stack, options, report).run())


class Exchange:
    """The requests of one run, and the queues that their answers come to."""

    def __init__(self, stack: Stack, options: Options, report: Report) -> None:
        self.stack = stack
        self.options = options
        self.report = report
        self.requests = new_requests()
        self.sender = Sender(stack, options.payload, options.token)
        ids = [request.inference_id for request in self.requests]
        sqs = stack.aws.client("sqs")
        results_url = stack.variable("CollectFunction", "BRIDGE_RESULTS_QUEUE_URL", stack.outputs["ResultsQueueUrl"])
        self.results = Mailbox(sqs, results_url, ids, self._unsafe(results_url))
        self.dead_letters = Mailbox(sqs, stack.outputs["RequestDeadLetterQueueUrl"], ids)
        self._begun = self._looked_at = time.monotonic()

    def _unsafe(self, url: str) -> str | None:
        """Why the results queue must not be received from: each look would count for other people's messages."""
        if "RedrivePolicy" in self.stack.queue_attributes(url):
            return "the results queue has a redrive policy, and a look would bring others' results nearer to it"
        return None

    def run(self) -> list[Finding]:
        """Sends all at once, then waits for all."""
        self._begun = time.monotonic()
        with self.report.progress("waiting for answers") as steps, ThreadPoolExecutor(len(self.requests)) as threads:
            for request in self.requests:
                steps.begin(request.subject)
            sending = [threads.submit(self.sender.send, request) for request in self.requests]
            self._wait(steps, self._begun + self.options.wait_seconds)
            for sent in sending:
                sent.result()
        waited = time.monotonic() - self._begun
        findings = [
            found
            for request in self.requests
            for found in findings_of(request.subject, lambda request=request: [self._finding(request, waited)])
        ]
        return findings + self._others()

    def _finding(self, request: Request, waited: float) -> Finding:
        return outcome.finding(self.stack, request, self.results, self.sender, waited)

    def _wait(self, steps: Steps, deadline: float) -> None:
        pending = list(self.requests)
        while pending and time.monotonic() < deadline:
            others = self.results.others
            for message in self.results.take(RECEIVE_SECONDS):
                self._take_result(message, steps)
            pause = min((time.monotonic() - self._begun) / RARER_BY, RAREST_SECONDS)
            # Where all was other people's, the next look would meet the same again.
            time.sleep(max(pause, SHORTEST_SECONDS) if self.results.problem or self.results.others > others else 0)
            if time.monotonic() - self._looked_at > pause:
                self._look(pending, steps)
            for request in [request for request in pending if self._is_settled(request)]:
                pending.remove(request)
                steps.end(request.subject)

    def _look(self, pending: list[Request], steps: Steps) -> None:
        """Into the dead-letter queue, and for outputs whose results have not come."""
        self._looked_at = time.monotonic()
        for message in self.dead_letters.take(wait_seconds=0):
            request = self._request_of(message)
            request.dead_letter_after = request.after()
            request.reason = request.reason or attribute(message, "FailureReason")
            steps.say(request.subject, "in the dead-letter queue")
        for request in pending:
            if request.kind != REJECTED and request.result_after is None and request.output_after is None:
                self._look_for_output(request, steps)

    def _look_for_output(self, request: Request, steps: Steps) -> None:
        location = request.output or self._expected_output(request)
        bucket, _, key = location.removeprefix("s3://").partition("/")
        try:
            self.stack.aws.call("s3", "head_object", Bucket=bucket, Key=key)
        except (BotoCoreError, ClientError):
            return
        request.output, request.output_after = location, request.after()
        steps.say(request.subject, "its output is there")

    def _expected_output(self, request: Request) -> str:
        config = self.stack.endpoint(self.stack.parameters["EndpointName"])["AsyncInferenceConfig"]
        return f"{config['OutputConfig']['S3OutputPath'].rstrip('/')}/{request.filename}"

    def _take_result(self, message: dict[str, Any], steps: Steps) -> None:
        request = self._request_of(message)
        if request.result_after is not None:
            return
        request.result_after = request.after()
        request.status = attribute(message, "InvocationStatus")
        request.reason = attribute(message, "FailureReason") or reason_in(message["Body"])
        steps.say(request.subject, f"{request.status} after {request.result_after:.2f} s")

    def _request_of(self, message: dict[str, Any]) -> Request:
        inference_id = attribute(message, "InferenceId")
        return next(request for request in self.requests if request.inference_id == inference_id)

    def _is_settled(self, request: Request) -> bool:
        if request.finding is not None or (request.kind != REJECTED and request.dead_letter_after is not None):
            return True
        # What comes last, after which only the result can be missing.
        last = request.dead_letter_after if request.kind == REJECTED else request.output_after
        if request.result_after is None and self.results.problem is None:
            return last is not None and request.after() > last + RESULT_FOLLOWS_SECONDS
        if request.kind == REJECTED:
            return last is not None
        return request.result_after is not None or last is not None

    def _others(self) -> list[Finding]:
        """Said, because it changes their receive counts."""
        counts = {"results": self.results.others, "dead letters": self.dead_letters.others}
        given_back = " and ".join(f"{count} {what}" for what, count in counts.items() if count)
        if not given_back:
            return []
        words = f"{given_back} of others were received and given back at once: their receive counts have risen"
        return [ok("other people's messages", words)]


def reason_in(body: str) -> str | None:
    """`failureReason` of a result in `notification` format."""
    try:
        return json.loads(body).get("failureReason")
    except (ValueError, AttributeError):
        return None
