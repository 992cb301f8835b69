"""Parameters of a running stack changed, and changed back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from local.bridge import body_json
from local.stack import ARTIFACTS_BUCKET, DEPLOY_TIMEOUT_SECONDS, LocalStack

JWT = {"HttpAuth": "JWT", "JwtIssuer": "https://issuer.example", "JwtAudience": "a"}


class Changing(LocalStack):
    """A stack whose parameters can change."""

    def change(self, **parameters: str) -> None:
        """Deploys again with these parameters changed."""
        self.parameters |= parameters
        self.cloudformation.update_stack(
            StackName=self.name,
            TemplateURL=f"{self.url}/{ARTIFACTS_BUCKET}/{self.name}.yaml",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in self._parameters().items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        deadline = time.monotonic() + DEPLOY_TIMEOUT_SECONDS
        while (status := self._status()) != "UPDATE_COMPLETE":
            assert not status.endswith(("FAILED", "ROLLBACK_COMPLETE")), self._failed_events(self.name)
            assert time.monotonic() < deadline, status
            time.sleep(0.1)
        self.allow_plain_http()
        self.count_concurrency()
        self._tell_api_url()

    def _status(self) -> str:
        return self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"]


@pytest.fixture(scope="module")
def changing() -> Iterator[Changing]:
    with Changing({"echo": "echo"}, name="changing") as stack:
        yield stack


def test_requests_are_answered_after_each_change_of_the_delivery(changing: Changing) -> None:
    for delivery, protocol in (("QUEUE", "sqs"), ("DIRECT", "lambda"), ("QUEUE", "sqs")):
        changing.change(NotificationDelivery=delivery)
        topic = changing.outputs["SuccessTopicArn"]
        found = changing.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert [subscription["Protocol"] for subscription in found] == [protocol]
        result = body_json(changing.wait_for_result(changing.send("{}")))
        assert result["invocationStatus"] == "Completed"


def test_limits_of_the_functions_and_queues_are_those_of_the_parameters(changing: Changing) -> None:
    limits = {"InlineLimitBytes": "0", "MaxWaitSeconds": "0", "MaxConcurrency": "2"}
    changing.change(HttpAuth="AWS_IAM", MaxReceiveCount="6", **limits)
    result = body_json(changing.wait_for_result(changing.send("{}")))
    assert result["requestParameters"]["inputLocation"].startswith(f"s3://{changing.bucket}/input/")
    answer = changing.http("POST", "/invocations", b"{}", headers={"Prefer": "wait=10"})
    assert (answer.status, answer.headers.get("preference-applied")) == (202, None)
    # ReservedConcurrency: the local CloudFormation does not know it; tests/template has it.
    mappings = changing.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert {mapping["ScalingConfig"]["MaximumConcurrency"] for mapping in mappings} == {2}
    queue = changing.sqs.get_queue_attributes(
        QueueUrl=changing.outputs["RequestQueueUrl"], AttributeNames=["RedrivePolicy"]
    )
    assert int(json.loads(queue["Attributes"]["RedrivePolicy"])["maxReceiveCount"]) == 6


def test_the_http_api_asks_for_what_the_changed_authorization_says(changing: Changing) -> None:
    for given, signed, unsigned in (
        (JWT, 401, 401),
        ({"HttpAuth": "AWS_IAM"}, 202, 403),
        ({"HttpAuth": "NONE"}, 202, 202),
        (JWT, 401, 401),
    ):
        changing.change(**given)
        statuses = [changing.http("POST", "/invocations", b"{}", sign=sign).status for sign in (True, False)]
        assert statuses == [signed, unsigned]
        authorizers = changing.client("apigatewayv2").get_authorizers(ApiId=changing.outputs["ApiId"])["Items"]
        assert [entry["Name"] for entry in authorizers] == ["jwt"]
