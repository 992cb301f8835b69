"""One destination of each kind around a stack: addresses for requests, and the results that come there.

stack = LocalStack(parameters=PARAMETERS)
destinations = Destinations(stack)
stack.send("hello", **destinations.address(TASK, "order-4711"))
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.bridge import PATIENCE_SECONDS, REGION, Bridge, body_json, wait_for
from local.pipelines import ACCOUNT, asking, create_durable_function, create_role, inbox

RESULTS, QUEUE, FIFO_QUEUE, TOPIC, BUS, NOBODY, TASK, CALLBACK = (
    "results queue",
    "queue",
    "FIFO queue",
    "topic",
    "event bus",
    "none",
    "task",
    "callback",
)
WAYS_OUT = (RESULTS, QUEUE, FIFO_QUEUE, TOPIC, BUS, NOBODY, TASK, CALLBACK)
# `ReplyTo` of each way that has one.
REPLY_TO = {QUEUE: "team-a", FIFO_QUEUE: "team-b.fifo", TOPIC: "answers", BUS: "pipeline", NOBODY: "none"}
# The queue, an output of the stack by name, in which the results of each way end that brings messages.
INBOXES = {
    RESULTS: "ResultsQueueUrl",
    QUEUE: REPLY_TO[QUEUE],
    FIFO_QUEUE: REPLY_TO[FIFO_QUEUE],
    TOPIC: "topic-inbox",
    BUS: "bus-inbox",
}

TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:{REPLY_TO[TOPIC]}"
BUS_ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{REPLY_TO[BUS]}"
STATE_MACHINES = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:"
# A task of one waits longer than any run takes; of the other, so short that some results come too late.
PATIENT, HASTY = "patient", "hasty"
TIMEOUT_SECONDS = {PATIENT: 3_600, HASTY: 1}
DURABLE_FUNCTION = "asking"

# Template parameters of a stack that knows them all.
PARAMETERS = {
    "ReplyToArns": ",".join(
        [
            f"arn:aws:sqs:{REGION}:{ACCOUNT}:{REPLY_TO[QUEUE]}",
            f"arn:aws:sqs:{REGION}:{ACCOUNT}:{REPLY_TO[FIFO_QUEUE]}",
            TOPIC_ARN,
            BUS_ARN,
        ]
    ),
    "StateMachineArns": ",".join(f"{STATE_MACHINES}{name}" for name in TIMEOUT_SECONDS),
    "DurableFunctionArns": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{DURABLE_FUNCTION}",
}

TOKENS = "tokens"


@dataclass(frozen=True)
class End:
    """How a task or a callback ended: with a result, or without one because its time was over."""

    result: dict[str, Any] | None

    @property
    def is_timed_out(self) -> bool:
        """Whether nobody waits for a result any more."""
        return self.result is None


class Destinations:
    """Creates everything at once. Its methods may be called from several threads."""

    def __init__(self, stack: Bridge) -> None:
        self.stack = stack
        self._machines, self._functions = stack.client("stepfunctions"), stack.client("lambda")
        self._executions: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self._taking_tokens = threading.Lock()
        self._create_queues_and_topic()
        self._create_event_bus()
        inbox(stack, TOKENS)
        self._create_state_machines()
        create_durable_function(stack, DURABLE_FUNCTION)

    def address(self, way: str, name: str, *, hasty: bool = False) -> dict[str, str]:
        """The parameter that sends a result by this way; for a task or a callback, `name` is that of a new one."""
        if way in REPLY_TO:
            return {"ReplyTo": REPLY_TO[way]}
        if way == TASK:
            machine = STATE_MACHINES + (HASTY if hasty else PATIENT)
            started = self._machines.start_execution(stateMachineArn=machine, input=json.dumps({"name": name}))
            self._executions[name] = started["executionArn"]
            return {"TaskToken": self._token(name)}
        if way == CALLBACK:
            request = {
                "queue": self.stack.outputs[TOKENS],
                "body": name,
                "attributes": {},
                "timeoutSeconds": TIMEOUT_SECONDS[HASTY if hasty else PATIENT],
            }
            invoked = self._functions.invoke(FunctionName=DURABLE_FUNCTION, Payload=json.dumps(request))
            self._executions[name] = invoked["DurableExecutionArn"]
            return {"CallbackId": self._token(name)}
        return {}

    def end_of(self, way: str, name: str) -> End | None:
        """How the task or callback of this name ended; None while it waits."""
        execution = self._executions[name]
        return self._end_of_task(execution) if way == TASK else self._end_of_callback(execution)

    def _end_of_task(self, execution: str) -> End | None:
        ended = self._machines.describe_execution(executionArn=execution)
        if ended["status"] == "RUNNING":
            return None
        if ended["status"] == "SUCCEEDED":
            return End(json.loads(ended["output"]))
        return End(None if ended["error"] == "States.Timeout" else json.loads(ended["cause"]))

    def _end_of_callback(self, execution: str) -> End | None:
        ended = self._functions.get_durable_execution(DurableExecutionArn=execution)
        if ended["Status"] == "RUNNING":
            return None
        callback = json.loads(ended["Result"])
        if callback["status"] == "TIMED_OUT":
            return End(None)
        details = callback["details"]
        return End(json.loads(details["Result"] if "Result" in details else details["Error"]["ErrorData"]))

    def _token(self, name: str) -> str:
        """What the execution of this name put into the queue of tokens."""

        def has_come() -> bool:
            with self._taking_tokens:
                if name not in self._tokens:
                    for message in self.stack.receive(TOKENS):
                        (attribute,) = message["MessageAttributes"].values()
                        self._tokens[message["Body"]] = attribute["StringValue"]
            return name in self._tokens

        wait_for(has_come, PATIENCE_SECONDS, f"the token of {name}")
        return self._tokens.pop(name)

    def _create_queues_and_topic(self) -> None:
        inbox(self.stack, REPLY_TO[QUEUE])
        inbox(self.stack, REPLY_TO[FIFO_QUEUE], FifoQueue="true")
        subscriber = inbox(self.stack, INBOXES[TOPIC])
        self.stack.sns.create_topic(Name=REPLY_TO[TOPIC])
        raw = {"RawMessageDelivery": "true"}
        self.stack.sns.subscribe(TopicArn=TOPIC_ARN, Protocol="sqs", Endpoint=subscriber, Attributes=raw)

    def _create_event_bus(self) -> None:
        events, bus = self.stack.client("events"), REPLY_TO[BUS]
        target = inbox(self.stack, INBOXES[BUS])
        events.create_event_bus(Name=bus)
        pattern = json.dumps({"source": ["sagemaker-async-bridge"]})
        events.put_rule(Name="results", EventBusName=bus, EventPattern=pattern)
        events.put_targets(Rule="results", EventBusName=bus, Targets=[{"Id": "inbox", "Arn": target}])

    def _create_state_machines(self) -> None:
        request = {
            "QueueUrl": self.stack.outputs[TOKENS],
            "MessageBody.$": "$.name",
            "MessageAttributes": {"TaskToken": {"DataType": "String", "StringValue.$": "$$.Task.Token"}},
        }
        role = create_role(self.stack, "asking-state-machines", "states.amazonaws.com", ["sqs:SendMessage"])
        for name, timeout_seconds in TIMEOUT_SECONDS.items():
            definition = json.dumps(asking(request, timeout_seconds, caught=()))
            self._machines.create_state_machine(name=name, definition=definition, roleArn=role)


def result_in(way: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """The result in a message of a way's inbox, whose results have the `notification` format."""
    body = body_json(message)
    return body["detail"] if way == BUS else body
