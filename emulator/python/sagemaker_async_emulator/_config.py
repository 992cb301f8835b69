"""What an endpoint is to be like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ._model import Model


@dataclass(frozen=True)
class Config:
    """An endpoint, the model that it runs and the faults that befall it.

    Attributes:
        model: A function from `ModelRequest` to its response, which runs in a thread of this process; or a model of the
            emulator's command line: `echo`, `fail`, `fail:STATUS`, `sleep:SECONDS`, `size:BYTES`, `http://host:port`.
        name: The endpoint's name, as `EndpointName` takes it.
        faults: Names of faults and their rates from 0 to 1, or seconds: `{"throttling": 0.1, "lost-notification": 1}`.
        region: The region of ARNs and clients.
        options: Further options of the emulator's command line, such as `["--instances", "2", "--time-scale", "60"]`.
    """

    model: str | Model = "echo"
    name: str = "demo"
    faults: Mapping[str, float] = field(default_factory=dict)
    region: str = "us-east-1"
    options: Sequence[str] = ()
