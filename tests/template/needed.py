"""What each function's role must be allowed, and why: its code's calls, and what AWS does with the role.

Where a call goes is what the template tells the function by its environment variables. A variable that is not set is a
call that is not made.

What the actions are called, and which resources they take, is in AWS's Service Authorization Reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
An operation asks for the action of its name, but for these:

| operation | action | page |
|---|---|---|
| HeadObject | s3:GetObject; s3:ListBucket for 404 instead of 403 | API_HeadObject |
| GetObject | s3:GetObject; s3:ListBucket for 404 instead of 403 | API_GetObject |
| CopyObject | s3:GetObject on the source, s3:PutObject on the copy | API_CopyObject |
| ListObjectsV2 | s3:ListBucket | API_ListObjectsV2 |
| SendMessageBatch | sqs:SendMessage | list_amazonsqs |
| PublishBatch | sns:Publish | list_amazonsns |

A presigned URL works by the right of whoever signed it, so PutObject and GetObject need theirs for those too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from resolve import as_list

PARTITION, REGION, ACCOUNT = "aws", "REGION", "ACCOUNT"


class Right(NamedTuple):
    """An action on a resource. A condition is its operator, its key and the values that it is fulfilled by."""

    action: str
    resource: str
    condition: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}{f' if {self.condition}' if self.condition else ''}"


Rights = Iterable[Right]


class Stack:
    """The template with values for its parameters; `evaluated` is a node of it as a plain value, or None."""

    def __init__(self, template: Mapping[str, Any], evaluated: Callable[[Any], Any]) -> None:
        self.resources = template["Resources"]
        self.evaluated = evaluated

    def parameter(self, name: str) -> list[str]:
        """The items of a comma-separated parameter."""
        return [item for item in str(self.evaluated({"Ref": name})).split(",") if item]

    def of_type(self, kind: str) -> Iterable[Mapping[str, Any]]:
        """The properties, not yet evaluated, of each resource of a type that exists."""
        for entry in self.resources.values():
            if entry["Type"] == kind and (
                "Condition" not in entry or self.evaluated({"Fn::If": [entry["Condition"], True, False]})
            ):
                yield entry["Properties"]


class Function:
    """One function of a stack."""

    def __init__(self, stack: Stack, logical_id: str, outputs_known_by: str) -> None:
        self.stack = stack
        self.logical_id = logical_id
        self._outputs_known_by = outputs_known_by

    @property
    def properties(self) -> Mapping[str, Any]:
        return self.stack.resources[self.logical_id]["Properties"]

    def variable(self, name: str, of: str | None = None) -> list[str]:
        """The items of an environment variable; none where it is not set."""
        properties = self.stack.resources[of or self.logical_id]["Properties"]
        value = self.stack.evaluated(properties["Environment"]["Variables"].get(name))
        return [] if value is None else str(value).split(",")

    def location(self, name: str, below: str = "") -> list[str]:
        """The location that a variable holds, or one below it."""
        return [location + below for location in self.variable(name)]

    def outputs(self) -> list[str]:
        """Where the endpoint leaves outputs and failures: a variable tells `submit`, notifications tell `collect`."""
        return self.variable("BRIDGE_OUTPUT_LOCATIONS", of=self._outputs_known_by)


# ---- S3 ----

BUCKET = "s3://<Bucket>/"


def objects(location: str) -> str:
    """ARN of all objects of a location."""
    if location.startswith(BUCKET):
        return f"<Bucket.Arn>/{location.removeprefix(BUCKET)}*"
    return f"arn:{PARTITION}:s3:::{location.removeprefix('s3://')}*"


def listing(location: str, operator: str = "StringLikeIfExists") -> Right:
    """The right to list a location. CloudFormation can cut a location of the user's after its first segment only."""
    if location.startswith(BUCKET):
        return Right("s3:ListBucket", "<Bucket.Arn>", (operator, "s3:prefix", f"{location.removeprefix(BUCKET)}*"))
    name, _, prefix = location.removeprefix("s3://").partition("/")
    segment = prefix.partition("/")[0]
    return Right("s3:ListBucket", f"arn:{PARTITION}:s3:::{name}", (operator, "s3:prefix", f"{segment}*"))


def read(locations: Iterable[str]) -> Rights:
    """GetObject, HeadObject. Without the right to list, S3 answers 403 for what is not there."""
    for location in locations:
        yield Right("s3:GetObject", objects(location))
        yield listing(location)


def write(locations: Iterable[str]) -> Rights:
    """PutObject, CopyObject's copy."""
    return [Right("s3:PutObject", objects(location)) for location in locations]


def decrypt_outputs(function: Function) -> Rights:
    """With a key of the endpoint's own, reading an output takes it too."""
    return [Right("kms:Decrypt", key) for key in function.stack.parameter("OutputKmsKeyArn")]


def read_outputs(function: Function) -> Rights:
    yield from read(function.outputs())
    yield from decrypt_outputs(function)


def copy_outputs(function: Function) -> Rights:
    copies = function.location("BRIDGE_RESULT_LOCATION")
    if copies:
        yield from read_outputs(function)
        yield from write(copies)


# ---- queues, topics, buses, tasks ----


def send(urls: Iterable[str]) -> Rights:
    """SendMessage, to queues by their URLs."""
    return [Right("sqs:SendMessage", url.replace(">", ".Arn>")) for url in urls]


def reply(service: str, action: str) -> Callable[[Function], Rights]:
    """To whatever a return address may name of this service."""
    prefix = f"arn:{PARTITION}:{service}:"
    return lambda function: [
        Right(action, arn) for arn in function.variable("BRIDGE_REPLY_TO_ARNS") if arn.startswith(prefix)
    ]


def send_results(function: Function) -> Rights:
    yield from send(function.variable("BRIDGE_RESULTS_QUEUE_URL"))
    yield from reply("sqs", "sqs:SendMessage")(function)


def end_tasks(action: str) -> Callable[[Function], Rights]:
    return lambda function: [Right(action, arn) for arn in function.stack.parameter("StateMachineArns")]


def end_callbacks(action: str) -> Callable[[Function], Rights]:
    """Of any execution of any version: https://docs.aws.amazon.com/lambda/latest/dg/durable-security.html."""
    return lambda function: [Right(action, f"{arn}:*") for arn in function.stack.parameter("DurableFunctionArns")]


def invoke(function: Function) -> Rights:
    """The endpoints by name. Of an unknown number of names, CloudFormation can make ARNs with open parts only."""
    action, name = "sagemaker:InvokeEndpointAsync", function.variable("BRIDGE_ENDPOINT_NAME")[0]
    yield Right(action, f"arn:{PARTITION}:sagemaker:{REGION}:{ACCOUNT}:endpoint/{name}")
    for other in function.variable("BRIDGE_ALLOWED_ENDPOINTS"):
        if other != name:
            in_region = ("StringEquals", "aws:RequestedRegion", REGION)
            yield Right(action, f"arn:*:sagemaker:*:*:endpoint/{other}", in_region)
    for arn in function.stack.parameter("EndpointArns"):
        yield Right(action, arn)


# Each call that a file under src/ makes, and the rights that it takes.
CALLS: dict[tuple[str, str], Callable[[Function], Rights]] = {
    # Primes the process with a client that sends nothing.
    ("submit.rs", "InvokeEndpointAsync"): lambda _: (),
    ("submit/invoke.rs", "InvokeEndpointAsync"): invoke,
    ("submit/invoke.rs", "PutObject"): lambda f: write(f.location("BRIDGE_INPUT_LOCATION")),
    # Whether a caller has uploaded what it was invited to, and how much.
    ("submit/invoke.rs", "GetObject"): lambda f: read(f.location("BRIDGE_INPUT_LOCATION", "uploads/")),
    ("submit/sources/http/upload.rs", "PutObject"): lambda f: write(f.location("BRIDGE_INPUT_LOCATION", "uploads/")),
    ("submit/sources/http/output.rs", "GetObject"): lambda f: (
        *read_outputs(f),
        *read(f.location("BRIDGE_PENDING_LOCATION", "unanswered/")),
    ),
    ("submit/sources/http/output.rs", "HeadObject"): read_outputs,
    ("submit/idempotency.rs", "GetObject"): lambda f: read(f.location("BRIDGE_IDEMPOTENCY_LOCATION")),
    ("submit/idempotency.rs", "PutObject"): lambda f: write(f.location("BRIDGE_IDEMPOTENCY_LOCATION")),
    ("submit/remember.rs", "PutObject"): lambda f: write(f.location("BRIDGE_PENDING_LOCATION")),
    ("submit/sources/sqs/dead_letter.rs", "SendMessage"): lambda f: send(f.variable("BRIDGE_DEAD_LETTER_QUEUE_URL")),
    ("collect/output.rs", "GetObject"): read_outputs,
    ("collect/message.rs", "CopyObject"): copy_outputs,
    ("collect/forget.rs", "DeleteObject"): lambda f: [
        Right("s3:DeleteObject", objects(location)) for location in f.location("BRIDGE_PENDING_LOCATION")
    ],
    ("collect/sweep/overdue.rs", "ListObjectsV2"): lambda f: map(listing, f.location("BRIDGE_PENDING_LOCATION")),
    ("collect/sweep/recovered.rs", "GetObject"): lambda f: read(f.location("BRIDGE_PENDING_LOCATION")),
    ("collect/sweep/recovered.rs", "HeadObject"): read_outputs,
    ("collect/sweep/recovered.rs", "PutObject"): lambda f: write(f.location("BRIDGE_PENDING_LOCATION", "unanswered/")),
    ("destinations/queue.rs", "SendMessageBatch"): send_results,
    ("destinations/topic.rs", "PublishBatch"): reply("sns", "sns:Publish"),
    ("destinations/event_bus.rs", "PutEvents"): reply("events", "events:PutEvents"),
    ("destinations/task.rs", "SendTaskSuccess"): end_tasks("states:SendTaskSuccess"),
    ("destinations/task.rs", "SendTaskFailure"): end_tasks("states:SendTaskFailure"),
    ("destinations/callback.rs", "SendDurableExecutionCallbackSuccess"): end_callbacks(
        "lambda:SendDurableExecutionCallbackSuccess"
    ),
    ("destinations/callback.rs", "SendDurableExecutionCallbackFailure"): end_callbacks(
        "lambda:SendDurableExecutionCallbackFailure"
    ),
}


# ---- what Lambda does with the role ----


def write_log(function: Function) -> Rights:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html; the template makes the group."""
    group = function.stack.evaluated(function.properties["LoggingConfig"]["LogGroup"]).replace(">", ".Arn>")
    return [Right("logs:CreateLogStream", group), Right("logs:PutLogEvents", group)]


def poll_queues(function: Function) -> Rights:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions."""
    for mapping in function.stack.of_type("AWS::Lambda::EventSourceMapping"):
        if mapping["FunctionName"] == {"Ref": function.logical_id}:
            queue = function.stack.evaluated(mapping["EventSourceArn"])
            for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"):
                yield Right(action, queue)


def keep_failed_invocations(function: Function) -> Rights:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html."""
    for config in function.stack.of_type("AWS::Lambda::EventInvokeConfig"):
        if config["FunctionName"] == {"Ref": function.logical_id}:
            yield Right(
                "sqs:SendMessage", function.stack.evaluated(config["DestinationConfig"]["OnFailure"]["Destination"])
            )


BY_LAMBDA: dict[str, Callable[[Function], Rights]] = {
    "Lambda writes the function's log": write_log,
    "Lambda polls the function's queues": poll_queues,
    "Lambda keeps what failed": keep_failed_invocations,
}

# Actions for which AWS knows no resource: only these may have "*".
WITHOUT_RESOURCE: dict[str, str] = {}

# A value for each parameter that decides about rights, besides its default.
OTHER_VALUES: dict[str, str] = {
    "AllowedEndpointNames": "second,third",
    "EndpointArns": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/capital",
    "OutputLocation": "s3://given/outputs/of/endpoint/",
    "FailureLocation": "s3://given/failures/",
    "OutputKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/outputs",
    "NotificationDelivery": "QUEUE",
    "ResultFormat": "raw",
    "WatchUnanswered": "true",
    "ReplyToArns": "arn:aws:sqs:us-east-1:123456789012:q,arn:aws:sns:us-east-1:123456789012:t,"
    "arn:aws:events:us-east-1:123456789012:event-bus/b",
    "StateMachineArns": "arn:aws:states:us-east-1:123456789012:stateMachine:a,"
    "arn:aws:states:us-east-1:123456789012:stateMachine:b",
    "DurableFunctionArns": "arn:aws:lambda:us-east-1:123456789012:function:a",
}


def conditions(statement: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A statement's condition. Several values of one key are as many rights; several keys must all be fulfilled."""
    pairs = [
        (operator, key, as_list(values))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    ]
    if len(pairs) == 1:
        operator, key, values = pairs[0]
        return [(operator, key, value) for value in values]
    return [tuple(part for operator, key, values in sorted(pairs) for part in (operator, key, *values))]
