"""Which call meets which fault, decided by a seed; and what a refused call is answered, in each service's protocol."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

# In the order in which a call's lot is compared with their rates.
EXPIRED, THROTTLED, UNAVAILABLE, DROPPED_BEFORE, DROPPED_AFTER, DELAYED = (
    "expired",
    "throttled",
    "unavailable",
    "dropped-before",
    "dropped-after",
    "delayed",
)
FAULTS = (EXPIRED, THROTTLED, UNAVAILABLE, DROPPED_BEFORE, DROPPED_AFTER, DELAYED)
REFUSALS = (EXPIRED, THROTTLED, UNAVAILABLE)

# `sns` is called by SageMaker, `topics` by the bridge.
SERVICES = ("sagemaker", "s3", "sqs", "sns", "topics", "events", "states", "lambda")

# What AWS answers: status and code, by service.
ANSWERS: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "sagemaker": {
        EXPIRED: (403, "ExpiredTokenException"),
        THROTTLED: (400, "ThrottlingException"),
        UNAVAILABLE: (503, "ServiceUnavailable"),
    },
    "s3": {EXPIRED: (400, "ExpiredToken"), THROTTLED: (503, "SlowDown"), UNAVAILABLE: (500, "InternalError")},
    "sqs": {
        EXPIRED: (403, "ExpiredTokenException"),
        THROTTLED: (400, "ThrottlingException"),
        UNAVAILABLE: (503, "ServiceUnavailable"),
    },
    "sns": {EXPIRED: (403, "ExpiredToken"), THROTTLED: (400, "Throttling"), UNAVAILABLE: (503, "ServiceUnavailable")},
    "topics": {
        EXPIRED: (403, "ExpiredToken"),
        THROTTLED: (400, "Throttling"),
        UNAVAILABLE: (503, "ServiceUnavailable"),
    },
    "events": {
        EXPIRED: (400, "ExpiredTokenException"),
        THROTTLED: (400, "ThrottlingException"),
        UNAVAILABLE: (500, "InternalException"),
    },
    "states": {
        EXPIRED: (400, "ExpiredTokenException"),
        THROTTLED: (400, "ThrottlingException"),
        UNAVAILABLE: (503, "ServiceUnavailable"),
    },
    "lambda": {
        EXPIRED: (403, "ExpiredTokenException"),
        THROTTLED: (429, "TooManyRequestsException"),
        UNAVAILABLE: (500, "ServiceException"),
    },
}


def fraction(*parts: object) -> float:
    """A number from 0 to 1, without 1, that only these parts decide."""
    digest = hashlib.blake2b(":".join(map(str, parts)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / (1 << 53)


def lot(seed: int, service: str, number: int, rates: Mapping[str, float]) -> str | None:
    """The fault that a service's call of this number meets: at most one."""
    at = fraction(seed, service, number)
    for fault in FAULTS:
        at -= rates.get(fault, 0.0)
        if at < 0:
            return fault
    return None


def check_plan(plan: Mapping[str, Any]) -> None:
    """Refuses a plan with a name that is none, or with rates that are none."""
    for service, rates in plan.get("services", {}).items():
        if service not in SERVICES:
            raise ValueError(f"{service} is none of {', '.join(SERVICES)}")
        for fault, rate in rates.items():
            if fault not in FAULTS or not 0 <= rate <= 1:
                raise ValueError(f"{service}: {fault}={rate} is no rate of {', '.join(FAULTS)}")
        if sum(rates.values()) > 1:
            raise ValueError(f"{service}: the rates add up to more than 1")


def refusal(service: str, fault: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer with which a service refuses a call."""
    status, code = ANSWERS[service][fault]
    message = f"{code}, on purpose"
    if service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>chaos</RequestId></Error>"
        return status, {"content-type": "application/xml"}, body.encode()
    if service in ("sns", "topics"):
        inner = f"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
        body = f"<ErrorResponse><Error>{inner}</Error><RequestId>chaos</RequestId></ErrorResponse>"
        return status, {"content-type": "text/xml"}, body.encode()
    if service in ("sqs", "events", "states"):
        body = f'{{"__type":"com.amazonaws.{service}#{code}","message":"{message}"}}'
        version = "1.1" if service == "events" else "1.0"
        return status, {"content-type": f"application/x-amz-json-{version}"}, body.encode()
    headers = {"content-type": "application/json", "x-amzn-errortype": code}
    return status, headers, f'{{"Message":"{message}"}}'.encode()
