"""What a team writes against the fixture. test_wheel.py runs it where nothing but the wheel and pytest is installed."""

from __future__ import annotations

import json
import logging
import os
import threading

import boto3
import pytest
from botocore.config import Config as ClientConfig
from sagemaker_async_emulator import Config, Endpoint, InvocationError, ModelRequest, ModelResponse, running


def send_order(order: dict) -> dict:
    """Code under test: it knows nothing of the emulator."""
    runtime = boto3.client("sagemaker-runtime")
    body = json.dumps(order).encode()
    return runtime.invoke_endpoint_async(EndpointName="demo", Body=body, ContentType="application/json")


def test_code_under_test_reaches_the_endpoint_by_the_environment_alone(sagemaker_async_endpoint: Endpoint) -> None:
    answer = send_order({"number": 4711})
    assert json.loads(sagemaker_async_endpoint.wait(answer)) == {"number": 4711}
    assert sagemaker_async_endpoint.wait(answer["OutputLocation"]) == sagemaker_async_endpoint.wait(answer)


def test_the_clients_are_ready_and_the_endpoint_is_in_service(sagemaker_async_endpoint: Endpoint) -> None:
    endpoint = sagemaker_async_endpoint
    assert endpoint.sagemaker.describe_endpoint(EndpointName=endpoint.name)["EndpointStatus"] == "InService"
    endpoint.s3.put_object(Bucket=endpoint.bucket, Key="input/large", Body=b"x" * 200_000)
    location = f"s3://{endpoint.bucket}/input/large"
    answer = endpoint.runtime.invoke_endpoint_async(EndpointName=endpoint.name, InputLocation=location)
    assert endpoint.wait(answer) == b"x" * 200_000
    assert endpoint.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    scaling = endpoint.client("application-autoscaling")
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []
    assert boto3.client("sts").get_caller_identity()["Account"] == "000000000000"


def lengths(request: ModelRequest) -> str:
    if request.content_type != "text/plain":
        raise ValueError(f"cannot read {request.content_type}")
    return f"{len(request.body)} bytes, {request.custom_attributes}, {request.inference_id}"


@pytest.mark.sagemaker_async(model=lengths, name="lengths")
class TestAFunctionAsModel:
    def test_it_gets_the_request_and_its_answer_is_the_output(self, sagemaker_async_endpoint: Endpoint) -> None:
        answer = boto3.client("sagemaker-runtime").invoke_endpoint_async(
            EndpointName="lengths", Body=b"12345", ContentType="text/plain", CustomAttributes="a=b", InferenceId="one"
        )
        assert sagemaker_async_endpoint.wait(answer) == b"5 bytes, a=b, one"
        notification = sagemaker_async_endpoint.wait_for_notification("one")
        assert notification["invocationStatus"] == "Completed"
        assert notification["responseParameters"]["outputLocation"] == answer["OutputLocation"]

    def test_its_input_by_location_is_the_object(self, sagemaker_async_endpoint: Endpoint) -> None:
        endpoint = sagemaker_async_endpoint
        endpoint.s3.put_object(Bucket=endpoint.bucket, Key="input/large", Body=b"x" * 3_000_000)
        answer = endpoint.runtime.invoke_endpoint_async(
            EndpointName="lengths", InputLocation=f"s3://{endpoint.bucket}/input/large", ContentType="text/plain"
        )
        assert endpoint.wait(answer).startswith(b"3000000 bytes")

    def test_its_exception_fails_the_invocation_and_is_logged(
        self, sagemaker_async_endpoint: Endpoint, caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = sagemaker_async_endpoint.runtime.invoke_endpoint_async(
            EndpointName="lengths", Body=b"x", ContentType="text/csv", InferenceId="bad"
        )
        with pytest.raises(InvocationError) as raised:
            sagemaker_async_endpoint.wait(answer)
        assert (raised.value.status, raised.value.output) == ("Failed", b"ValueError: cannot read text/csv")
        assert sagemaker_async_endpoint.wait_for_notification("bad")["invocationStatus"] == "Failed"
        (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert record.exc_info

    @pytest.mark.sagemaker_async(name="other", model=lambda _: ModelResponse(b"busy", "text/plain", 503))
    def test_the_nearest_marker_counts(self, sagemaker_async_endpoint: Endpoint) -> None:
        answer = boto3.client("sagemaker-runtime").invoke_endpoint_async(EndpointName="other", Body=b"x")
        with pytest.raises(InvocationError, match="503") as raised:
            sagemaker_async_endpoint.wait(answer)
        assert raised.value.output == b"busy"


def test_invocations_of_a_function_overlap() -> None:
    both = threading.Barrier(2)

    def meet(_request: ModelRequest) -> bytes:
        return b"%d" % sorted([both.wait(180)])[0]

    with running(Config(model=meet)) as endpoint:
        runtime = endpoint.runtime
        answers = [runtime.invoke_endpoint_async(EndpointName="demo", Body=b"x") for _ in range(2)]
        assert {endpoint.wait(answer) for answer in answers} == {b"0", b"1"}


@pytest.mark.sagemaker_async(model="sleep:3600")
def test_what_takes_too_long_is_a_timeout_and_ends_with_the_test(sagemaker_async_endpoint: Endpoint) -> None:
    answer = send_order({})
    with pytest.raises(TimeoutError, match="still "):
        sagemaker_async_endpoint.wait(answer, timeout=0.2)
    # Now at the latest it has begun.
    with pytest.raises(TimeoutError, match="still InProgress"):
        sagemaker_async_endpoint.wait(answer, timeout=0.2)
    with pytest.raises(TimeoutError, match="not among those"):
        sagemaker_async_endpoint.wait("s3://sagemaker/output/other", timeout=0.2)


@pytest.mark.sagemaker_async(faults={"throttling": 1})
def test_faults_befall_calls_until_others_are_set(sagemaker_async_endpoint: Endpoint) -> None:
    once = boto3.client("sagemaker-runtime", config=ClientConfig(retries={"total_max_attempts": 1}))
    with pytest.raises(once.exceptions.ClientError, match="ThrottlingException"):
        once.invoke_endpoint_async(EndpointName="demo", Body=b"x")
    sagemaker_async_endpoint.set_faults({})
    assert sagemaker_async_endpoint.wait(once.invoke_endpoint_async(EndpointName="demo", Body=b"x")) == b"x"
    with pytest.raises(ValueError, match="throtling"):
        sagemaker_async_endpoint.set_faults({"throtling": 1})


class TestOverriddenConfiguration:
    @pytest.fixture
    def sagemaker_async_config(self) -> Config:
        return Config(model="fail:422", region="eu-central-1", options=["--instances", "2"])

    def test_it_counts_where_no_marker_says_otherwise(self, sagemaker_async_endpoint: Endpoint) -> None:
        answer = send_order({})
        with pytest.raises(InvocationError, match="422"):
            sagemaker_async_endpoint.wait(answer)
        described = boto3.client("sagemaker").describe_endpoint(EndpointName="demo")
        assert described["EndpointArn"].split(":")[3] == "eu-central-1"
        assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 2


@pytest.mark.parametrize("_run", range(2))
def test_a_test_sees_nothing_of_another(sagemaker_async_endpoint: Endpoint, _run: int) -> None:
    endpoint = sagemaker_async_endpoint
    assert endpoint.notifications() == []
    assert "Contents" not in endpoint.s3.list_objects_v2(Bucket=endpoint.bucket)
    assert len(boto3.client("sagemaker").list_endpoints()["Endpoints"]) == 1
    boto3.client("s3").create_bucket(Bucket="mine")
    boto3.client("sagemaker").create_model(ModelName="mine", PrimaryContainer={"Image": "echo"})
    endpoint.wait(send_order({}))


def test_the_environment_is_as_it_was_before() -> None:
    assert os.environ["AWS_PROFILE"] == "somebody"
    assert not [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]


def test_endpoints_run_beside_each_other() -> None:
    with running() as one, running(Config(model="size:3")) as two:
        answers = [each.runtime.invoke_endpoint_async(EndpointName="demo", Body=b"x") for each in (one, two)]
        assert one.url != two.url
        assert (one.wait(answers[0]), len(two.wait(answers[1]))) == (b"x", 3)
