"""The demo's requests with return addresses: one for each way out, each result checked and shown where it came."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.table import Table

from local.bridge import PATIENCE_SECONDS, Bridge
from local.cases import decoded, read_location
from local.destinations import CALLBACK, INBOXES, NOBODY, REPLY_TO, RESULTS, TASK, WAYS_OUT, Destinations, result_in
from local.sources import DIRECT, EVENT, HTTP, SENDERS, SQS, TOPIC, connect

PAYLOAD = '{"inputs": "to whom it concerns"}'
# Every way in that can carry an address has its turn. No header names a task or a callback.
WAYS_IN = (SQS, DIRECT, HTTP, EVENT, TOPIC)
OUTPUT_NAME = "polled.out"
CAME = {
    TASK: "the execution went on with it",
    CALLBACK: "the durable function went on with it",
    NOBODY: f"nowhere; polled: output/{OUTPUT_NAME}",
}


def show(bridge: Bridge, destinations: Destinations, console: Console) -> list[str]:
    """Sends the requests, prints a table of their answers, and returns what went wrong."""
    connect(bridge)
    begun, seconds, waiting = time.monotonic(), {}, {}
    for number, way in enumerate(way for way in WAYS_OUT if way != RESULTS):
        way_in = SQS if way in (TASK, CALLBACK) else WAYS_IN[number % len(WAYS_IN)]
        parameters = {"InferenceId": f"to-{way}", **destinations.address(way, f"to-{way}")}
        if way == NOBODY:
            parameters["Filename"] = OUTPUT_NAME
        SENDERS[way_in](bridge, PAYLOAD, parameters)
        waiting[way] = way_in
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("result wanted by", "asked by", "seconds", "came to"):
        table.add_column(name)
    failures = []
    while waiting and time.monotonic() - begun < PATIENCE_SECONDS:
        for way in list(waiting):
            for output in outputs(bridge, destinations, way):
                if output != PAYLOAD:
                    failures.append(f"{way}: the output is not what was sent")
                seconds[way] = f"{time.monotonic() - begun:.2f}"
                table.add_row(way, waiting.pop(way, "?"), seconds[way], CAME.get(way, REPLY_TO.get(way, "")))
    console.print(table)
    console.print()
    return failures + [f"{way}: no answer after {PATIENCE_SECONDS} s" for way in waiting]


def outputs(bridge: Bridge, destinations: Destinations, way: str) -> list[str]:
    """The outputs that have come by this way."""
    if way in INBOXES:
        results = [result_in(way, message) for message in bridge.receive(INBOXES[way], wait_seconds=0)]
        return [output_of(result) for result in results]
    if way == NOBODY:
        there = bridge.s3.list_objects_v2(Bucket=bridge.bucket, Prefix=f"output/{OUTPUT_NAME}")["KeyCount"]
        return [read_location(bridge, f"s3://{bridge.bucket}/output/{OUTPUT_NAME}").decode()] if there else []
    end = destinations.end_of(way, f"to-{way}")
    return [output_of(end.result)] if end and end.result else []


def output_of(result: dict[str, Any]) -> str:
    """A result's output; of one without, its status."""
    response = result.get("responseBody")
    return decoded(response).decode() if response else result["invocationStatus"]
