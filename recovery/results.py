"""Results of inferences that failed, and the requests that ask for the same once more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from doctor.reasons import shortened

# Those that were answered well, and those whose message lies whole in RequestDeadLetterQueue.
NOT_REPLAYED = {"Completed", "Rejected"}
# Parameters of a request, and their names in a notification. Further ones SageMaker does not repeat.
PARAMETERS = {
    "EndpointName": "endpointName",
    "InputLocation": "inputLocation",
    "ContentType": "contentType",
    "Accept": "accept",
    "CustomAttributes": "customAttributes",
}
# SQS takes no empty body, and this one is not sent on: the input lies in S3.
BODY = "not sent"


class Result:
    """A result as the bridge sends it, or SageMaker's notification."""

    def __init__(self, text: str) -> None:
        """`ValueError` if it is none."""
        content = json.loads(text)
        if not isinstance(content, dict) or not isinstance(content.get("invocationStatus"), str):
            raise ValueError("no invocationStatus")
        self.status: str = content["invocationStatus"]
        self.inference_id: str = content.get("inferenceId") or ""
        # Two of the same are one result that came twice.
        self.identity = (self.inference_id, content.get("eventTime"), self.status)
        self._content = content

    @property
    def is_failed(self) -> bool:
        """Whether its inference may be tried again."""
        return self.status not in NOT_REPLAYED

    @property
    def reason(self) -> str:
        """Why it failed, as far as it says."""
        return shortened(f"{self.status}: {self._content.get('failureReason') or 'no reason given'}")

    def request(self, reply_to: str = "") -> dict[str, Any] | None:
        """SendMessage's parameters of a request for the same; None where it does not name its input."""
        known = self._content.get("requestParameters") or {}
        values = {name: known[given] for name, given in PARAMETERS.items() if known.get(given)}
        if "InputLocation" not in values or "EndpointName" not in values:
            return None
        if self.inference_id:
            values["InferenceId"] = self.inference_id
        if reply_to:
            values["ReplyTo"] = reply_to
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}
        return {"MessageBody": BODY, "MessageAttributes": attributes}


def lines(path: str) -> Iterator[tuple[str, str]]:
    """The lines of a file that have something in them, each with where it stands."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - also /dev/stdin
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"line {number}", line
