"""Why a message lies in a dead-letter queue, as far as it says. No payload is shown."""

from __future__ import annotations

import json
from typing import Any

REASON_LIMIT = 160


def reason(message: dict[str, Any]) -> str:
    """Why a message is there, as far as it says."""
    for name in ("FailureReason", "ErrorMessage"):
        given = message.get("MessageAttributes", {}).get(name, {}).get("StringValue")
        if given:
            return shortened(given)
    source = message["Attributes"].get("DeadLetterQueueSourceArn", "")
    return of_invocation(message["Body"]) or (
        f"too many receipts from {source.rsplit(':', 1)[-1]}" if source else "no reason given"
    )


def of_invocation(body: str) -> str | None:
    """The error in Lambda's record of an invocation that failed; None if the body is something else."""
    try:
        record = json.loads(body)
        condition = record["requestContext"]["condition"]
        response = record.get("responsePayload") or {}
        return shortened(f"{condition}: {response.get('errorType', 'no error')}: {response.get('errorMessage', '')}")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def shortened(text: str) -> str:
    """On one line, and not the whole of a long one."""
    line = " ".join(text.split())
    return line if len(line) <= REASON_LIMIT else f"{line[:REASON_LIMIT]} …"
