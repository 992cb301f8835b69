"""Runs ministack with SNS and EventBridge that invoke a function as AWS's do: asynchronously, with two more tries after
a failure, and then the function's destination. ministack 1.5.33 does so for S3 alone; for these two it invokes once.
"""

from __future__ import annotations

import json
import runpy
from typing import Any

from ministack.services import eventbridge, lambda_svc, sns


def invoke(arn: str, event: Any) -> None:
    """As S3's notifications do."""
    function, config, _name = lambda_svc._get_func_record_for_ref(arn)
    if function and config:
        lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), event)


def deliver(endpoint: str, envelope: str, _topic: str, subscription: str, *_more: Any) -> None:
    """A message of SNS to a function."""
    record = {"EventVersion": "1.0", "EventSubscriptionArn": subscription, "EventSource": "aws:sns"}
    invoke(endpoint, {"Records": [{**record, "Sns": json.loads(envelope)}]})


def dispatch(arn: str, payload: str) -> None:
    """An event of a rule to a function."""
    invoke(arn, json.loads(payload))


if __name__ == "__main__":
    sns._deliver_to_lambda = deliver
    eventbridge._dispatch_to_lambda = dispatch
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
