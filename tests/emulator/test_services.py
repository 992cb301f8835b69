"""boto3's clients of other services, sent to the emulator by one AWS_ENDPOINT_URL; and real-time endpoints."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from tests.emulator.conftest import Emulator


def test_who_am_i_and_roles_are_answered_and_iam_is_refused(start: Callable[..., Emulator]) -> None:
    emulator = start()
    identity = emulator.client("sts").get_caller_identity()
    assert (identity["Account"], ":assumed-role/" in identity["Arn"]) == ("000000000000", True)
    iam = emulator.client("iam")
    assert iam.get_role(RoleName="SageMakerRole")["Role"]["Arn"] == "arn:aws:iam::000000000000:role/SageMakerRole"
    with pytest.raises(ClientError, match=r"\(AccessDenied\).*AWS_ENDPOINT_URL_IAM"):
        iam.simulate_principal_policy(PolicySourceArn="arn:aws:iam::000000000000:role/r", ActionNames=["s3:GetObject"])


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    [
        (
            "sns",
            "publish",
            {"TopicArn": "arn:aws:sns:us-east-1:000000000000:t", "Message": "x"},
            "AWS_ENDPOINT_URL_SNS",
        ),
        ("sqs", "list_queues", {}, "AWS_ENDPOINT_URL_SQS"),
        ("dynamodb", "list_tables", {}, "AWS_ENDPOINT_URL_DYNAMODB"),
        ("lambda", "list_functions", {}, "AWS_ENDPOINT_URL_LAMBDA"),
        ("logs", "filter_log_events", {"logGroupName": "/aws/sagemaker/Endpoints/demo"}, "ResourceNotFoundException"),
    ],
)
def test_the_errors_of_other_services_can_be_read_and_say_what_to_set(
    start: Callable[..., Emulator], service: str, operation: str, parameters: dict, expected: str
) -> None:
    client = start().client(service)
    with pytest.raises(ClientError, match=expected):
        getattr(client, operation)(**parameters)


def test_a_real_time_endpoint_answers_boto3_whole_and_in_parts(start: Callable[..., Emulator]) -> None:
    emulator = start("--endpoint", "demo=echo")
    sagemaker, runtime = emulator.client("sagemaker"), emulator.client("sagemaker-runtime")
    variant = {"VariantName": "a", "ModelName": "demo", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="now", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="now", EndpointConfigName="now")
    answer = runtime.invoke_endpoint(EndpointName="now", Body=b'{"a": 1}', ContentType="application/json")
    assert (answer["Body"].read(), answer["ContentType"]) == (b'{"a": 1}', "application/json")
    stream = runtime.invoke_endpoint_with_response_stream(EndpointName="now", Body=b"x" * 100_000)
    parts = [event["PayloadPart"]["Bytes"] for event in stream["Body"]]
    assert (len(parts), b"".join(parts)) == (2, b"x" * 100_000)
    for call in (runtime.invoke_endpoint, runtime.invoke_endpoint_with_response_stream):
        with pytest.raises(runtime.exceptions.ValidationError, match="does not support this inference type"):
            call(EndpointName="demo", Body=b"x")
    with pytest.raises(runtime.exceptions.ValidationError, match="'body'"):
        runtime.invoke_endpoint_async(EndpointName="demo", Body=b"x" * (17 << 20))
