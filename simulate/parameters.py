"""What is simulated: the tables of a TOML file, with a default for each value."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any


class ParameterError(ValueError):
    """A parameter that is unknown, or has a value that it cannot have."""


@dataclass(frozen=True)
class Traffic:
    """When requests are sent, and how large they are."""

    hours: float = 24
    rate: float = 1.0  # requests a second, the average of the day without its bursts
    arrivals: str = "random"  # or "even": the same distance between all
    swing: float = 0.8  # of the day's curve: 0 is flat, 1 falls to nothing at midnight and doubles at noon
    bursts: int = 4  # spread evenly over the day
    burst_requests: int = 1000
    burst_seconds: float = 60
    payload_bytes: int = 2_000
    output_bytes: int = 2_000
    seed: int = 1


@dataclass(frozen=True)
class Bridge:
    """The stack: parameters of template.yaml, and how long its functions take."""

    max_concurrency: int = 10
    batch_size: int = 10
    max_receive_count: int = 5
    visibility_timeout: float = 180
    inline_limit_bytes: int = 128_000
    notification_delivery: str = "DIRECT"  # or "QUEUE"
    watch_unanswered: bool = False
    deduplicate: bool = False
    memory_mb: int = 256
    lambda_concurrency: int = 1000  # that the account leaves to collect with DIRECT
    submit_seconds: float = 0.02
    submit_message_seconds: float = 0.001
    s3_put_seconds: float = 0.025
    sns_seconds: float = 0.05
    collect_seconds: float = 0.03
    collect_message_seconds: float = 0.006


@dataclass(frozen=True)
class Endpoint:
    """The endpoint: examples/endpoint.yaml, the model, and what SageMaker accepts."""

    initial_instances: int = 1
    min_instances: int = 0
    max_instances: int = 2
    concurrency: int = 4  # MaxConcurrentInvocationsPerInstance
    model_seconds: float = 2.0
    model_variation: float = 0.0  # standard deviation by mean; 0: always the same
    start_seconds: float = 300  # from the decision until an instance serves
    request_ttl_seconds: float = 21_600
    invocation_timeout_seconds: float = 900
    accepted_per_second: float = 0  # InvokeEndpointAsync calls above it are throttled; 0: no limit


@dataclass(frozen=True)
class Scaling:
    """The two policies of examples/endpoint.yaml."""

    enabled: bool = True
    target: float = 5  # ApproximateBacklogSizePerInstance
    scale_out_cooldown: float = 300
    scale_in_cooldown: float = 300
    from_zero: bool = True  # the step policy on HasBacklogWithoutCapacity
    from_zero_cooldown: float = 300


@dataclass(frozen=True)
class Prices:
    """US dollars, us-east-1."""

    instance_hour: float = 1.408  # ml.g5.xlarge
    lambda_million: float = 0.20
    lambda_gb_second: float = 0.0000133334  # arm64
    sqs_million: float = 0.40  # each 64 KB are one request
    sns_million: float = 0.50  # each 64 KB are one request; deliveries to Lambda and SQS are free
    s3_put_thousand: float = 0.005
    s3_get_thousand: float = 0.0004
    logs_gb: float = 0.50
    log_bytes: int = 2_000  # of both functions for a request


@dataclass(frozen=True)
class Parameters:
    """All of it."""

    traffic: Traffic = field(default_factory=Traffic)
    bridge: Bridge = field(default_factory=Bridge)
    endpoint: Endpoint = field(default_factory=Endpoint)
    scaling: Scaling = field(default_factory=Scaling)
    prices: Prices = field(default_factory=Prices)


# By annotation: what TOML may have for it.
KINDS: Mapping[str, tuple[type, ...]] = {"float": (int, float), "int": (int,), "bool": (bool,), "str": (str,)}
CHOICES = {"arrivals": ("random", "even"), "notification_delivery": ("DIRECT", "QUEUE")}
# The bounds of template.yaml and of SageMaker's API, and those without which nothing would move.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "hours": (0.001, 24 * 31),
    "swing": (0, 1),
    "payload_bytes": (0, 1_048_576),
    "burst_seconds": (0, 86_400),
    "max_concurrency": (2, 1000),
    "batch_size": (1, 10),
    "max_receive_count": (5, 100),
    "inline_limit_bytes": (0, 128_000),
    "memory_mb": (128, 10_240),
    "lambda_concurrency": (1, 1_000_000),
    "concurrency": (1, 1000),
    "model_seconds": (0.001, 3600),
    "request_ttl_seconds": (60, 21_600),
    "invocation_timeout_seconds": (1, 3600),
    "target": (0.001, 1e9),
}


def read(path: Path | None, settings: Iterable[str] = ()) -> Parameters:
    """A file's parameters, changed by settings such as `traffic.rate=5`."""
    tables: dict[str, Any] = {}
    if path is not None:
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ParameterError(f"{path}: {error}") from error
    for setting in settings:
        name, separator, text = setting.partition("=")
        table, dot, key = name.strip().partition(".")
        if not (separator and dot):
            raise ParameterError(f"{setting}: must be TABLE.NAME=VALUE, such as traffic.rate=5")
        tables.setdefault(table, {})[key] = value_of(text.strip())
    return parameters_of(tables)


def value_of(text: str) -> Any:
    """A value as TOML has it; a bare word is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def parameters_of(tables: Mapping[str, Any]) -> Parameters:
    """Parameters from the tables of a TOML file."""
    parameters = Parameters()
    known = [one.name for one in fields(parameters)]
    for table, values in tables.items():
        if table not in known:
            raise ParameterError(f"{table}: no such table; there are {', '.join(known)}")
        if not isinstance(values, dict):
            raise ParameterError(f"{table}: must be a table")
        part = getattr(parameters, table)
        checked = {name: check(table, name, value, part) for name, value in values.items()}
        parameters = replace(parameters, **{table: replace(part, **checked)})
    endpoint = parameters.endpoint
    if not endpoint.min_instances <= endpoint.max_instances or endpoint.max_instances < 1:
        raise ParameterError("endpoint.max_instances: must be at least 1 and at least endpoint.min_instances")
    return parameters


def check(table: str, name: str, value: Any, part: Any) -> Any:
    """A value that its parameter may have."""
    names = [one.name for one in fields(part)]
    if name not in names:
        raise ParameterError(f"{table}.{name}: no such parameter; there are {', '.join(names)}")
    kind = part.__annotations__[name]
    if type(value) not in KINDS[kind]:
        raise ParameterError(f"{table}.{name}: must be {kind}, not {value!r}")
    if name in CHOICES and value not in CHOICES[name]:
        raise ParameterError(f"{table}.{name}: must be {' or '.join(CHOICES[name])}, not {value}")
    if kind in ("int", "float"):
        low, high = BOUNDS.get(name, (0, float("inf")))
        if not low <= value <= high:
            raise ParameterError(f"{table}.{name}: must be from {low:g} to {high:g}, not {value:g}")
    return value
