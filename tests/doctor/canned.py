"""Stacks of which AWS answers what a test says, by botocore's Stubber, which checks answers against the API models."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import boto3
from botocore.stub import Stubber

from doctor.aws import Aws
from doctor.finding import Finding
from doctor.stack import Stack

REGION, ACCOUNT = "eu-central-1", "111122223333"
PREFIX = f"arn:aws:sns:{REGION}:{ACCOUNT}:bridge"
QUEUES = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/bridge"
BUCKET = "bridge-bucket"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/summarizer"
ASYNC = (
    f'{{"OutputConfig":{{"S3OutputPath":"s3://{BUCKET}/output","S3FailurePath":"s3://{BUCKET}/failure",'
    f'"NotificationConfig":{{"SuccessTopic":"{PREFIX}-success","ErrorTopic":"{PREFIX}-error"}}}}}}'
)
OUTPUTS = {
    "ApiId": "a1b2c3",
    "ApiUrl": f"https://a1b2c3.execute-api.{REGION}.amazonaws.com",
    "AsyncInferenceConfig": ASYNC,
    "BucketName": BUCKET,
    "ErrorTopicArn": f"{PREFIX}-error",
    "NotificationDeadLetterQueueUrl": f"{QUEUES}-notification-dead",
    "RequestDeadLetterQueueUrl": f"{QUEUES}-request-dead",
    "RequestQueueUrl": f"{QUEUES}-request",
    "ResultsQueueUrl": f"{QUEUES}-results",
    "SuccessTopicArn": f"{PREFIX}-success",
}
RESOURCES = {
    "RequestQueue": f"{QUEUES}-request",
    "RequestDeadLetterQueue": f"{QUEUES}-request-dead",
    "NotificationDeadLetterQueue": f"{QUEUES}-notification-dead",
    "EventDeadLetterQueue": f"{QUEUES}-event-dead",
    "ResultsQueue": f"{QUEUES}-results",
    "SubmitFunction": "bridge-submit",
    "CollectFunction": "bridge-collect",
    "SubmitLogGroup": "/aws/lambda/bridge-submit",
    "CollectLogGroup": "/aws/lambda/bridge-collect",
}

Check = Callable[[Stack], Iterable[Finding]]
# Service, operation as boto3 names it, and what it answers: an answer, or the code of an error.
Answers = list[tuple[str, str, dict[str, Any] | str]]


def aws_of(answers: Answers) -> Aws:
    """An AWS that answers these, in this order, and nothing else."""
    clients: dict[str, Any] = {}
    stubbers: dict[str, Stubber] = {}
    for service, operation, answer in answers:
        if service not in clients:
            clients[service] = boto3.client(
                service, region_name=REGION, aws_access_key_id="key", aws_secret_access_key="secret"
            )
            stubbers[service] = Stubber(clients[service])
            stubbers[service].activate()
        if isinstance(answer, str):
            code, _, message = answer.partition(": ")
            stubbers[service].add_client_error(operation, code, message)
        else:
            stubbers[service].add_response(operation, answer)
    return Aws(clients=clients)


def stack_of(
    answers: Answers = (),  # type: ignore[assignment]
    *,
    parameters: dict[str, str] | None = None,
    resources: dict[str, str] | None = None,
    status: str = "CREATE_COMPLETE",
) -> Stack:
    """A stack as its description says it, whose further questions are answered by `answers`."""
    description = {
        "StackName": "bridge",
        "StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/bridge/0",
        "StackStatus": status,
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in OUTPUTS.items()],
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in {"EndpointName": "summarizer", **(parameters or {})}.items()
        ],
    }
    listed = [
        {"LogicalResourceId": key, "PhysicalResourceId": value, "ResourceStatus": "CREATE_COMPLETE"}
        for key, value in {**RESOURCES, **(resources or {})}.items()
    ]
    return Stack(description, listed, aws_of(list(answers)))


def only(findings: Iterable[Finding]) -> Finding:
    """The one finding."""
    (finding,) = findings
    return finding
