"""`python -m recovery.redrive STACK`: what lies in the dead-letter queues, and with `--run` its next try.

Requests go to the request queue, notifications that are delivered by QUEUE to theirs. Others, and events, go to their
function, which is invoked and answers for each: what fails again stays, and its reason is seen at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from doctor.aws import Aws, CallLimits
from doctor.faults import CannotLookError, in_words
from doctor.queue_commands import DEAD_LETTER_QUEUES
from doctor.reasons import reason
from doctor.report import Report
from doctor.stack import Stack
from recovery import events, requests
from recovery.letters import Choice, Letter, Tally, go_through, positive, show
from recovery.queue import HandOver, Queue

# As long as `collect` may run, and a little more. Called once, since a second try would be a second result.
INVOKE_LIMITS = CallLimits(read_seconds=70, tries=1)


def main(arguments: list[str] | None = None, report: Report | None = None) -> int:
    """Exit code 0 if all that was sent was taken, 1 if something stays, 2 if it could not be tried."""
    report = report or Report()
    given = parse(arguments)
    choice = Choice(given.run, given.reason or "", given.limit)
    try:
        stack = Stack.find(given.stack, Aws())
        tallies = {
            name: redriven(Queue(stack.aws, url), hand_over, choice, report, name)
            for name, url, hand_over in sources(stack, given)
        }
    except (CannotLookError, BotoCoreError, ClientError) as error:
        print(f"redrive: {error if isinstance(error, CannotLookError) else in_words(error)}", file=sys.stderr)
        return 2
    show(report, tallies)
    if not choice.run and any(tally.chosen for tally in tallies.values()):
        report.line("Nothing was sent. See to the reasons first, or they come back. RUN=1 sends them.")
    return 1 if any(tally.problems for tally in tallies.values()) else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line. An option without a value (`make` gives it so) is as good as none."""
    parser = argparse.ArgumentParser(prog="redrive", description="Tries again what is in the dead-letter queues.")
    parser.add_argument("stack", metavar="STACK", help="name of the CloudFormation stack")
    parser.add_argument("--run", action="store_true", help="send it; without it nothing is changed")
    parser.add_argument(
        "--queue", nargs="*", choices=sorted(DEAD_LETTER_QUEUES.values()), help="only these; default all three"
    )
    parser.add_argument("--reason", metavar="TEXT", help="only what has this in its reason, in any case")
    parser.add_argument("--limit", metavar="COUNT", type=positive, help="at most so many of each queue")
    parser.add_argument("--from", dest="source", metavar="URL", help="a dead-letter queue of requests of your own")
    parser.add_argument("--to", metavar="URL", help="with --from: the request queue; default the stack's")
    given = parser.parse_args(arguments)
    if not given.stack:
        parser.error("STACK is empty: give the stack's name, make redrive STACK=sagemaker-async-bridge")
    if given.to and not given.source:
        parser.error("--to needs --from: the stack's own dead-letter queues have their way back")
    if given.source and given.queue:
        parser.error("--from is one queue, and --queue names others: give one of them")
    return given


def sources(stack: Stack, given: argparse.Namespace) -> Iterator[tuple[str, str, HandOver]]:
    """Each queue that is looked into: its name, its URL, and the way back of what lies there."""
    if given.source:
        yield given.source.rsplit("/", 1)[-1], given.source, to_queue(stack, given.to or "")
        return
    invoking = Aws(INVOKE_LIMITS)
    ways: dict[str, HandOver] = {
        "RequestDeadLetterQueue": to_queue(stack),
        "EventDeadLetterQueue": lambda message: to_submit(stack, invoking, message),
        "NotificationDeadLetterQueue": lambda message: to_collect(stack, invoking, message),
    }
    for name, hand_over in ways.items():
        if name in (given.queue or ways) and name in stack.resources:
            yield name, stack.resources[name], hand_over


def redriven(queue: Queue, hand_over: HandOver, choice: Choice, report: Report, name: str) -> Tally:
    """What became of what lies in a queue."""

    def letter(message: dict[str, Any]) -> Letter:
        own = message["Attributes"]
        group = own.get("MessageGroupId") if queue.url.endswith(".fifo") else None
        return Letter(
            message["MessageId"],
            reason(message),
            lambda: queue.hand_over(message, hand_over),
            int(own["SentTimestamp"]),
            group,
        )

    report.line(f"{name}: {f'about {queue.count} messages' if queue.count else 'empty'}")
    with queue, report.progress("redriving" if choice.run else "looking") as steps:
        batches = ([letter(message) for message in messages] for messages in queue.batches())
        return go_through(batches, choice, steps, name)


def to_queue(stack: Stack, url: str = "") -> HandOver:
    """Sends a request to its queue."""

    def send(message: dict[str, Any]) -> None:
        requests.send(stack.aws, url or stack.outputs["RequestQueueUrl"], message)

    return send


def to_submit(stack: Stack, aws: Aws, message: dict[str, Any]) -> str | None:
    """Invokes `submit` with an event that failed."""
    event = events.recorded_event(message["Body"])
    if event is None:
        return "it is neither an event nor Lambda's record of one"
    return events.invoke(aws, stack.resources["SubmitFunction"], event)


def to_collect(stack: Stack, aws: Aws, message: dict[str, Any]) -> str | None:
    """Hands a notification to `collect`: through its queue where there is one, else by an invocation.

    Lambda's record of an invocation is none that the queue could take: it is from before a change of
    NotificationDelivery.
    """
    if stack.is_by_queue and events.recorded_event(message["Body"]) is None:
        url = stack.resources["NotificationQueue"]
        stack.aws.call("sqs", "send_message", QueueUrl=url, **requests.message_of(message))
        return None
    return events.invoke(aws, stack.resources["CollectFunction"], events.notification_event(message))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
