"""Results of sagemaker-async-bridge: what a message's body says, as types. The body's schema is schemas/result.json."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# `s3://bucket/key` or `https://bucket.s3.region.amazonaws.com/key`. A key stands for itself: never URL-decode it.
LOCATION = re.compile(r"(?:s3://([^/]+)|https://([^/]+?)\.s3[.-][^/]+)/(.+)", re.DOTALL)

# Gives the bytes of an object, by bucket and key.
Fetch = Callable[[str, str], bytes]


@dataclass(frozen=True)
class Completed:
    """The model has answered."""

    inference_id: str
    endpoint_name: str | None
    content_type: str | None
    custom_attributes: str | None
    output: bytes


@dataclass(frozen=True)
class Failed:
    """The model failed, or the request expired. `status` is SageMaker's word for it, `Failed` as a rule."""

    inference_id: str
    endpoint_name: str | None
    status: str
    reason: str
    failure_output: bytes | None


@dataclass(frozen=True)
class Rejected:
    """The request was not sent to the model and never will be; the message is in the dead-letter queue."""

    inference_id: str
    endpoint_name: str | None
    reason: str


@dataclass(frozen=True)
class Unanswered:
    """The answer is overdue. It may still come, as one more result."""

    inference_id: str
    endpoint_name: str | None
    reason: str


Result = Completed | Failed | Rejected | Unanswered


class Notification:
    """What a message's body says, before a large output is fetched."""

    def __init__(self, body: str, message_id: str) -> None:
        """`message_id` stands in for an inference id, though SageMaker always gave one so far.

        Raises ValueError, KeyError or TypeError if the body is no result.
        """
        self._fields: dict[str, Any] = json.loads(body)
        self.status = str(self._fields["invocationStatus"])
        self.inference_id = str(self._fields.get("inferenceId") or message_id)

    @property
    def key(self) -> str:
        """The same for each delivery of this result: its status and its request's inference id."""
        return f"{self.status}/{self.inference_id}"

    def result(self, fetch: Fetch) -> Result:
        """The result with its output, which `fetch` gets if it is too large for a message."""
        request = self._fields.get("requestParameters") or {}
        endpoint_name = request.get("endpointName")
        reason = str(self._fields.get("failureReason") or self.status)
        match self.status:
            case "Completed":
                response = self._fields.get("responseParameters") or {}
                output = self._response(fetch)
                if output is None:
                    raise ValueError("a completed result has neither an output nor its location")
                custom_attributes = request.get("customAttributes")
                return Completed(
                    self.inference_id, endpoint_name, response.get("contentType"), custom_attributes, output
                )
            case "Rejected":
                return Rejected(self.inference_id, endpoint_name, reason)
            case "Unanswered":
                return Unanswered(self.inference_id, endpoint_name, reason)
            case _:
                return Failed(self.inference_id, endpoint_name, self.status, reason, self._response(fetch))

    def _response(self, fetch: Fetch) -> bytes | None:
        """What the model said: from the message, or else from where it lies."""
        if body := self._fields.get("responseBody"):
            return decoded(body["content"], body["encoding"])
        response = self._fields.get("responseParameters") or {}
        location = response.get("outputLocation")
        # A failure output has a length if it is there, and may have a location though it is not.
        if location is None and "contentLength" in response:
            location = response.get("failureLocation")
        return None if location is None else fetch(*bucket_and_key(location))


def decoded(content: str, encoding: str) -> bytes:
    """The bytes of a `responseBody`."""
    match encoding:
        case "UTF8":
            return content.encode()
        case "BASE64":
            return base64.b64decode(content, validate=True)
        case _:
            raise ValueError(f"unknown encoding {encoding}: it must be UTF8 or BASE64")


def bucket_and_key(location: str) -> tuple[str, str]:
    """The object at a location."""
    found = LOCATION.fullmatch(location)
    if not found:
        raise ValueError("the output's location is no S3 object: it must be s3://bucket/key")
    bucket, bucket_of_url, key = found.groups()
    return bucket or bucket_of_url, key
