"""What the template promises about TLS and a key of the user's, deployed.

Of the keys of topics and bucket, of a VPC and of a boundary, the CloudFormation of the local AWS makes nothing:
tests/template has those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.bridge import as_by_tls, body_json
from local.stack import LocalStack

DENIED = ("AccessDenied", "AuthorizationError")
VPC = {"VpcSubnetIds": "subnet-00000001,subnet-00000002", "VpcSecurityGroupIds": "sg-00000001"}


class OnlyByTls(LocalStack):
    """As on AWS: with the statements that refuse plain HTTP."""

    def _adapt(self) -> None:
        """Nothing is changed after the deployment."""


class Secured(LocalStack):
    """With a key of the user's, in a VPC, with a boundary."""

    def _deploy(self) -> None:
        self.key = self.client("kms").create_key()["KeyMetadata"]["Arn"]
        boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
        self.parameters |= {"KmsKeyArn": self.key, "PermissionsBoundaryArn": boundary, **VPC}
        super()._deploy()

    def resources(self, kind: str) -> list[str]:
        """Physical ids of a type's resources."""
        found = self.cloudformation.describe_stack_resources(StackName=self.name)["StackResources"]
        return [entry["PhysicalResourceId"] for entry in found if entry["ResourceType"] == kind]


@pytest.fixture(scope="module")
def only_by_tls() -> Iterator[OnlyByTls]:
    with OnlyByTls({"demo": "echo"}, parameters={"NotificationDelivery": "QUEUE"}, name="tls") as stack:
        yield stack


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    with Secured({"demo": "echo"}, name="secured") as stack:
        yield stack


def refused(call: Callable[..., Any], **arguments: str) -> bool:
    """Whether a call is denied; any other error is one."""
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in DENIED:
            raise
        return True
    return False


def test_plain_http_reaches_no_queue_and_no_topic(only_by_tls: OnlyByTls) -> None:
    queues = [only_by_tls.resource(name) for name in ("RequestQueue", "NotificationQueue", "ResultsQueue")]
    queues += [only_by_tls.resource(name) for name in ("RequestDeadLetterQueue", "NotificationDeadLetterQueue")]
    topics = [only_by_tls.outputs[name] for name in ("SuccessTopicArn", "ErrorTopicArn")]
    for proxied in (False, True):
        sqs, sns = (only_by_tls.client(service) for service in ("sqs", "sns"))
        if proxied:
            for client in (sqs, sns):
                client.meta.events.register("before-send", as_by_tls)
        answers = [refused(sqs.send_message, QueueUrl=queue, MessageBody="{}") for queue in queues]
        answers += [refused(sqs.receive_message, QueueUrl=queue) for queue in queues]
        answers += [refused(sns.publish, TopicArn=topic, Message="{}") for topic in topics]
        assert set(answers) == {not proxied}


def test_requests_are_answered_with_a_key_in_a_vpc_and_within_a_boundary(secured: Secured) -> None:
    result = body_json(secured.wait_for_result(secured.send("{}")))
    assert result["invocationStatus"] == "Completed"
    assert secured.http("POST", "/invocations", b"{}", headers={"prefer": "wait=20"}).status == 200


def test_the_key_encrypts_queues_and_log_groups(secured: Secured) -> None:
    queues, groups = secured.resources("AWS::SQS::Queue"), secured.resources("AWS::Logs::LogGroup")
    assert [len(queues), len(groups)] == [5, 3]
    for queue in queues:
        found = secured.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        assert (found["KmsMasterKeyId"], found["SqsManagedSseEnabled"]) == (secured.key, "false")
    described = secured.client("logs").describe_log_groups()["logGroups"]
    keys = {entry["logGroupName"]: entry.get("kmsKeyId") for entry in described}
    assert {keys[group] for group in groups} == {secured.key}
