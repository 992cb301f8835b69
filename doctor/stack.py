"""What is known of a deployed stack: parameters, outputs and resources, and what follows from them."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from doctor.aws import Aws
from doctor.commands import aws
from doctor.faults import CannotLookError, in_words, is_missing

# How template.yaml's Description begins, which a stack keeps even where nothing else of it was created.
DESCRIPTION = "sagemaker-async-bridge"
NEEDED_OUTPUTS = (
    "ApiId",
    "ApiUrl",
    "AsyncInferenceConfig",
    "BucketName",
    "ErrorTopicArn",
    "NotificationDeadLetterQueueUrl",
    "RequestDeadLetterQueueUrl",
    "RequestQueueUrl",
    "ResultsQueueUrl",
    "SuccessTopicArn",
)
DEFAULT_WAIT_SECONDS, DEFAULT_INLINE_LIMIT_BYTES = 20, 128_000


class Stack:
    """A stack of template.yaml, and the AWS that it is in."""

    def __init__(self, description: dict[str, Any], resources: list[dict[str, Any]], aws: Aws) -> None:
        """`description`: as DescribeStacks answers it. `resources`: as ListStackResources does."""
        self.aws = aws
        self.name: str = description["StackName"]
        self.status: str = description["StackStatus"]
        self.status_reason: str = description.get("StackStatusReason", "")
        self.outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in description.get("Outputs", [])}
        self.parameters = {
            entry["ParameterKey"]: entry.get("ParameterValue", "") for entry in description.get("Parameters", [])
        }
        self.resource_list = resources
        self.resources = {entry["LogicalResourceId"]: entry.get("PhysicalResourceId", "") for entry in resources}
        _, self.partition, _, self.region, self.account, _ = description["StackId"].split(":", 5)

    @classmethod
    def find(cls, name: str, aws: Aws) -> Stack:
        """The stack of this name; `CannotLookError` if there is none, or it is not the bridge's."""
        try:
            description = aws.ask("cloudformation", "describe_stacks", StackName=name)["Stacks"][0]
            resources = aws.ask_all("cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=name)
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and is_missing(error):
                raise CannotLookError(f"there is no stack {name} in {aws.session.region_name}") from error
            raise CannotLookError(f"stack {name}: {in_words(error)}") from error
        if not description.get("Description", "").startswith(DESCRIPTION):
            raise CannotLookError(f"stack {name} is not one of sagemaker-async-bridge's template.yaml")
        return cls(description, resources, aws)

    # ---- the endpoints ----

    @property
    def endpoint_names(self) -> list[str]:
        """EndpointName, then AllowedEndpointNames."""
        others = self.parameters.get("AllowedEndpointNames", "")
        return [self.parameters["EndpointName"], *filter(None, others.split(","))]

    def endpoint(self, name: str) -> dict[str, Any]:
        """DescribeEndpoint's answer."""
        return self.aws.ask("sagemaker", "describe_endpoint", EndpointName=name)

    def find_endpoint(self, name: str) -> dict[str, Any] | None:
        """DescribeEndpoint's answer, None where there is no endpoint of this name."""
        try:
            return self.endpoint(name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise

    def endpoint_config(self, name: str) -> dict[str, Any]:
        """The endpoint's configuration, without what only an answer has."""
        config = self.endpoint(name)["EndpointConfigName"]
        answer = self.aws.ask("sagemaker", "describe_endpoint_config", EndpointConfigName=config)
        return {
            key: value
            for key, value in answer.items()
            if key not in ("EndpointConfigArn", "CreationTime", "ResponseMetadata")
        }

    @cached_property
    def async_inference_config(self) -> dict[str, Any]:
        """What an endpoint's AsyncInferenceConfig has to say, of paths and topics."""
        return json.loads(self.outputs["AsyncInferenceConfig"])

    @property
    def input_location(self) -> str:
        """Where `submit` puts inputs."""
        return f"s3://{self.outputs['BucketName']}/input/"

    @property
    def output_location(self) -> str:
        """Where the bridge's roles may read outputs."""
        return self.parameters.get("OutputLocation") or f"s3://{self.outputs['BucketName']}/output/"

    @property
    def failure_location(self) -> str:
        """Where the bridge's roles may read failures."""
        return self.parameters.get("FailureLocation") or f"s3://{self.outputs['BucketName']}/failure/"

    @property
    def topics(self) -> dict[str, str]:
        """`SuccessTopic` and `ErrorTopic`, which may be one topic."""
        return {"SuccessTopic": self.outputs["SuccessTopicArn"], "ErrorTopic": self.outputs["ErrorTopicArn"]}

    # ---- functions and queues ----

    def function(self, logical_id: str) -> dict[str, Any]:
        """GetFunction's answer for a function of the template."""
        return self.aws.ask("lambda", "get_function", FunctionName=self.resources[logical_id])

    def variable(self, logical_id: str, name: str, default: str) -> str:
        """A function's environment variable."""
        configuration = self.function(logical_id)["Configuration"]
        return configuration.get("Environment", {}).get("Variables", {}).get(name) or default

    def mappings(self, function: str, queue: str) -> list[dict[str, Any]]:
        """The event source mappings from a queue to a function, both by their logical ids."""
        return self.aws.ask_all(
            "lambda",
            "list_event_source_mappings",
            "EventSourceMappings",
            FunctionName=self.resources[function],
            EventSourceArn=self.queue_arn(queue),
        )

    def queue_attributes(self, url: str) -> dict[str, str]:
        """All attributes of a queue."""
        return self.aws.ask("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]

    @property
    def is_by_queue(self) -> bool:
        """Whether notifications are delivered by QUEUE."""
        return "NotificationQueue" in self.resources

    def queue_arn(self, logical_id: str) -> str:
        """ARN of a queue of the template, from its URL."""
        account, name = self.resources[logical_id].rsplit("/", 2)[-2:]
        return f"arn:{self.partition}:sqs:{self.region}:{account}:{name}"

    def queue_name(self, logical_id: str) -> str:
        """Name of a queue of the template."""
        return self.resources[logical_id].rsplit("/", 1)[-1]

    # ---- mending ----

    def update_commands(self, **parameters: str) -> list[str]:
        """Commands that give the stack other parameters and leave the rest of it as it is."""
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
        kept = [{"ParameterKey": name, "UsePreviousValue": True} for name in self.parameters if name not in parameters]
        return [
            aws(
                "cloudformation update-stack",
                stack_name=self.name,
                use_previous_template=True,
                capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                parameters=(*given, *kept),
            ),
            aws("cloudformation wait stack-update-complete", stack_name=self.name),
        ]


def under(path: str, location: str) -> bool:
    """Whether an `s3://` path, with or without its final slash, is the location or lies under it."""
    return f"{path.rstrip('/')}/".startswith(location)


def s3_arn(location: str, partition: str) -> str:
    """The ARN of everything below an `s3://bucket/prefix/` location."""
    return f"arn:{partition}:s3:::{location.removeprefix('s3://')}*"
