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

Where a queue or the bucket is encrypted with a KMS key, SQS and S3 use the key in the caller's name:

| what is done | action, through which service | page |
|---|---|---|
| send to a queue | kms:GenerateDataKey, kms:Decrypt, SQS | sqs-key-management.html |
| receive from a queue | kms:Decrypt, SQS | sqs-key-management.html |
| read an object | kms:Decrypt, S3 | UsingKMSEncryption.html |
| write an object | kms:GenerateDataKey, S3 | UsingKMSEncryption.html |
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

    @property
    def service(self) -> str:
        return self.action.partition(":")[0]

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


def read(function: Function, locations: Iterable[str]) -> Rights:
    """GetObject, HeadObject. Without the right to list, S3 answers 403 for what is not there."""
    for location in locations:
        yield Right("s3:GetObject", objects(location))
        yield listing(location)
        yield from use(key_of_bucket(function, location), "s3", "kms:Decrypt")


def write(function: Function, locations: Iterable[str]) -> Rights:
    """PutObject, CopyObject's copy."""
    for location in locations:
        yield Right("s3:PutObject", objects(location))
        yield from use(key_of_bucket(function, location), "s3", "kms:GenerateDataKey")


def use(key: str | None, service: str, *actions: str) -> Rights:
    """What a service does with a key in a role's name. Its name there ends in the partition's domain."""
    through = ("StringLike", "kms:ViaService", f"{service}.{REGION}.amazonaws.com*")
    return [Right(action, key, through) for action in actions if key is not None]


def key_of_bucket(function: Function, location: str) -> str | None:
    """The key of the stack's bucket. Those of other buckets the stack does not know."""
    if not location.startswith(BUCKET):
        return None
    encryption = function.stack.resources["Bucket"]["Properties"]["BucketEncryption"]
    (rule,) = function.stack.evaluated(encryption["ServerSideEncryptionConfiguration"])
    return rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID")


def key_of_queue(function: Function, arn: str) -> str | None:
    """The key of a queue of the stack."""
    queue = function.stack.resources.get(arn.removeprefix("<").removesuffix(".Arn>"))
    return None if queue is None else function.stack.evaluated(queue["Properties"].get("KmsMasterKeyId"))


def read_outputs(function: Function) -> Rights:
    """With the stack's key the endpoint encrypts outputs wherever they are, unless it has a key of its own."""
    yield from read(function, function.outputs())
    for name in ("KmsKeyArn", "OutputKmsKeyArn"):
        for key in function.stack.parameter(name):
            yield from use(key, "s3", "kms:Decrypt")


def copy_outputs(function: Function) -> Rights:
    copies = function.location("BRIDGE_RESULT_LOCATION")
    if copies:
        yield from read_outputs(function)
        yield from write(function, copies)


# ---- queues, topics, buses, tasks ----


def send(function: Function, arns: Iterable[str]) -> Rights:
    """SendMessage, to queues by their ARNs."""
    for arn in arns:
        yield Right("sqs:SendMessage", arn)
        yield from use(key_of_queue(function, arn), "sqs", "kms:GenerateDataKey", "kms:Decrypt")


def arns(urls: Iterable[str]) -> list[str]:
    """ARNs of the stack's queues, of which a variable holds the URLs."""
    return [url.replace(">", ".Arn>") for url in urls]


def reply(service: str, action: str) -> Callable[[Function], Rights]:
    """To whatever a return address may name of this service."""
    prefix = f"arn:{PARTITION}:{service}:"
    return lambda function: [
        Right(action, arn) for arn in function.variable("BRIDGE_REPLY_TO_ARNS") if arn.startswith(prefix)
    ]


def send_results(function: Function) -> Rights:
    yield from send(function, arns(function.variable("BRIDGE_RESULTS_QUEUE_URL")))
    yield from reply("sqs", "sqs:SendMessage")(function)


def end_tasks(action: str) -> Callable[[Function], Rights]:
    """Of these state machines. The Service Authorization Reference knows no resource for that, but Step Functions goes
    by the state machine, and names it when it refuses: https://github.com/aws/aws-cdk/pull/8486.
    """
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
    ("submit/invoke.rs", "PutObject"): lambda f: write(f, f.location("BRIDGE_INPUT_LOCATION")),
    # Whether a caller has uploaded what it was invited to, and how much.
    ("submit/invoke.rs", "GetObject"): lambda f: read(f, f.location("BRIDGE_INPUT_LOCATION", "uploads/")),
    # The content type of an object that was put; other locations than the stack's bucket need a right of their own.
    ("submit/events.rs", "HeadObject"): lambda f: read(
        f, [location for location in f.variable("BRIDGE_ALLOWED_INPUT_LOCATIONS") if location.endswith("/requests/")]
    ),
    ("submit/sources/http/upload.rs", "PutObject"): lambda f: write(f, f.location("BRIDGE_INPUT_LOCATION", "uploads/")),
    ("submit/sources/http/output.rs", "GetObject"): lambda f: (
        *read_outputs(f),
        *read(f, f.location("BRIDGE_PENDING_LOCATION", "unanswered/")),
    ),
    ("submit/sources/http/output.rs", "HeadObject"): read_outputs,
    ("submit/idempotency.rs", "GetObject"): lambda f: read(f, f.location("BRIDGE_IDEMPOTENCY_LOCATION")),
    ("submit/idempotency.rs", "PutObject"): lambda f: write(f, f.location("BRIDGE_IDEMPOTENCY_LOCATION")),
    ("submit/remember.rs", "PutObject"): lambda f: write(f, f.location("BRIDGE_PENDING_LOCATION")),
    ("submit/sources/sqs/dead_letter.rs", "SendMessage"): lambda f: send(
        f, arns(f.variable("BRIDGE_DEAD_LETTER_QUEUE_URL"))
    ),
    ("collect/output.rs", "GetObject"): read_outputs,
    ("collect/message.rs", "CopyObject"): copy_outputs,
    ("collect/forget.rs", "DeleteObject"): lambda f: [
        Right("s3:DeleteObject", objects(location)) for location in f.location("BRIDGE_PENDING_LOCATION")
    ],
    ("collect/sweep/overdue.rs", "ListObjectsV2"): lambda f: map(listing, f.location("BRIDGE_PENDING_LOCATION")),
    ("collect/sweep/recovered.rs", "GetObject"): lambda f: read(f, f.location("BRIDGE_PENDING_LOCATION")),
    ("collect/sweep/recovered.rs", "HeadObject"): read_outputs,
    ("collect/sweep/recovered.rs", "PutObject"): lambda f: write(
        f, f.location("BRIDGE_PENDING_LOCATION", "unanswered/")
    ),
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
            yield from use(key_of_queue(function, queue), "sqs", "kms:Decrypt")


def keep_failed_invocations(function: Function) -> Rights:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html."""
    for config in function.stack.of_type("AWS::Lambda::EventInvokeConfig"):
        if config["FunctionName"] == {"Ref": function.logical_id}:
            destination = config["DestinationConfig"]["OnFailure"]["Destination"]
            yield from send(function, [function.stack.evaluated(destination)])


def connect_to_vpc(function: Function) -> Rights:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions.

    Not for the function's own calls, which carry its ARN. Of an unknown number of ids, as for endpoints, CloudFormation
    can make ARNs with open parts only.
    """
    config = function.stack.evaluated(function.properties["VpcConfig"])
    if config is None:
        return
    by_lambda = ("Null", "lambda:SourceFunctionArn", "true")
    interfaces = f"arn:{PARTITION}:ec2:{REGION}:{ACCOUNT}:network-interface/*"
    subnets = [f"arn:*:ec2:*:*:subnet/{name}" for name in config["SubnetIds"]]
    groups = [f"arn:*:ec2:*:*:security-group/{name}" for name in config["SecurityGroupIds"]]
    for arn in (*subnets, *groups, interfaces):
        yield Right("ec2:CreateNetworkInterface", arn, by_lambda)
    for action in ("DeleteNetworkInterface", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"):
        yield Right(f"ec2:{action}", interfaces, by_lambda)
    for action in OF_NETWORK_INTERFACES:
        yield Right(action, "*", by_lambda)


def send_traces(function: Function) -> Rights:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html."""
    if function.stack.evaluated(function.properties["TracingConfig"]["Mode"]) == "Active":
        for action in OF_TRACES:
            yield Right(action, "*")


BY_LAMBDA: dict[str, Callable[[Function], Rights]] = {
    "Lambda writes the function's log": write_log,
    "Lambda polls the function's queues": poll_queues,
    "Lambda keeps what failed": keep_failed_invocations,
    "Lambda connects the function to its VPC": connect_to_vpc,
    "Lambda sends the function's traces": send_traces,
}

# Actions for which AWS knows no resource: only these may have "*".
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html, list_awsx-ray.html
OF_NETWORK_INTERFACES = ("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")
OF_TRACES = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
WITHOUT_RESOURCE = (*OF_NETWORK_INTERFACES, *OF_TRACES)

# A value for each parameter that decides about rights, besides its default.
OTHER_VALUES: dict[str, str] = {
    "S3Requests": "true",
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
    "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/stack",
    "VpcSubnetIds": "subnet-00000001,subnet-00000002",
    "VpcSecurityGroupIds": "sg-00000001",
    "Tracing": "true",
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
