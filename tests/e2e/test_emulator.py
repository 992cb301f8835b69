"""boto3's own client against the emulator itself: unmodified but for the address."""

from __future__ import annotations

import pytest

from local.bridge import aws_client, body_json
from local.stack import LocalStack


@pytest.fixture
def runtime(direct: LocalStack):
    return aws_client("sagemaker-runtime", direct.emulator_url)


def test_it_is_invoked_inline_and_by_location_and_its_notifications_become_results(direct: LocalStack, runtime) -> None:
    answer = runtime.invoke_endpoint_async(EndpointName="echo", Body=b"inline", InferenceId="emulator-inline")
    assert answer["InferenceId"] == "emulator-inline"
    direct.s3.put_object(Bucket=direct.bucket, Key="input/by location", Body=b"from S3")
    location = f"s3://{direct.bucket}/input/by location"
    runtime.invoke_endpoint_async(EndpointName="echo", InputLocation=location, InferenceId="emulator-location")
    for inference_id, expected in (("emulator-inline", "inline"), ("emulator-location", "from S3")):
        result = body_json(direct.wait_for_result(inference_id))
        assert result["responseBody"]["content"] == expected
    assert result["requestParameters"]["inputLocation"] == location


def test_its_errors_are_those_that_boto3_models(runtime) -> None:
    with pytest.raises(runtime.exceptions.ValidationError, match="Endpoint nobody of account"):
        runtime.invoke_endpoint_async(EndpointName="nobody", Body=b"x")
    with pytest.raises(runtime.exceptions.ValidationError, match="One of Body and InputLocation"):
        runtime.invoke_endpoint_async(EndpointName="echo")
    with pytest.raises(runtime.exceptions.ValidationError, match="'body'"):
        runtime.invoke_endpoint_async(EndpointName="echo", Body=b"x" * 128_001)
