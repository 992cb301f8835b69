r"""One asynchronous endpoint from its creation to its end: inline and by location, notified through SNS and SQS.

Written for AWS. Against a local emulator only the clients' endpoint URLs differ, and those come from the environment:

    export AWS_ENDPOINT_URL_SAGEMAKER=http://127.0.0.1:8080 AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME=http://127.0.0.1:8080
    export AWS_ENDPOINT_URL=http://127.0.0.1:4566
    python examples/async_endpoint.py --bucket models --role-arn arn:aws:iam::000000000000:role/sagemaker \
        --image 000000000000.dkr.ecr.us-east-1.amazonaws.com/summarizer:latest
"""

from __future__ import annotations

import argparse
import json
import time
import uuid
from typing import Any

import boto3

RESULT_TIMEOUT_SECONDS = 900


def main() -> None:
    """Creates, invokes, waits, prints, and deletes what it created."""
    options = arguments()
    name = f"{options.name}-{uuid.uuid4().hex[:8]}"
    sagemaker, queue = boto3.client("sagemaker"), Notifications(name)
    try:
        create_endpoint(sagemaker, name, options, queue.topic_arn)
        expected = invoke(name, options.bucket)
        for notification in queue.wait_for(set(expected)):
            output = read(notification["responseParameters"]["outputLocation"])
            print(f"{notification['inferenceId']}: {notification['invocationStatus']}: {output.decode()}")
            assert output == expected[notification["inferenceId"]], output
    finally:
        delete_endpoint(sagemaker, name)
        queue.delete()


def arguments() -> argparse.Namespace:
    """What differs between accounts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bucket", required=True, help="for inputs and outputs")
    parser.add_argument("--image", required=True, help="of a container that answers with its input")
    parser.add_argument("--role-arn", required=True, help="the endpoint's role")
    parser.add_argument("--instance-type", default="ml.m5.large")
    parser.add_argument("--name", default="async-example", help="prefix of everything that is created")
    return parser.parse_args()


def create_endpoint(sagemaker: Any, name: str, options: argparse.Namespace, topic_arn: str) -> None:
    """Model, configuration and endpoint; returns when it is in service."""
    sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": options.image}, ExecutionRoleArn=options.role_arn)
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": "AllTraffic",
                "ModelName": name,
                "InstanceType": options.instance_type,
                "InitialInstanceCount": 1,
            }
        ],
        AsyncInferenceConfig={
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 4},
            "OutputConfig": {
                "S3OutputPath": f"s3://{options.bucket}/{name}/output/",
                "S3FailurePath": f"s3://{options.bucket}/{name}/failure/",
                "NotificationConfig": {"SuccessTopic": topic_arn, "ErrorTopic": topic_arn},
            },
        },
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name)


def invoke(name: str, bucket: str) -> dict[str, bytes]:
    """Invokes inline and by location; inference ids with the outputs that they must have."""
    runtime, s3 = boto3.client("sagemaker-runtime"), boto3.client("s3")
    inline, stored = b'{"inputs": "inline"}', b'{"inputs": "from S3"}'
    first = runtime.invoke_endpoint_async(EndpointName=name, ContentType="application/json", Body=inline)
    key = f"{name}/input.json"
    s3.put_object(Bucket=bucket, Key=key, Body=stored)
    second = runtime.invoke_endpoint_async(
        EndpointName=name, ContentType="application/json", InputLocation=f"s3://{bucket}/{key}"
    )
    return {first["InferenceId"]: inline, second["InferenceId"]: stored}


def read(location: str) -> bytes:
    """The object at `s3://bucket/key`."""
    bucket, key = location.removeprefix("s3://").split("/", 1)
    return boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def delete_endpoint(sagemaker: Any, name: str) -> None:
    """Everything that `create_endpoint` created, however far it came."""
    for delete in (
        lambda: sagemaker.delete_endpoint(EndpointName=name),
        lambda: sagemaker.delete_endpoint_config(EndpointConfigName=name),
        lambda: sagemaker.delete_model(ModelName=name),
    ):
        try:
            delete()
        except sagemaker.exceptions.ClientError as error:
            print(f"not deleted: {error}")


class Notifications:
    """A topic, and a queue that its notifications arrive in."""

    def __init__(self, name: str) -> None:
        self.sns, self.sqs = boto3.client("sns"), boto3.client("sqs")
        self.topic_arn: str = self.sns.create_topic(Name=name)["TopicArn"]
        self.url: str = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": attributes["QueueArn"],
                "Condition": {"ArnEquals": {"aws:SourceArn": self.topic_arn}},
            },
        }
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": json.dumps(policy)})
        self.sns.subscribe(TopicArn=self.topic_arn, Protocol="sqs", Endpoint=attributes["QueueArn"])

    def wait_for(self, inference_ids: set[str]) -> list[dict[str, Any]]:
        """The notification of each of these, whatever else arrives before."""
        found: dict[str, dict[str, Any]] = {}
        deadline = time.monotonic() + RESULT_TIMEOUT_SECONDS
        while set(found) != inference_ids:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no notification of {inference_ids - set(found)}")
            received = self.sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=5, MaxNumberOfMessages=10)
            for message in received.get("Messages", []):
                notification = json.loads(json.loads(message["Body"])["Message"])
                # SageMaker also sends a TestNotification, when the endpoint is created.
                if notification["eventName"] == "InferenceResult" and notification["inferenceId"] in inference_ids:
                    found[notification["inferenceId"]] = notification
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return list(found.values())

    def delete(self) -> None:
        """Topic and queue."""
        self.sns.delete_topic(TopicArn=self.topic_arn)
        self.sqs.delete_queue(QueueUrl=self.url)


if __name__ == "__main__":
    main()
