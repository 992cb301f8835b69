"""Two stacks on one topic of the user's, on which other endpoints notify too, by either way of delivery."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from local.bridge import PATIENCE_SECONDS, REGION, Bridge, body_json, wait_for
from local.stack import ROOT, LocalStack

TOPIC = f"arn:aws:sns:{REGION}:000000000000:shared"
DELIVERED = re.compile("SNS fanout → (?:Lambda|SQS) ")
Stacks = tuple[LocalStack, LocalStack]


class OnTopicOfTheUser(LocalStack):
    """A stack for one endpoint, with a topic that is there before it."""

    def __init__(self, endpoints: dict[str, str], delivery: str, name: str) -> None:
        topics = {"SuccessTopicArn": TOPIC, "ErrorTopicArn": TOPIC}
        parameters = {**topics, "NotificationDelivery": delivery, "AllowedEndpointNames": ""}
        super().__init__(endpoints, parameters=parameters, name=name)

    def _deploy(self) -> None:
        self.sns.create_topic(Name="shared")
        super()._deploy()

    def deliveries(self, at_least: int = 0) -> int:
        """How many notifications SNS has delivered here, to either stack. ministack writes them down a moment later."""

        def count() -> int:
            return len(DELIVERED.findall(self.ministack_log.read_text(encoding="utf-8")))

        wait_for(lambda: count() >= at_least, PATIENCE_SECONDS, f"{at_least} deliveries")
        return count()


class Neighbour(OnTopicOfTheUser):
    """A second stack on the AWS of the first, for an endpoint that the first has not."""

    def __init__(self, first: LocalStack, endpoint: str, delivery: str) -> None:
        super().__init__({endpoint: first.endpoints[endpoint]}, delivery, "neighbour")
        Bridge.__init__(self, self.name, first.port)
        self.emulator_url = first.emulator_url
        # The emulator has one place for the outputs of all its endpoints.
        outputs = {"OutputLocation": f"s3://{first.bucket}/output/", "FailureLocation": f"s3://{first.bucket}/failure/"}
        self.parameters |= outputs

    def _start_ministack(self) -> None:
        pass

    def _start_emulator(self) -> None:
        pass


@pytest.fixture(scope="module", params=["DIRECT", "QUEUE"])
def stacks(request: pytest.FixtureRequest) -> Iterator[Stacks]:
    first = OnTopicOfTheUser({"echo": "echo", "Upper": "echo"}, request.param, "shared")
    with first, Neighbour(first, "Upper", request.param) as second:
        yield first, second


def publish(stack: LocalStack, inference_id: str, **request_parameters: str) -> None:
    """A notification like SageMaker's of a failure, whose request had these parameters."""
    sample = json.loads((ROOT / "events/notifications/failed-bare.json").read_text(encoding="utf-8"))
    notification = {**sample, "inferenceId": inference_id, "requestParameters": request_parameters}
    stack.sns.publish(TopicArn=TOPIC, Message=json.dumps(notification))


def results_of(stack: LocalStack, inference_id: str) -> int:
    stack.poll_results(wait_seconds=0)
    return len(stack.results.get(inference_id, []))


def dead_letters(stack: LocalStack) -> list[dict]:
    return stack.receive("NotificationDeadLetterQueueUrl", wait_seconds=0)


def test_each_stack_answers_for_its_own_endpoint_and_sees_nothing_of_the_other_s(stacks: Stacks) -> None:
    before = stacks[0].deliveries()
    sent = {stack: stack.send(json.dumps({"for": stack.name})) for stack in stacks}
    for stack, inference_id in sent.items():
        result = body_json(stack.wait_for_result(inference_id))
        assert result["responseBody"]["content"] == json.dumps({"for": stack.name})
        # SNS has decided about both by then: it delivered each to one subscription.
    assert stacks[0].deliveries(before + 2) - before == 2
    first, second = stacks
    assert results_of(first, sent[second]) == results_of(second, sent[first]) == 0
    assert dead_letters(first) == dead_letters(second) == []


def test_a_notification_of_somebody_else_s_endpoint_reaches_neither_collect_nor_a_queue(stacks: Stacks) -> None:
    before = stacks[0].deliveries()
    publish(stacks[0], "foreign", endpointName="somebody-elses")
    publish(stacks[0], "similar", endpointName="echo-2")
    publish(stacks[0], "own", endpointName="echo")
    stacks[0].wait_for_result("own")
    assert stacks[0].deliveries(before + 1) - before == 1
    assert [results_of(stack, "foreign") + results_of(stack, "similar") for stack in stacks] == [0, 0]
    assert [dead_letters(stack) for stack in stacks] == [[], []]


def test_the_case_in_which_sagemaker_writes_the_name_does_not_matter(stacks: Stacks) -> None:
    publish(stacks[0], "shouted", endpointName="ECHO")
    publish(stacks[0], "lowered", endpointName="upper")
    stacks[0].wait_for_result("shouted")
    stacks[1].wait_for_result("lowered")
    assert (results_of(stacks[0], "lowered"), results_of(stacks[1], "shouted")) == (0, 0)


def test_a_notification_that_names_no_endpoint_is_lost_to_nobody(stacks: Stacks) -> None:
    # The local SNS matches a name that is not there only where requestParameters is there. AWS's needs neither:
    # tests/template/test_filters.py.
    publish(stacks[0], "nameless", inputLocation="s3://bucket/input/x.json")
    for stack in stacks:
        stack.wait_for_result("nameless")
        assert results_of(stack, "nameless") == 1
