"""`python -m doctor.replay STACK QUEUE`: gives the events of a dead-letter queue to their function once more.

For `NotificationDeadLetterQueue` with NotificationDelivery DIRECT, and for `EventDeadLetterQueue`: SQS can move nothing
there, StartMessageMoveTask takes only the dead-letter queues of SQS queues.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
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
FUNCTIONS = {"NotificationDeadLetterQueue": "CollectFunction", "EventDeadLetterQueue": "SubmitFunction"}


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 if the queue is empty at the end, 1 if something stays there, 2 if it could not be tried."""
    parser = argparse.ArgumentParser(prog="doctor.replay", description="Tries events again that are dead letters.")
    parser.add_argument("stack", metavar="STACK", help="name of the CloudFormation stack")
    parser.add_argument("queue", metavar="QUEUE", choices=FUNCTIONS, help=" or ".join(FUNCTIONS))
    try:
        aws = Aws(PATIENCE)
        given = parser.parse_args(arguments)
        taken, failed = replay(Stack.find(given.stack, aws), aws, given.queue)
    except (CannotLookError, BotoCoreError, ClientError) as error:
        print(f"replay: {error if isinstance(error, CannotLookError) else in_words(error)}", file=sys.stderr)
        return 2
    print(f"{taken} taken, {len(failed)} not" + "".join(f"\n{line}" for line in failed))
    return 1 if failed else 0


def replay(stack: Stack, aws: Aws, queue: str) -> tuple[int, list[str]]:
    """How many were taken, and what the others met. Those stay in the queue."""
    url = stack.resources[queue]
    taken, problems, handles = 0, [], []
    while message := received(aws, url):
        problem = invoke(stack, aws, FUNCTIONS[queue], message)
        if problem is None:
            aws.call("sqs", "delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken += 1
        else:
            problems.append(f"{message['MessageId']}: {problem}")
            handles.append(message["ReceiptHandle"])
    for handle in handles:
        aws.call("sqs", "change_message_visibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return taken, problems


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


def invoke(stack: Stack, aws: Aws, function: str, message: dict[str, Any]) -> str | None:
    """Why the function did not take it; None if it did."""
    event = event_of(stack, function, message)
    if event is None:
        return "it is not Lambda's record of an invocation, and S3Requests is off"
    payload = json.dumps(event).encode()
    answer = aws.call("lambda", "invoke", FunctionName=stack.resources[function], Payload=payload)
    content = json.loads(answer["Payload"].read() or b"null") or {}
    if "FunctionError" in answer:
        return f"{content.get('errorType', answer['FunctionError'])}: {content.get('errorMessage', '')}"
    return f"{function} gives it back: its log says why" if content.get("batchItemFailures") else None


def event_of(stack: Stack, function: str, message: dict[str, Any]) -> dict[str, Any] | None:
    """The event that failed, out of Lambda's record of it; else the message itself, as an SQS event has it.

    None for a message of another queue than that of S3Requests: `submit` would take it for a payload.
    """
    try:
        return json.loads(message["Body"])["requestPayload"]
    except (ValueError, KeyError, TypeError):
        record = {"eventSource": "aws:sqs", "messageId": message["MessageId"], "body": message["Body"]}
        if function == "SubmitFunction":
            if "S3RequestQueue" not in stack.resources:
                return None
            record["eventSourceARN"] = stack.queue_arn("S3RequestQueue")
        return {"Records": [record]}


if __name__ == "__main__":
    sys.exit(main())
