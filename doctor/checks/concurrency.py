"""Whether the account's Lambda concurrency suffices for what the stack may take at most.

A caller who waits (Prefer: wait) holds one execution of `submit` for as long, so callers hold at most rate times wait,
and the burst. The mappings take up to their MaximumConcurrency. What SNS invokes directly is left out: each takes well
under a second, and Lambda tries it again while it throttles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from doctor.commands import aws
from doctor.faults import is_missing
from doctor.finding import Finding, findings_of, ok, wrong
from doctor.stack import DEFAULT_WAIT_SECONDS, Stack

# "Concurrent executions" of AWS Lambda, and what a new account may be raised to at once.
QUOTA, USUAL_LIMIT = "L-B99A9384", 1000


def check(stack: Stack) -> Iterator[Finding]:
    """Reservations first, then what they leave."""
    for function in ("SubmitFunction", "CollectFunction"):
        yield from findings_of(f"reservation of {function}", reservation, stack, function)
    yield from findings_of("concurrency", concurrency, stack)


def reserved(stack: Stack, function: str) -> int | None:
    """ReservedConcurrentExecutions of a function; None if it has none."""
    return stack.function(function).get("Concurrency", {}).get("ReservedConcurrentExecutions")


def mapped(stack: Stack, function: str, queue: str) -> int:
    """What a queue's mapping may take of a function."""
    if queue not in stack.resources:
        return 0
    return sum(entry.get("ScalingConfig", {}).get("MaximumConcurrency", 0) for entry in stack.mappings(function, queue))


def submit_mapped(stack: Stack) -> int:
    """What the mappings of both request queues may take."""
    return sum(mapped(stack, "SubmitFunction", queue) for queue in ("RequestQueue", "S3RequestQueue"))


def reservation(stack: Stack, function: str) -> Iterator[Finding]:
    """A reservation below its mapping's MaximumConcurrency has Lambda throttle messages, which counts as receipts.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
    """
    amount = reserved(stack, function)
    if amount is None:
        return
    needed = submit_mapped(stack) if function == "SubmitFunction" else mapped(stack, function, "NotificationQueue")
    subject, name = f"reservation of {function}", stack.resources[function]
    if amount < max(needed, 1):
        words = "0: the function cannot run" if amount == 0 else f"{amount} is less than its mapping's {needed}"
        free = aws("lambda delete-function-concurrency", function_name=name)
        yield wrong(subject, words, free)
    else:
        yield ok(subject, f"{amount} reserved, its mapping takes up to {needed}")


def concurrency(stack: Stack) -> Iterator[Finding]:
    """Rate times wait, and the mappings, against what is not reserved."""
    limit = stack.aws.ask("lambda", "get_account_settings")["AccountLimit"]["UnreservedConcurrentExecutions"]
    mappings = 0
    if reserved(stack, "CollectFunction") is None:
        mappings += mapped(stack, "CollectFunction", "NotificationQueue")
    if reserved(stack, "SubmitFunction") is not None:
        yield ok("concurrency", f"submit has its reservation, collect takes up to {mappings} of {limit}")
        return
    mappings += submit_mapped(stack)
    throttle = throttling(stack)
    rate, burst = float(throttle["ThrottlingRateLimit"]), int(throttle["ThrottlingBurstLimit"])
    wait = max(int(stack.variable("SubmitFunction", "BRIDGE_MAX_WAIT_SECONDS", str(DEFAULT_WAIT_SECONDS))), 1)
    most = mappings + burst + math.ceil(rate * wait)
    callers = f"{rate:g} requests a second that wait {wait} s, a burst of {burst}"
    sum_in_words = f"up to {most} of {limit}: {callers}, mappings {mappings}"
    if most <= limit:
        yield ok("concurrency", sum_in_words)
        return
    words = f"{sum_in_words}. Lambda then throttles messages, and the account's other functions"
    yield wrong("concurrency", words, *lower_commands(stack, throttle, limit, mappings, wait))


def throttling(stack: Stack) -> dict[str, Any]:
    """The stage's throttling as it is; as the template was told where the gateway does not say."""
    told_by_template = {
        name: float(stack.parameters.get(name) or 0) for name in ("ThrottlingRateLimit", "ThrottlingBurstLimit")
    }
    try:
        stage = stack.aws.ask("apigatewayv2", "get_stage", ApiId=stack.outputs["ApiId"], StageName="$default")
    except ClientError as error:
        if not is_missing(error):
            raise
        return told_by_template
    return {**told_by_template, **stage.get("DefaultRouteSettings", {})}


def lower_commands(stack: Stack, throttle: dict[str, Any], limit: int, mappings: int, wait: int) -> list[str]:
    """Commands that leave half of the account to others, or all of it to the bridge, or ask AWS for more."""
    burst = int(throttle["ThrottlingBurstLimit"])
    for share in (limit // 2, limit):
        allowed = min(burst, share // 4)
        rate = (share - mappings - allowed) // wait
        if rate >= 1 and allowed >= 1:
            break
    else:
        quota = {"service_code": "lambda", "quota_code": QUOTA, "desired_value": str(max(USUAL_LIMIT, 2 * limit))}
        return [aws("service-quotas request-service-quota-increase", **quota)]
    settings = {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": allowed}
    api = {"api_id": stack.outputs["ApiId"], "stage_name": "$default"}
    return [
        aws("apigatewayv2 update-stage", **api, default_route_settings=settings),
        f"# and answer ThrottlingRateLimit with {rate}, ThrottlingBurstLimit with {allowed} at the next deployment",
    ]
