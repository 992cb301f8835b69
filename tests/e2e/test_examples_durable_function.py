"""examples/durable-function, with AWS's SDK: goes on with the output, or says why there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from local.archive import source_archive
from local.bridge import PATIENCE_SECONDS, REGION, wait_for
from local.pipelines import ACCOUNT, enable_durability
from local.stack import ARTIFACTS_BUCKET, ROOT
from tests.e2e.test_unanswered import Watching

EXAMPLE = ROOT / "examples/durable-function"
REQUEST = {"prompt": "Summarize."}
DURABLE_ROLE_ACTIONS = ["lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"]


def adapted_source() -> str:
    """The function. The SDK sends 0 for no heartbeat timeout, which ministack takes as one that is over."""
    source, timeout = (EXAMPLE / "src/app.py").read_text(encoding="utf-8"), "(timeout=CALLBACK_TIMEOUT)"
    assert source.count(timeout) == 1
    return source.replace(timeout, "(timeout=CALLBACK_TIMEOUT, heartbeat_timeout=CALLBACK_TIMEOUT)")


class Example:
    """The example's stack for an endpoint, and its executions."""

    def __init__(self, stack: Watching, endpoint: str, **parameters: str) -> None:
        self.stack, self.functions = stack, stack.client("lambda")
        stack.s3.put_object(Bucket=ARTIFACTS_BUCKET, Key="example.zip", Body=source_archive("app.py", adapted_source()))
        template = yaml_parse((EXAMPLE / "template.yaml").read_text(encoding="utf-8"))
        function = template["Resources"]["Function"]["Properties"]
        function |= {"CodeUri": f"s3://{ARTIFACTS_BUCKET}/example.zip", "FunctionName": f"of-{endpoint}"}
        queue = stack.outputs["RequestQueueUrl"]
        parameters = {"RequestQueueUrl": queue, "EndpointName": endpoint, **parameters}
        self.outputs = stack.deploy(f"example-{endpoint}", yaml.safe_dump(template), parameters)
        self._make_durable(function["DurableConfig"])

    def _make_durable(self, durable_config: dict[str, Any]) -> None:
        """What AWS does with the template's DurableConfig: ministack leaves it out, and the policy that SAM adds."""
        name = self.outputs["FunctionArn"]
        role = self.functions.get_function_configuration(FunctionName=name)["Role"].rpartition("/")[2]
        allow = {"Effect": "Allow", "Action": DURABLE_ROLE_ACTIONS, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        self.stack.client("iam").put_role_policy(RoleName=role, PolicyName="durable", PolicyDocument=document)
        self.functions.meta.events.register("before-call.lambda.UpdateFunctionConfiguration", enable_durability)
        self.functions.update_function_configuration(FunctionName=name, DurableConfig=durable_config)
        published = self.functions.publish_version(FunctionName=name)["Version"]
        self.functions.update_alias(FunctionName=name, Name="live", FunctionVersion=published)

    def start(self, request: Any = REQUEST) -> str:
        """Starts an execution; its ARN."""
        payload = json.dumps({"request": request})
        invoked = self.functions.invoke(FunctionName=self.outputs["AliasArn"], Payload=payload)
        return invoked["DurableExecutionArn"]

    def result_of(self, execution: str) -> dict[str, Any]:
        """Waits for an execution to end; what it came to."""
        ended: dict[str, Any] = {}

        def has_ended() -> bool:
            ended.update(self.functions.get_durable_execution(DurableExecutionArn=execution))
            return ended["Status"] != "RUNNING"

        wait_for(has_ended, PATIENCE_SECONDS, "the execution's end")
        assert ended["Status"] == "SUCCEEDED", ended
        return json.loads(ended["Result"])


@pytest.fixture(scope="module")
def stack() -> Iterator[Watching]:
    models = {"echo": "echo", "failing": "fail", "silent": "sleep:3600", "slow": "sleep:3600"}
    functions = [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:of-{name}" for name in (*models, "foreign")]
    parameters = {"DurableFunctionArns": ",".join(functions), "WatchUnanswered": "true"}
    with Watching(models, parameters=parameters, name="durable") as stack:
        yield stack


def test_the_sdk_is_the_one_that_is_deployed() -> None:
    name, _, pinned = (EXAMPLE / "src/requirements.txt").read_text(encoding="utf-8").strip().partition("==")
    assert version(name) == pinned


def test_the_function_goes_on_with_the_models_output(stack: Watching) -> None:
    example = Example(stack, "echo")
    result = example.result_of(example.start())
    assert result["status"] == "Completed", result
    assert json.loads(result["output"]) == REQUEST

    large = example.result_of(example.start({"prompt": '"' * 100_000}))
    assert large["status"] == "Completed"
    assert large["outputLocation"].startswith(f"s3://{stack.bucket}/output/"), (
        "four times as many bytes in JSON in JSON"
    )


def test_a_failed_inference_is_caught(stack: Watching) -> None:
    example = Example(stack, "failing")
    result = example.result_of(example.start())
    assert result["status"] == "Failed"
    assert result["failureReason"]


def test_a_rejected_request_is_caught(stack: Watching) -> None:
    example = Example(stack, "foreign")
    result = example.result_of(example.start())
    assert result["status"] == "Rejected"
    assert result["failureReason"].startswith("AccessDeniedException")


def test_a_request_that_nobody_answers_is_caught(stack: Watching) -> None:
    example = Example(stack, "silent")
    execution = example.start()
    wait_for(lambda: stack.is_remembered("silent"), PATIENCE_SECONDS, "the accepted request")
    stack.make_overdue()
    stack.sweep()
    assert example.result_of(execution)["status"] == "Unanswered"


def test_a_callback_that_is_not_answered_in_time_is_caught(stack: Watching) -> None:
    example = Example(stack, "slow", CallbackTimeoutSeconds="1")
    assert example.result_of(example.start()) == {"status": "TimedOut"}
