"""Runs ministack with services that meet each other as AWS's do.

SNS and EventBridge invoke a function asynchronously, with two more tries after a failure, and then the function's
destination. ministack 1.5.33 does so for S3 alone; for these two it invokes once. What a service sends to a queue or a
topic arrives by TLS; ministack has it arrive as the request came that started it.
Every invocation counts in AWS/Lambda's metrics; ministack counts those alone whose caller waits.

A queue's visibility timeout counts from the end of the invocation that was given a message. AWS counts from the
receipt, and asks for six times the function's timeout, so that no invocation outlasts it. Here it is a few seconds, for
what fails to come back soon, and an invocation may take longer on a busy machine: its messages would be with two.

With `--function-log`, a file gets each line that a function of a custom runtime writes, by process. ministack's log
groups have what has come when an invocation ends, and FilterLogEvents gives the first 10,000 events alone.
"""

from __future__ import annotations

import argparse
import contextvars
import json
import os
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ministack.core import lambda_runtime
from ministack.core.iam_evaluator import pin_request_origin
from ministack.services import eventbridge, lambda_svc, sns, sqs

# Lambda's limit.
LONGEST_INVOCATION_SECONDS = 900


def invoke(arn: str, event: Any) -> None:
    """As S3's notifications do."""
    function, config, _name = lambda_svc._get_func_record_for_ref(arn)
    if function and config:
        lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), event)


def deliver(endpoint: str, envelope: str, _topic: str, subscription: str, *_more: Any) -> None:
    """A message of SNS to a function."""
    sns.logger.info("SNS fanout → Lambda %s", endpoint)
    record = {"EventVersion": "1.0", "EventSubscriptionArn": subscription, "EventSource": "aws:sns"}
    invoke(endpoint, {"Records": [{**record, "Sns": json.loads(envelope)}]})


def dispatch(arn: str, payload: str) -> None:
    """An event of a rule to a function."""
    invoke(arn, json.loads(payload))


def by_tls(policy_allows: Callable[..., bool]) -> Callable[..., bool]:
    """Whether a resource's policy lets a service in that comes by TLS."""

    def allows(*given: Any) -> bool:
        context = contextvars.copy_context()
        context.run(pin_request_origin, "127.0.0.1", True)
        return context.run(policy_allows, *given)

    return allows


class Copied:
    """What a function's process writes, each line of which is copied to a file with who wrote it when."""

    def __init__(self, output: IO[bytes], function: str, process: int, to: int) -> None:
        self._output, self._function, self._process, self._to = output, function, process, to

    def readline(self) -> bytes:
        """The next line."""
        line = self._output.readline()
        if line:
            text = line.decode("utf-8", errors="replace").rstrip("\n")
            copy = {"at": time.time(), "function": self._function, "process": self._process, "line": text}
            # One call, so that lines of several processes do not mix.
            os.write(self._to, json.dumps(copy).encode() + b"\n")
        return line

    def close(self) -> None:
        """Ends."""
        self._output.close()


def copy_output(path: Path) -> None:
    """Has everything copied that functions write."""
    to = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    pump = lambda_runtime.ProvidedWorker._pump_output

    def pump_and_copy(worker: Any, output: IO[bytes], lines: Any) -> None:
        process = worker._proc.pid if worker._proc else 0
        pump(worker, Copied(output, worker.func_name, process, to), lines)

    lambda_runtime.ProvidedWorker._pump_output = pump_and_copy


def counted(emit_logs: Callable[..., None], emit_metrics: Callable[..., None]) -> Callable[..., None]:
    """Writes an invocation's lines, and its metrics."""

    def emit(function: dict[str, Any], request_id: str, text: str, error: bool, milliseconds: int, **more: Any) -> None:
        emit_logs(function, request_id, text, error, milliseconds, **more)
        name = (function.get("config") or function).get("FunctionName", "unknown")
        emit_metrics(name, duration_ms=milliseconds, error=error, throttle=False)

    return emit


def kept_hidden(receive: Callable[[str, int], list[dict[str, Any]]]) -> Callable[[str, int], list[dict[str, Any]]]:
    """Hides what a function is given. One thread receives for all of them: none other comes in between."""

    def receive_and_hide(url: str, count: int) -> list[dict[str, Any]]:
        batch = receive(url, count)
        for message in batch:
            message["visible_at"] = time.time() + LONGEST_INVOCATION_SECONDS
        return batch

    return receive_and_hide


def shown_again(run: Callable[..., None]) -> Callable[..., None]:
    """Lets what a function leaves in the queue come back after the visibility timeout."""

    def run_and_show(esm: Any, function: Any, event: Any, batch: list[dict[str, Any]], url: str, name: str) -> None:
        try:
            run(esm, function, event, batch, url, name)
        finally:
            queue = sqs._queues.get(url)
            back = time.time() + int(queue["attributes"].get("VisibilityTimeout", 30)) if queue else 0
            for message in batch:
                message["visible_at"] = back

    return run_and_show


def only_throttles(emit_metrics: Callable[..., None]) -> Callable[..., None]:
    """Counts what has not run."""

    def emit(name: str, *, throttle: bool, **more: Any) -> None:
        if throttle:
            emit_metrics(name, throttle=True, **more)

    return emit


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--retry-seconds", type=float, help="before an event's second try; twice that before its third")
    parser.add_argument("--function-log", type=Path)
    options = parser.parse_args()
    # The rest is ministack's, which takes none of these.
    del sys.argv[1:]
    if options.retry_seconds is not None:
        lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS = options.retry_seconds
    if options.function_log:
        copy_output(options.function_log)
    lambda_svc._emit_lambda_logs = counted(lambda_svc._emit_lambda_logs, lambda_svc._emit_lambda_metrics)
    lambda_svc._emit_lambda_metrics = only_throttles(lambda_svc._emit_lambda_metrics)
    sqs._receive_messages_for_esm = kept_hidden(sqs._receive_messages_for_esm)
    lambda_svc._run_sqs_batch = shown_again(lambda_svc._run_sqs_batch)
    sqs.queue_policy_allows = by_tls(sqs.queue_policy_allows)
    sns.topic_policy_allows = by_tls(sns.topic_policy_allows)
    sns._deliver_to_lambda = deliver
    eventbridge._dispatch_to_lambda = dispatch
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
