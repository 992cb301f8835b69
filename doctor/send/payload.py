"""What the requests carry: a payload of the user's, or one that an echo takes."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

JSON = "application/json"
OWN_CONTENT = b'{"inputs": "sagemaker-async-bridge doctor"}'
# What SQS takes in a body: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
NOT_IN_A_BODY = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MESSAGE_LIMIT_BYTES = 1_048_576
# Left for the message's attributes.
ATTRIBUTES_BYTES = 4_096


@dataclass(frozen=True)
class Payload:
    """A payload and the parameters that go with it. `is_own`: it is the doctor's, which a model need not take."""

    content: bytes = OWN_CONTENT
    content_type: str = JSON
    accept: str | None = None
    custom_attributes: str | None = None
    is_own: bool = True

    @classmethod
    def of(cls, path: str | None, content_type: str | None, accept: str | None, custom: str | None) -> Payload:
        """From the command line; `OSError` if the file cannot be read."""
        own = cls(content_type=content_type or JSON, accept=accept, custom_attributes=custom)
        return own if path is None else replace(own, content=Path(path).read_bytes(), is_own=False)

    def longer_than(self, limit_bytes: int) -> Payload | None:
        """The same, grown beyond a limit by blanks, which mean nothing at the end of JSON.

        None: it is no JSON, and what its type makes of blanks is not known.
        """
        if len(self.content) > limit_bytes:
            return self
        try:
            json.loads(self.content)
        except ValueError:
            return None
        return replace(self, content=self.content.ljust(limit_bytes + 1))

    def message(self) -> tuple[str, dict[str, str]] | None:
        """Body and attributes of an SQS message. None: it is too large for one."""
        attributes = {
            "ContentType": self.content_type,
            "Accept": self.accept,
            "CustomAttributes": self.custom_attributes,
        }
        given = {name: value for name, value in attributes.items() if value}
        try:
            body = self.content.decode()
        except UnicodeDecodeError:
            body = ""
        if not body or NOT_IN_A_BODY.search(body):
            body = base64.b64encode(self.content).decode()
            given["ContentEncoding"] = "base64"
        is_too_large = len(body.encode()) + ATTRIBUTES_BYTES > MESSAGE_LIMIT_BYTES
        return None if is_too_large else (body, given)

    def headers(self) -> dict[str, str]:
        """The same as headers of a request by HTTP."""
        headers = {
            "Content-Type": self.content_type,
            "X-Amzn-SageMaker-Accept": self.accept,
            "X-Amzn-SageMaker-Custom-Attributes": self.custom_attributes,
        }
        return {name: value for name, value in headers.items() if value}
