"""The requests of a run, made up from its seed: mixed in size, in the way that they come in, and in validity."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from chaos.faults import fraction
from chaos.ledger import (
    BY_HTTP,
    DIRECT,
    EVENT,
    FAILING,
    HTTP,
    HTTP_KEY,
    ONE_WAY,
    REFUSED,
    REQUESTS,
    S3,
    SNS,
    SQS,
    VALID,
    Request,
    digest,
    whole,
)
from chaos.stack import DOOMED, ECHO, FORBIDDEN, SLOW
from chaos.stack import FAILING as FAILING_ENDPOINT
from local.cases import POINTER_CLASS
from local.destinations import BUS, CALLBACK, FIFO_QUEUE, NOBODY, QUEUE, RESULTS, TASK, TOPIC
from local.pairs import PAIRS as PAIRS_OF_SOURCES

WAYS = ((SQS, 0.40), (HTTP, 0.11), (HTTP_KEY, 0.10), (DIRECT, 0.12), (S3, 0.08), (EVENT, 0.10), (SNS, 0.09))
# Each way in with each way out that it can ask for.
PAIRS = [*PAIRS_OF_SOURCES, *((HTTP_KEY, to) for way, to in PAIRS_OF_SOURCES if way == HTTP)]
# To where results are wanted.
TO = (
    (QUEUE, 0.12),
    (FIFO_QUEUE, 0.08),
    (TOPIC, 0.10),
    (BUS, 0.10),
    (NOBODY, 0.05),
    (TASK, 0.05),
    (CALLBACK, 0.04),
    (RESULTS, 0.46),
)
TO_RESULTS = ((RESULTS, 1.0),)
# Of tasks and callbacks, those that wait for so short a time that some results come too late.
HASTY = 0.15
OVER_INLINE, OVER_RESULT = 128_001, 262_145
# Of requests that name no inference id: the id that SQS, SNS or EventBridge gives them becomes it.
NAMELESS, NAMED_BY_AWS = 0.1, (SQS, SNS, EVENT)
# Of small requests: those whose model takes too long; and those of the run's first quarter to the endpoint that is
# deleted when half of all have been sent, so that it has accepted most of them by then.
EXPIRING, ENDING = 0.03, 0.1
SMALL, EXPIRES, DELETED = "small", "expires", "its endpoint is deleted"


Choices = tuple[tuple[str, float], ...]


@dataclass
class Sending:
    """A request before it is sent: `record` is what the ledger says of it."""

    record: Request
    body: bytes
    attributes: dict[str, str | int] = field(default_factory=dict)
    upload: bytes | None = None
    """What a pointer's object holds; `attributes` and `body` are completed with its place."""
    endpoint: str = ECHO
    is_hasty: bool = False
    """Whether its task or callback waits for a second only."""


@dataclass(frozen=True)
class Kind:
    """A kind of request: how often among those of its way, and how it is made from a payload."""

    name: str
    share: float
    size: tuple[int, int] = (2, 2_000)
    validity: str = VALID
    shape: Callable[[Sending, bytes], None] = lambda _sending, _payload: None


def base64_body(sending: Sending, payload: bytes) -> None:
    """Bytes travel by SQS as base64 and say so."""
    sending.body = base64.b64encode(payload)
    sending.attributes |= {"ContentEncoding": "base64", "ContentType": "application/octet-stream"}


def pointer(sending: Sending, payload: bytes) -> None:
    """As the extended clients send a payload that lies in S3."""
    sending.upload = payload


def empty(sending: Sending, _payload: bytes) -> None:
    """Without a payload."""
    sending.body = b""


def attribute(name: str, value: str | int) -> Callable[[Sending, bytes], None]:
    """With an attribute of this value."""
    return lambda sending, _payload: sending.attributes.update({name: value})


def to_endpoint(name: str) -> Callable[[Sending, bytes], None]:
    """Names another endpoint."""

    def shape(sending: Sending, _payload: bytes) -> None:
        sending.endpoint = name
        if sending.record.way not in BY_HTTP:
            sending.attributes["EndpointName"] = name

    return shape


OVER = Kind("over 128,000 bytes", 0.12, (OVER_INLINE, 250_000))
TOO_LARGE = Kind("too large for a result", 0.01, (OVER_RESULT, 400_000))
FAILS = Kind("failing endpoint", 0.05, validity=FAILING, shape=to_endpoint(FAILING_ENDPOINT))
BAD_ATTRIBUTE = Kind("bad attribute", 0.01, validity=REFUSED, shape=attribute("RequestTTLSeconds", 5))
FORBIDDEN_ENDPOINT = Kind("forbidden endpoint", 0.01, validity=REFUSED, shape=to_endpoint(FORBIDDEN))
USUAL = Kind(SMALL, 1.0)
WITH_ENCODING = (
    OVER,
    Kind("base64", 0.09, (1, 30_000), shape=base64_body),
    Kind("base64 over 128,000 bytes", 0.02, (OVER_INLINE, 180_000), shape=base64_body),
    FAILS,
    Kind("bad base64", 0.01, validity=REFUSED, shape=attribute("ContentEncoding", "base64")),
    BAD_ATTRIBUTE,
    FORBIDDEN_ENDPOINT,
)
WITH_LOCATION = (
    *WITH_ENCODING,
    TOO_LARGE,
    Kind("pointer", 0.06, (1, 200_000), shape=pointer),
    Kind("forbidden location", 0.01, validity=REFUSED, shape=attribute("InputLocation", "s3://foreign/input/x")),
    USUAL,
)
WITH_HEADERS = (OVER, FAILS, replace(BAD_ATTRIBUTE, share=0.03), replace(FORBIDDEN_ENDPOINT, share=0.03), USUAL)
# SNS takes 256 KB; an object has no place for parameters.
KINDS: Mapping[str, tuple[Kind, ...]] = {
    SQS: WITH_LOCATION,
    DIRECT: WITH_LOCATION,
    HTTP: WITH_HEADERS,
    HTTP_KEY: WITH_HEADERS,
    EVENT: (*WITH_ENCODING, USUAL),
    SNS: (*WITH_ENCODING, USUAL),
    S3: (OVER, TOO_LARGE, Kind("empty object", 0.03, validity=REFUSED, shape=empty), USUAL),
}


def sendings(
    seed: int, count: int, prefix: str = "r", to: Choices = TO, *, unanswerable: bool = False
) -> Iterator[Sending]:
    """The run's requests: the same ones for the same seed. `to`: where results are wanted, with each its share.

    `unanswerable`: some of them expire, and some are to an endpoint that does not live to answer them. Before these, a
    small one goes by every pair of ways.
    """
    pairs = PAIRS if unanswerable else []
    for number, (way, destination) in enumerate(pairs[:count]):
        sending = sending_of(seed, number, f"{prefix}-{seed}-{number}", way, (USUAL,))
        sending.record.to = destination
        yield sending
    for number in range(len(pairs), count):
        way = pick(WAYS, fraction(seed, "way", number))
        sending = sending_of(seed, number, f"{prefix}-{seed}-{number}", way, KINDS[way])
        if unanswerable and sending.record.kind == SMALL and way != S3:
            make_unanswerable(sending, fraction(seed, "end", number), is_early=number < count // 4)
        sending.record.to = destination_of(sending.record, pick(to, fraction(seed, "to", number)))
        sending.is_hasty = fraction(seed, "hasty", number) < HASTY
        yield sending


def make_unanswerable(sending: Sending, at: float, *, is_early: bool) -> None:
    """Turns a few requests into such as their model never answers."""
    if at < EXPIRING:
        sending.record.kind = EXPIRES
        sending.attributes["InvocationTimeoutSeconds"] = 1
        to_endpoint(SLOW)(sending, b"")
    elif is_early and at < EXPIRING + ENDING:
        sending.record.kind = DELETED
        to_endpoint(DOOMED)(sending, b"")


def destination_of(record: Request, way: str) -> str:
    """Where a result is wanted, if that can be asked for. Nobody can poll for an unknown failure."""
    cannot_poll = way == NOBODY and (record.validity == FAILING or record.kind in (EXPIRES, DELETED))
    return RESULTS if cannot_poll or (record.way, way) not in PAIRS else way


def sending_of(seed: int, number: int, inference_id: str, way: str, kinds: tuple[Kind, ...]) -> Sending:
    """The request of this number: of one of these kinds."""
    kind = pick(tuple((kind, kind.share) for kind in kinds), fraction(seed, "kind", number))
    low, high = kind.size
    payload = payload_of(seed, number, low + int(fraction(seed, "size", number) * (high - low)))
    record = Request(inference_id, way, kind.name, kind.validity, output=digest(payload))
    sending = Sending(record, payload)
    if way not in NAMED_BY_AWS or fraction(seed, "nameless", number) >= NAMELESS:
        sending.attributes["InferenceId"] = inference_id
    kind.shape(sending, payload)
    return sending


def pick(choices: tuple[tuple, ...], at: float):
    """The choice in whose share this point lies; the last one takes the rest."""
    for choice, share in choices:
        at -= share
        if at < 0:
            return choice
    return choices[-1][0]


def payload_of(seed: int, number: int, size: int) -> bytes:
    """A text that no other request has, of this size or a little more, and that is no base64."""
    text = json.dumps({"seed": seed, "n": number, "fill": ""}).encode()
    return text + b"." * max(size - len(text), 0)


def complete(sending: Sending, bucket: str, address: Mapping[str, str]) -> None:
    """Fills in what depends on the stack, and the digest by which a dead letter is recognised."""
    sending.attributes |= address
    if sending.record.to == NOBODY:
        # The name of the output, by which its sender polls for it.
        sending.attributes["Filename"] = sending.record.token = f"{sending.record.id}.out"
    if sending.upload is not None and sending.record.way == DIRECT:
        # Pointers are SQS's.
        sending.attributes["InputLocation"] = f"s3://{bucket}/{pointer_key(sending)}"
    elif sending.upload is not None:
        place = {"s3BucketName": bucket, "s3Key": pointer_key(sending)}
        sending.body = json.dumps([POINTER_CLASS, place]).encode()
        sending.attributes["ExtendedPayloadSize"] = len(sending.upload)
    if sending.record.way == S3:
        sending.record.whole = whole("", {"InputLocation": f"s3://{bucket}/{request_key(sending)}"})
    elif sending.record.way in ONE_WAY:
        sending.record.whole = whole(sending.body.decode(), {k: str(v) for k, v in sending.attributes.items()})


def request_key(sending: Sending) -> str:
    """Where an object is a request."""
    return REQUESTS + sending.record.id


def pointer_key(sending: Sending) -> str:
    """Where a pointer's object lies: under the prefix that is allowed."""
    return f"input/pointers/{sending.record.id}"
