"""The four kinds of requests, and how each is sent."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from doctor.commands import log
from doctor.faults import in_words, raise_if_fatal
from doctor.finding import Finding, cannot_tell, wrong
from doctor.send.http import Answer, Caller
from doctor.send.payload import Payload
from doctor.stack import DEFAULT_INLINE_LIMIT_BYTES, Stack

INLINE, THROUGH_S3, BY_HTTP, REJECTED = "inline", "through S3", "by HTTP", "to be rejected"
# Sent as base64, which it is not: no endpoint is asked about it.
NOT_BASE64 = "this is not base64!"


@dataclass
class Request:
    """A request on its way. The inference id is how its messages are known, the file name how its output is."""

    kind: str
    inference_id: str
    filename: str
    sent_at: float = field(default_factory=time.monotonic)
    # What became of it: seconds since it was sent.
    accepted_after: float | None = None
    result_after: float | None = None
    dead_letter_after: float | None = None
    output_after: float | None = None
    # What the result and the dead letter say.
    status: str | None = None
    reason: str | None = None
    output: str | None = None
    url: str | None = None
    # It was not sent, or what came of it needs no waiting.
    finding: Finding | None = None

    @property
    def subject(self) -> str:
        """Its name in the table."""
        return f"request {self.kind}"

    def after(self) -> float:
        """Seconds since it was sent."""
        return time.monotonic() - self.sent_at

    def attributes(self) -> dict[str, str]:
        """The attributes by which it is known."""
        return {"InferenceId": self.inference_id, "Filename": self.filename}


def new_requests() -> list[Request]:
    """One of each kind, with ids that no other run has."""
    run = uuid.uuid4().hex[:12]
    names = {INLINE: "inline", THROUGH_S3: "s3", BY_HTTP: "http", REJECTED: "bad"}
    # At most 32 characters, with one dot: SageMaker's rule for Filename.
    return [Request(kind, f"doctor-{run}-{name}", f"doctor-{run}-{name}.out") for kind, name in names.items()]


class Sender:
    """Sends requests to one stack."""

    def __init__(self, stack: Stack, payload: Payload, token: str | None) -> None:
        self._stack = stack
        self.payload = payload
        self._token = token

    def send(self, request: Request) -> None:
        """Sends it; what keeps it from being sent becomes its finding."""
        ways = {INLINE: self._inline, THROUGH_S3: self._through_s3, BY_HTTP: self._by_http, REJECTED: self._rejected}
        request.sent_at = time.monotonic()
        try:
            ways[request.kind](request)
        except (BotoCoreError, ClientError) as error:
            raise_if_fatal(error)
            request.finding = cannot_tell(request.subject, f"not sent: {in_words(error)}")
        except OSError as error:
            words = f"no answer: {error}"
            request.finding = wrong(request.subject, words, *log_commands(self._stack, "SubmitFunction"))

    @property
    def _inline_limit(self) -> int:
        return int(self._stack.variable("SubmitFunction", "BRIDGE_INLINE_LIMIT_BYTES", str(DEFAULT_INLINE_LIMIT_BYTES)))

    def _inline(self, request: Request) -> None:
        limit, size = self._inline_limit, len(self.payload.content)
        if 0 < limit < size:
            words = f"not sent: PAYLOAD has {size:,} bytes, and {limit:,} go inline"
            request.finding = cannot_tell(request.subject, words)
            return
        self._queue(request, self.payload)

    def _through_s3(self, request: Request) -> None:
        longer = self.payload.longer_than(self._inline_limit)
        if longer is None:
            words = (
                f"not sent: it takes a PAYLOAD of more than {self._inline_limit:,} bytes, and only JSON can be padded"
            )
            request.finding = cannot_tell(request.subject, words)
            return
        self._queue(request, longer)

    def _queue(self, request: Request, payload: Payload) -> None:
        message = payload.message()
        if message is None:
            request.finding = cannot_tell(request.subject, "not sent: PAYLOAD is too large for a message")
            return
        body, attributes = message
        self._send_message(request, body, attributes)

    def _rejected(self, request: Request) -> None:
        self._send_message(request, NOT_BASE64, {"ContentEncoding": "base64"})

    def _send_message(self, request: Request, body: str, attributes: dict[str, str]) -> None:
        given = {**attributes, **request.attributes()}
        self._stack.aws.client("sqs").send_message(
            QueueUrl=self._stack.outputs["RequestQueueUrl"],
            MessageBody=body,
            MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in given.items()},
        )

    def _by_http(self, request: Request) -> None:
        caller = self.caller()
        if caller is None:
            request.finding = cannot_tell(request.subject, "not sent: HttpAuth is JWT, and no TOKEN is given")
            return
        url = self._stack.variable("SubmitFunction", "BRIDGE_API_URL", self._stack.outputs["ApiUrl"]).rstrip("/")
        headers = {
            **self.payload.headers(),
            "X-Amzn-SageMaker-Inference-Id": request.inference_id,
            "X-Amzn-SageMaker-Filename": request.filename,
        }
        answer = caller.call("POST", f"{url}/invocations", self.payload.content, headers)
        if answer.status == 202:
            request.accepted_after = request.after()
            request.output = answer.headers.get("x-amzn-sagemaker-outputlocation")
            request.url = answer.headers.get("location")
        else:
            request.finding = self._refused(request, answer)

    def output_status(self, request: Request) -> int | str:
        """Status of GET of the request's Location."""
        caller = self.caller()
        if caller is None or request.url is None:
            return "nothing: there is no Location"
        try:
            return caller.call("GET", request.url).status
        except OSError as error:
            return f"nothing: {error}"

    def _refused(self, request: Request, answer: Answer) -> Finding:
        """What an answer other than 202 says."""
        kind = answer.headers.get("x-amzn-errortype", "")
        words = f"POST /invocations answered {answer.status} {kind}".rstrip()
        if answer.status in (401, 403):
            lacking = {"AWS_IAM": "the credentials lack execute-api:Invoke", "JWT": "TOKEN is not accepted"}
            words = f"{words}: {lacking.get(self._stack.parameters.get('HttpAuth', ''), 'refused')}"
            return cannot_tell(request.subject, words)
        if answer.status == 413:
            return cannot_tell(request.subject, f"{words}: PAYLOAD is too large for the gateway")
        return wrong(request.subject, words, *log_commands(self._stack, "SubmitFunction"))

    def caller(self) -> Caller | None:
        """Who calls the HTTP API; None if that cannot be."""
        auth = self._stack.parameters.get("HttpAuth", "AWS_IAM")
        if auth == "JWT":
            return Caller(self._stack.region, token=self._token) if self._token else None
        credentials = self._stack.aws.session.get_credentials() if auth == "AWS_IAM" else None
        return Caller(self._stack.region, credentials=credentials and credentials.get_frozen_credentials())


def log_commands(stack: Stack, *functions: str) -> list[str]:
    """Commands that show what the functions say of it."""
    return [log(stack.resources[function.replace("Function", "LogGroup")]) for function in functions]
