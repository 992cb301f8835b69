"""Runs ministack with services that meet each other as AWS's do.

SNS and EventBridge invoke a function asynchronously, with two more tries after a failure, and then the function's
destination. ministack 1.5.33 does so for S3 alone; for these two it invokes once. What a service sends to a queue or a
topic arrives by TLS; ministack has it arrive as the request came that started it.
Every invocation counts in AWS/Lambda's metrics; ministack counts those alone whose caller waits.
"""

from __future__ import annotations

import contextvars
import json
import runpy
from collections.abc import Callable
from typing import Any

from ministack.core.iam_evaluator import pin_request_origin
from ministack.services import eventbridge, lambda_svc, sns, sqs


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


def counted(emit_logs: Callable[..., None], emit_metrics: Callable[..., None]) -> Callable[..., None]:
    """Writes an invocation's lines, and its metrics."""

    def emit(function: dict[str, Any], request_id: str, text: str, error: bool, milliseconds: int, **more: Any) -> None:
        emit_logs(function, request_id, text, error, milliseconds, **more)
        name = (function.get("config") or function).get("FunctionName", "unknown")
        emit_metrics(name, duration_ms=milliseconds, error=error, throttle=False)

    return emit


def only_throttles(emit_metrics: Callable[..., None]) -> Callable[..., None]:
    """Counts what has not run."""

    def emit(name: str, *, throttle: bool, **more: Any) -> None:
        if throttle:
            emit_metrics(name, throttle=True, **more)

    return emit


if __name__ == "__main__":
    lambda_svc._emit_lambda_logs = counted(lambda_svc._emit_lambda_logs, lambda_svc._emit_lambda_metrics)
    lambda_svc._emit_lambda_metrics = only_throttles(lambda_svc._emit_lambda_metrics)
    sqs.queue_policy_allows = by_tls(sqs.queue_policy_allows)
    sns.topic_policy_allows = by_tls(sns.topic_policy_allows)
    sns._deliver_to_lambda = deliver
    eventbridge._dispatch_to_lambda = dispatch
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
