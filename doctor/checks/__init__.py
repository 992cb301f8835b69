"""The checks by family, in the order of the table. One more is one function here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from doctor.checks import (
    alarms,
    concurrency,
    dead_letters,
    endpoints,
    execution_role,
    functions,
    mappings,
    outputs,
    queues,
    subscriptions,
    whole,
)
from doctor.finding import Finding
from doctor.stack import Stack

CHECKS: dict[str, Callable[[Stack], Iterable[Finding]]] = {
    "stack": whole.check,
    "endpoints": endpoints.check,
    "outputs": outputs.check,
    "execution-role": execution_role.check,
    "subscriptions": subscriptions.check,
    "queues": queues.check,
    "mappings": mappings.check,
    "functions": functions.check,
    "dead-letters": dead_letters.check,
    "concurrency": concurrency.check,
    "alarms": alarms.check,
}
