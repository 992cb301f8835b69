"""What a run wrote down: every request, every result, every dead letter, every call through the proxy, every kill."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from local.destinations import RESULTS
from local.sources import DIRECT, EVENT, HTTP, S3, SQS
from local.sources import TOPIC as SNS

# Validity of a request: what the bridge has to do with it.
VALID, FAILING, REFUSED = "valid", "failing model", "to be refused"
# What its sender knows after having sent it.
ACCEPTED, TURNED_DOWN, UNKNOWN = "accepted", "turned down", "unknown"
HTTP_KEY = "HTTP with Idempotency-Key"
BY_HTTP = (HTTP, HTTP_KEY)
# Ways whose sender asks again after an error.
ASKING_AGAIN = (HTTP_KEY, DIRECT)
# Ways whose sender waits for no answer: what can never succeed lies in the dead-letter queue.
ONE_WAY = (SQS, S3, EVENT, SNS)
# Where objects are requests. Their inference ids are hashes that nobody knows beforehand: the ledger has their names.
REQUESTS = "requests/"
# What `submit` adds to the attributes of a message that it puts into the dead-letter queue.
REASON = "FailureReason"


@dataclass
class Request:
    """A request, and what its sender knows of it."""

    id: str
    """Its inference id."""
    way: str
    kind: str
    validity: str
    sent: str = ACCEPTED
    status: int = 0
    """By HTTP: of the last answer."""
    tries: int = 1
    """By HTTP and direct invocation: how often the sender asked."""
    whole: str = ""
    """By SQS, EventBridge, SNS: digest of body and attributes, by which a dead letter must be recognised. By S3: of the
    object's location."""
    output: str = ""
    """Digest of the output of a model that echoes."""
    to: str = RESULTS
    """The way by which the sender wants the result."""
    token: str = ""
    """Name of the task or callback that waits for the result."""
    timed_out: bool = False
    """Whether that waits no more, and has no result."""


@dataclass
class Result:
    """A result, wherever it came: a message, the end of a task or callback, an output that its sender polled for."""

    id: str
    status: str
    location: str | None = None
    output: str | None = None
    """Digest of its output."""
    way: str = RESULTS
    token: str = ""
    """Name of the task or callback that it ended."""
    swept: bool = False
    """Whether no notification brought it: the sweep found the request."""


@dataclass
class DeadLetter:
    """A message of a dead-letter queue; `whole` as in `Request`, for a notification whether it still is one.

    `id`: its inference id. A request that named none is known by `whole` alone once `submit` has put it there, because
    it is a new message then.
    """

    id: str
    whole: str
    location: str | None = None
    reason: str | None = None
    """Of a request: what `submit` said. None: SQS moved it there."""


@dataclass
class Call:
    """A call through the proxy. `status` None: it was not answered."""

    at: float
    service: str
    operation: str
    sdkCall: str  # noqa: N815 - as in the proxy's log
    subjects: list[list[str | None]]
    fault: str | None
    forwarded: bool
    status: int | None
    swept: bool = False
    """Of a call that sends results: whether they are the sweep's."""
    results: list[list[str]] = field(default_factory=list)
    """Of such a call: each result's inference id, as it has it, and status."""


@dataclass
class Hurried:
    """A record whose time was made to pass: it was moved to a key of long ago."""

    at: float
    key: str
    to: str


@dataclass
class Kill:
    """A function's process that was killed."""

    at: float
    function: str
    signal: str
    process: int = 0
    begun: float | None = None
    """It came between this time and `at`, a moment apart unless the killer gets no turn. None: at `at`."""


@dataclass
class Timeout:
    """A function that Lambda ended because its time had run out."""

    at: float
    function: str


@dataclass
class Line:
    """A line that a function's process wrote, of metrics or of an outcome."""

    at: float
    function: str
    process: int
    counts: dict[str, int]
    """How often it says, or should be counted as, each metric; nothing for a result that could not be sent."""
    is_metrics: bool = False
    about: str = ""
    """Of an acceptance: its output's name; of a result: its inference id; of a failure: the message's or call's id."""
    is_asked: bool = False
    """Of a failure: whether the sender waits for the answer."""
    is_sent: bool | None = None
    """Of a result: whether it was sent, or nobody wants it."""


@dataclass
class Collected:
    """Where the requests ended."""

    results: list[Result] = field(default_factory=list)
    request_dead_letters: list[DeadLetter] = field(default_factory=list)
    notification_dead_letters: list[DeadLetter] = field(default_factory=list)
    event_dead_letters: list[DeadLetter] = field(default_factory=list)


@dataclass(kw_only=True)
class Ledger(Collected):
    """All of it."""

    seed: int = 0
    requests: list[Request] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    timeouts: list[Timeout] = field(default_factory=list)
    hurried: list[Hurried] = field(default_factory=list)
    lines: list[Line] | None = None
    """What the functions wrote, if that was copied."""
    remembered: list[str] = field(default_factory=list)
    """Keys of the records that are left at the end, when everything has been swept."""
    injected: dict[str, int] = field(default_factory=dict)
    """How often each fault happened."""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each part of the run took."""

    def take(self, collected: Collected) -> None:
        """Adds where the requests ended."""
        for name, entries in vars(collected).items():
            setattr(self, name, entries)

    def save(self, path: Path) -> None:
        """Writes it as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self)) + "\n", encoding="utf-8")


def load(path: Path) -> Ledger:
    """Reads what `save` wrote."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    kinds = {
        "requests": Request,
        "results": Result,
        "request_dead_letters": DeadLetter,
        "notification_dead_letters": DeadLetter,
        "event_dead_letters": DeadLetter,
        "calls": Call,
        "kills": Kill,
        "timeouts": Timeout,
        "hurried": Hurried,
        "lines": Line,
    }
    for name, kind in kinds.items():
        if document.get(name) is not None:
            document[name] = [kind(**entry) for entry in document[name]]
    return Ledger(**document)


def named(inference_id: str, input_location: str | None) -> str:
    """The id by which the ledger knows a request: of an object that is one, its name."""
    _, is_object, name = (input_location or "").rpartition(f"/{REQUESTS}")
    return name if is_object else inference_id


def whole(body: str, attributes: Mapping[str, str]) -> str:
    """Digest of a message: body and attributes, but for the one that a rejection adds; of an object, its location."""
    location = attributes.get("InputLocation", "")
    if f"/{REQUESTS}" in location:
        return digest(location.encode())
    sent = sorted((name, value) for name, value in attributes.items() if name != REASON)
    return digest(json.dumps([body, sent]).encode())


def digest(content: bytes) -> str:
    """A short name for bytes."""
    return hashlib.sha256(content).hexdigest()[:24]


def read_calls(path: Path) -> list[Call]:
    """The proxy's log; a line that a kill cut short is left out."""
    calls = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            calls.append(Call(**json.loads(line)))
        except ValueError:
            continue
    return calls


def read_timeouts(log: Path) -> list[Timeout]:
    """What ministack logged of functions that it ended; to the second, in local time."""
    found = re.findall(
        r"^(\S+ \S+) \w+ \[.*?\] Lambda (\S+): Task timed out", log.read_text(encoding="utf-8"), re.MULTILINE
    )
    return [
        Timeout(datetime.fromisoformat(at).timestamp(), "collect" if "ollect" in name else "submit")
        for at, name in found
    ]
