"""What a run would cost. Nothing here is a free tier, a tax or a discount."""

from __future__ import annotations

import math

from simulate.pipeline import Run

# https://aws.amazon.com/sqs/pricing/, https://aws.amazon.com/sns/pricing/: each 64 KB of a payload are one request.
CHUNK_BYTES = 65_536
# An idle queue is asked by five pollers, 20 seconds each:
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
POLLERS = 5
POLL_SECONDS = 20
# A notification without an output; see events/notifications.
NOTIFICATION_BYTES = 1_000
COLLECT_SENDS_AT_ONCE = 10


def chunks(size: int) -> int:
    """Requests that a payload is billed as."""
    return max(1, math.ceil(size / CHUNK_BYTES))


def costs(run: Run) -> dict[str, float]:
    """Dollars by service."""
    prices, bridge, traffic = run.parameters.prices, run.parameters.bridge, run.parameters.traffic
    sent = len(run.requests)
    accepted = sum(request.accepted == request.accepted for request in run.requests)
    completed = sum(request.status == "Completed" for request in run.requests)
    told = sum(request.told == request.told for request in run.requests)
    gigabytes = bridge.memory_mb / 1024
    functions = (run.submit, run.collect)
    compute = sum(one.seconds for one in functions) * gigabytes * prices.lambda_gb_second
    calls = sum(one.count for one in functions) * prices.lambda_million / 1e6
    through_s3 = accepted if traffic.payload_bytes > bridge.inline_limit_bytes else 0
    puts = (
        through_s3 + completed + (accepted if bridge.watch_unanswered else 0) + (accepted if bridge.deduplicate else 0)
    )
    gets = through_s3 + completed
    return {
        "endpoint": run.instance_seconds / 3600 * prices.instance_hour,
        "Lambda": compute + calls,
        "SQS": queue_requests(run, sent, told) * prices.sqs_million / 1e6,
        "SNS": told * chunks(NOTIFICATION_BYTES) * prices.sns_million / 1e6,
        "S3": puts * prices.s3_put_thousand / 1e3 + gets * prices.s3_get_thousand / 1e3,
        "CloudWatch Logs": sent * prices.log_bytes / 1e9 * prices.logs_gb,
    }


def queue_requests(run: Run, sent: int, told: int) -> float:
    """Sends, receipts and deletions of both ways; what the consumer of results asks for is not in it."""
    bridge, traffic = run.parameters.bridge, run.parameters.traffic
    by_queue = bridge.notification_delivery == "QUEUE"
    seconds = max(traffic.hours * 3600, run.samples[-1].time if run.samples else 0)
    requests = float(sent * chunks(traffic.payload_bytes))
    requests += batches(run.submit.count, run.submit.messages, traffic.payload_bytes)
    requests += batches(run.collect.count, run.collect.messages, NOTIFICATION_BYTES) if by_queue else 0
    requests += POLLERS * seconds / POLL_SECONDS * (2 if by_queue else 1)
    # collect sends the results of one run, ten at once, with their outputs.
    each = told / run.collect.count if run.collect.count else 0
    size = NOTIFICATION_BYTES + traffic.output_bytes
    calls = run.collect.count * math.ceil(each / COLLECT_SENDS_AT_ONCE)
    return requests + max(calls, told * size / CHUNK_BYTES)


def batches(count: int, messages: int, size: int) -> float:
    """A receipt and a deletion for every ten messages of each batch."""
    if not count:
        return 0
    calls = count * math.ceil(messages / count / 10)
    return max(calls, messages * size / CHUNK_BYTES) + calls
