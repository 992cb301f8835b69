"""A deployed bridge as its users meet it: requests in by SQS and HTTP, results and dead letters out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.credentials import Credentials

from local.gateway import HttpAnswer, call

REGION = "us-east-1"
# ministack's root key: no policy binds it. The functions get sessions of their own roles instead.
ROOT_KEY = "test"
# How long anything is waited for that must come: far longer than it takes on any machine, however busy.
PATIENCE_SECONDS = 300


def aws_client(service: str, url: str, **options: Any) -> Any:
    """A boto3 client with the root key for the service at an address."""
    keys = {"aws_access_key_id": ROOT_KEY, "aws_secret_access_key": ROOT_KEY}
    return boto3.client(service, endpoint_url=url, region_name=REGION, **keys, **options)


class Bridge:
    """The bridge at `http://127.0.0.1:port` whose stack `name` has these `outputs` (those of template.yaml)."""

    def __init__(self, name: str, port: int, outputs: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.port = port
        self.outputs: dict[str, str] = dict(outputs or {})
        self.results: dict[str, list[dict[str, Any]]] = {}
        self.s3, self.sqs, self.sns = self.client("s3"), self.client("sqs"), self.client("sns")
        self.cloudformation = self.client("cloudformation")

    @property
    def url(self) -> str:
        """Address of every AWS service here. Not `localhost`: S3 clients would look for `bucket.localhost`."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client of this AWS with the root key."""
        config = Config(
            s3={"addressing_style": "path"},
            retries={"max_attempts": 2},
            max_pool_connections=64,
            # A call that is tried again because its answer took long would do everything twice.
            read_timeout=PATIENCE_SECONDS,
        )
        return aws_client(service, self.url, config=config, **options)

    def allow_plain_http(self) -> None:
        """Takes the template's TLS-only statements off bucket, queues and topics, after they were deployed.

        Here everything is plain HTTP over loopback, and ministack enforces those statements as AWS does. Every
        permission that the functions have comes from their roles, so nothing else changes.
        """
        s3, sqs, sns = (self.client(service) for service in ("s3", "sqs", "sns"))
        for client in (s3, sqs, sns):
            client.meta.events.register("before-send", as_by_tls)
        s3.delete_bucket_policy(Bucket=self.bucket)
        for resource in self.cloudformation.describe_stack_resources(StackName=self.name)["StackResources"]:
            name = resource["PhysicalResourceId"]
            if resource["ResourceType"] == "AWS::SQS::Queue":
                found = sqs.get_queue_attributes(QueueUrl=name, AttributeNames=["Policy"]).get("Attributes", {})
                sqs.set_queue_attributes(QueueUrl=name, Attributes={"Policy": without_tls_only(found.get("Policy"))})
            elif resource["ResourceType"] == "AWS::SNS::Topic":
                policy = sns.get_topic_attributes(TopicArn=name)["Attributes"]["Policy"]
                sns.set_topic_attributes(TopicArn=name, AttributeName="Policy", AttributeValue=without_tls_only(policy))

    @property
    def bucket(self) -> str:
        """Name of the stack's bucket."""
        return self.outputs["BucketName"]

    @property
    def http_url(self) -> str:
        """Base URL of the HTTP API: what `ApiUrl` is on AWS."""
        return f"{self.url}/_aws/execute-api/{self.outputs['ApiId']}/$default"

    def send(self, body: str, **attributes: str | int) -> str:
        """Sends a request; attributes become message attributes. Returns the SQS message id."""
        sent = self.sqs.send_message(
            QueueUrl=self.outputs["RequestQueueUrl"],
            MessageBody=body,
            MessageAttributes={name: message_attribute(value) for name, value in attributes.items()},
        )
        return sent["MessageId"]

    def http(
        self, method: str, path: str, body: bytes = b"", *, sign: bool = True, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """Calls the HTTP API; `path` begins with a slash."""
        credentials = Credentials(ROOT_KEY, ROOT_KEY) if sign else None
        return call(method, self.http_url + path, body, headers or {}, credentials=credentials, region=REGION)

    def receive(self, output: str, wait_seconds: int = 1) -> list[dict[str, Any]]:
        """Takes and deletes up to ten messages from the queue whose URL is this stack output."""
        queue = self.outputs[output]
        answer = self.sqs.receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=wait_seconds,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return messages

    def receive_all(self, output: str, count: int, timeout_seconds: float = PATIENCE_SECONDS) -> list[dict[str, Any]]:
        """Takes `count` messages, or as many as come in time; one more than asked for counts too."""
        messages: list[dict[str, Any]] = []
        deadline = time.monotonic() + timeout_seconds
        while len(messages) < count and time.monotonic() < deadline:
            messages += self.receive(output)
        return messages

    def poll_results(self, wait_seconds: int = 1) -> None:
        """Takes what the results queue has into `results`: inference id to messages, in order of arrival."""
        for message in self.receive("ResultsQueueUrl", wait_seconds):
            attribute = message.get("MessageAttributes", {}).get("InferenceId", {})
            self.results.setdefault(attribute.get("StringValue", ""), []).append(message)

    def wait_for_result(self, inference_id: str, timeout_seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """The first result message of an inference id, whichever others arrive before it."""

        def arrived() -> bool:
            if inference_id not in self.results:
                self.poll_results()
            return inference_id in self.results

        wait_for(arrived, timeout_seconds, f"result of {inference_id}")
        return self.results[inference_id][0]

    def resource(self, logical_id: str) -> str:
        """Physical id of a resource of the template, such as the URL of a queue that is no output."""
        found = self.cloudformation.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return found["StackResourceDetail"]["PhysicalResourceId"]


def message_attribute(value: str | int) -> dict[str, str]:
    """An SQS message attribute: Number for an int, else String."""
    return {"DataType": "Number" if isinstance(value, int) else "String", "StringValue": str(value)}


def wait_for(condition: Callable[[], Any], timeout_seconds: float, what: str) -> None:
    """Calls `condition` until it is true, once more when the time is over; `TimeoutError` names `what` did not come."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        is_late = time.monotonic() > deadline
        if condition():
            return
        if is_late:
            raise TimeoutError(f"{what}: nothing after {timeout_seconds:g} s")
        time.sleep(0.02)


def body_json(message: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON body of a received message."""
    return json.loads(message["Body"])


def without_tls_only(policy: str | None) -> str:
    """A resource's policy without the statement that refuses plain HTTP; empty where there is no other."""
    document = json.loads(policy or '{"Statement": []}')
    left = [statement for statement in document["Statement"] if statement.get("Sid") != "OnlyOverTls"]
    return json.dumps({**document, "Statement": left}) if left else ""


def as_by_tls(request: Any, **_: Any) -> None:
    """Adds what a proxy that ended TLS would add to a request."""
    request.headers["X-Forwarded-Proto"] = "https"
