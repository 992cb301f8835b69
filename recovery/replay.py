"""`python -m recovery.replay STACK`: failed inferences once more, from their inputs in S3.

What failed is told by results: lines of a file, or the messages of a queue. With `--run` each becomes a request with
the same `InputLocation`, parameters and inference id.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from doctor.aws import Aws
from doctor.faults import CannotLookError, in_words
from doctor.report import Report
from doctor.stack import Stack
from recovery.letters import Choice, Letter, Tally, go_through, positive, show
from recovery.queue import Queue
from recovery.results import Result, lines

BATCH = 100


def main(arguments: list[str] | None = None, report: Report | None = None) -> int:
    """Exit code 0 if all that was sent was taken, 1 if something was not, 2 if it could not be tried."""
    report = report or Report()
    given = parse(arguments)
    choice = Choice(given.run, given.reason or "", given.limit)
    try:
        stack = Stack.find(given.stack, Aws())
        name = given.queue.rsplit("/", 1)[-1] if given.queue else given.results
        replay = Replay(stack, given.reply_to or "")
        tally = (
            replay.of_queue(given.queue, choice, report)
            if given.queue
            else replay.of_file(given.results, choice, report)
        )
    except (CannotLookError, BotoCoreError, ClientError, OSError) as error:
        known = isinstance(error, CannotLookError | OSError)
        print(f"replay: {error if known else in_words(error)}", file=sys.stderr)
        return 2
    show(report, {name: tally})
    for words, count in replay.passed_over.items():
        report.line(f"{name}: {count} {words}")
    if not choice.run and tally.chosen:
        report.line("Nothing was sent. RUN=1 sends them.")
    return 1 if tally.problems else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line. An option without a value (`make` gives it so) is as good as none."""
    parser = argparse.ArgumentParser(prog="replay", description="Asks for failed inferences once more.")
    parser.add_argument("stack", metavar="STACK", help="name of the CloudFormation stack")
    parser.add_argument("--run", action="store_true", help="send the requests; without it nothing is changed")
    parser.add_argument("--results", metavar="FILE", help="results, one a line")
    parser.add_argument(
        "--queue", metavar="URL", help="a queue of results; those that are sent again are deleted there"
    )
    parser.add_argument("--reply-to", metavar="NAME", help="where the answers go; default the results queue")
    parser.add_argument("--reason", metavar="TEXT", help="only what has this in its status or reason, in any case")
    parser.add_argument("--limit", metavar="COUNT", type=positive, help="at most so many")
    given = parser.parse_args(arguments)
    if not given.stack:
        parser.error("STACK is empty: give the stack's name, make replay STACK=sagemaker-async-bridge RESULTS=file")
    if bool(given.results) == bool(given.queue):
        parser.error("give either RESULTS=file or QUEUE=url")
    return given


class Replay:
    """One run. It asks once for a result that came twice."""

    def __init__(self, stack: Stack, reply_to: str = "") -> None:
        """`reply_to`: ReplyTo of the requests. A result does not tell where it was sent."""
        self.stack = stack
        self.reply_to = reply_to
        self.passed_over: Counter[str] = Counter()
        self._seen: set[tuple[Any, ...]] = set()

    def of_file(self, path: str, choice: Choice, report: Report) -> Tally:
        """The results in a file."""
        results = [found for place, text in lines(path) if (found := self._read(place, text))]
        answered = {result.inference_id for _, result in results if result.status == "Completed"} - {""}
        letters = [
            letter
            for place, result in results
            if self._is_first(result, answered) and (letter := self._letter(place, result))
        ]
        batches = (letters[start : start + BATCH] for start in range(0, len(letters), BATCH))
        with report.progress("replaying" if choice.run else "looking") as steps:
            return go_through(batches, choice, steps, path)

    def of_queue(self, url: str, choice: Choice, report: Report) -> Tally:
        """The results in a queue. Others than the failed ones are hidden meanwhile, and stay."""
        name = url.rsplit("/", 1)[-1]
        with Queue(self.stack.aws, url) as queue, report.progress("replaying" if choice.run else "looking") as steps:
            batches = (
                [letter for message in messages if (letter := self._of_message(queue, message))]
                for messages in queue.batches()
            )
            return go_through(batches, choice, steps, name)

    def _read(self, place: str, text: str) -> tuple[str, Result] | None:
        try:
            return place, Result(text)
        except ValueError:
            self.passed_over["are not results in JSON: raw results do not name their input"] += 1
            return None

    def _is_first(self, result: Result, answered: set[str]) -> bool:
        """Whether it is neither a repetition nor answered further on."""
        if result.is_failed and result.inference_id in answered:
            self.passed_over["failed, and were answered later"] += 1
            return False
        if result.identity in self._seen:
            self.passed_over["came twice"] += 1
            return False
        self._seen.add(result.identity)
        return True

    def _letter(self, place: str, result: Result) -> Letter | None:
        if not result.is_failed:
            self.passed_over[f"are {result.status}"] += 1
            return None
        request = result.request(self.reply_to)
        if request is None:
            self.passed_over[f"are {result.status}, and do not name their input"] += 1
            return None
        return Letter(
            f"{place}, {result.inference_id or 'no inference id'}", result.reason, partial(self._send, request)
        )

    def _of_message(self, queue: Queue, message: dict[str, Any]) -> Letter | None:
        found = self._read(message["MessageId"], message["Body"])
        letter = self._letter(*found) if found else None
        if found is None or letter is None:
            return None
        identity = found[1].identity
        # What came twice is deleted, if it is not the first: that one stays if it cannot be sent.
        is_first = identity not in self._seen
        self._seen.add(identity)
        reason = letter.reason if is_first else f"{letter.reason} (repeated)"
        send = letter.hand_over if is_first else lambda: None
        sent_ms = int(message["Attributes"]["SentTimestamp"])
        return Letter(letter.name, reason, lambda: queue.hand_over(message, lambda _: send()), sent_ms)

    def _send(self, request: dict[str, Any]) -> None:
        self.stack.aws.call("sqs", "send_message", QueueUrl=self.stack.outputs["RequestQueueUrl"], **request)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
