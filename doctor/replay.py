"""`python -m doctor.replay STACK`: gives the notifications of the dead-letter queue to `collect` once more.

For NotificationDelivery DIRECT, where SQS can move nothing: StartMessageMoveTask takes only the dead-letter queues of
SQS queues. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from doctor.aws import Aws, Patience
from doctor.faults import CannotLookError, in_words
from doctor.stack import Stack

# As long as `collect` may run, and a little more. Called once, since a second try would be a second result.
PATIENCE = Patience(read_seconds=70, tries=1)
# Longer than a run takes: what fails is given back at its end.
VISIBILITY_SECONDS = 3600


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 if the queue is empty at the end, 1 if something stays there, 2 if it could not be tried."""
    parser = argparse.ArgumentParser(prog="doctor.replay", description="Collects notifications that are dead letters.")
    parser.add_argument("stack", metavar="STACK", help="name of the CloudFormation stack")
    try:
        aws = Aws(PATIENCE)
        collected, failed = replay(Stack.find(parser.parse_args(arguments).stack, aws), aws)
    except (CannotLookError, BotoCoreError, ClientError) as error:
        print(f"replay: {error if isinstance(error, CannotLookError) else in_words(error)}", file=sys.stderr)
        return 2
    print(f"{collected} collected, {len(failed)} not" + "".join(f"\n{line}" for line in failed))
    return 1 if failed else 0


def replay(stack: Stack, aws: Aws) -> tuple[int, list[str]]:
    """How many were collected, and what the others met. Those stay in the queue."""
    url = stack.resources["NotificationDeadLetterQueue"]
    collected, problems, handles = 0, [], []
    while message := received(aws, url):
        problem = invoke(stack, aws, message)
        if problem is None:
            aws.call("sqs", "delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            collected += 1
        else:
            problems.append(f"{message['MessageId']}: {problem}")
            handles.append(message["ReceiptHandle"])
    for handle in handles:
        aws.call("sqs", "change_message_visibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return collected, problems


def received(aws: Aws, url: str) -> dict[str, Any] | None:
    """The next message. It is hidden from now on, so that those that fail are met once."""
    answer = aws.call(
        "sqs",
        "receive_message",
        QueueUrl=url,
        MaxNumberOfMessages=1,
        VisibilityTimeout=VISIBILITY_SECONDS,
        WaitTimeSeconds=1,
    )
    return next(iter(answer.get("Messages", [])), None)


def invoke(stack: Stack, aws: Aws, message: dict[str, Any]) -> str | None:
    """Why `collect` did not take it; None if it did."""
    answer = aws.call(
        "lambda",
        "invoke",
        FunctionName=stack.resources["CollectFunction"],
        Payload=json.dumps(event_of(message)).encode(),
    )
    content = json.loads(answer["Payload"].read() or b"null") or {}
    if "FunctionError" in answer:
        return f"{content.get('errorType', answer['FunctionError'])}: {content.get('errorMessage', '')}"
    return "collect gives it back: its log says why" if content.get("batchItemFailures") else None


def event_of(message: dict[str, Any]) -> dict[str, Any]:
    """The event that failed, out of Lambda's record of it; else the notification itself, as an SQS event has it."""
    try:
        return json.loads(message["Body"])["requestPayload"]
    except (ValueError, KeyError, TypeError):
        record = {"eventSource": "aws:sqs", "messageId": message["MessageId"], "body": message["Body"]}
        return {"Records": [record]}


if __name__ == "__main__":
    sys.exit(main())
