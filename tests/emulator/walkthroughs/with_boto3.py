"""The calls of AWS's Async-Inference-Walkthrough.ipynb in their order. Where that takes the SageMaker SDK for S3, S3's.

https://github.com/aws/amazon-sagemaker-examples/tree/main/async-inference

Says with which input which output came, as JSON. A role's ARN stands for `get_execution_role()`.
"""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import boto3
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/sagemaker"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:0.90-1-cpu-py3"
PREFIX = "async-inference-demo"
MODEL = Path("model/demo-xgboost-model.tar.gz")
INVOCATIONS = 25


def main() -> None:
    """From the example files to the deleted endpoint."""
    session = boto3.session.Session()
    sagemaker, runtime = session.client("sagemaker"), session.client("sagemaker-runtime")
    download_examples(session.region_name)
    bucket = f"sagemaker-{session.region_name}-000000000000"
    boto3.client("s3").create_bucket(Bucket=bucket)
    endpoint = create_endpoint(sagemaker, bucket, upload_model(session, bucket, PREFIX))
    scaled = scale(endpoint, "variant1")

    def upload(file: str) -> str:
        key = f"{PREFIX}/input/{Path(file).name}"
        extra = {"ContentType": "text/libsvm"}
        session.resource("s3").Object(bucket, key).upload_file(file, ExtraArgs=extra)
        return f"s3://{bucket}/{key}"

    def invoke(location: str) -> str:
        return runtime.invoke_endpoint_async(EndpointName=endpoint, InputLocation=location)["OutputLocation"]

    def read(output_bucket: str, key: str) -> str:
        return boto3.client("s3").get_object(Bucket=output_bucket, Key=key)["Body"].read().decode()

    outputs = infer(upload, invoke, read)
    boto3.client("application-autoscaling").deregister_scalable_target(**scaled)
    sagemaker.delete_endpoint(EndpointName=endpoint)
    print("\n" + json.dumps(outputs))


def download_examples(region: str) -> None:
    """The inputs and the model, from AWS's bucket of example files."""
    s3, bucket = boto3.client("s3"), f"sagemaker-example-files-prod-{region}"
    for directory in ("input", "model"):
        Path(directory).mkdir()
    for found in s3.list_objects(Bucket=bucket, Prefix="models/async-inference/input-files/")["Contents"]:
        s3.download_file(bucket, found["Key"], f"input/{Path(found['Key']).name}")
    s3.download_file(bucket, "models/async-inference/demo-xgboost-model.tar.gz", str(MODEL))


def upload_model(session: Any, bucket: str, prefix: str) -> str:
    """To one's own bucket; its ModelDataUrl."""
    key = f"{prefix}/{MODEL.name}"
    with MODEL.open("rb") as file:
        session.resource("s3").Bucket(bucket).Object(key).upload_fileobj(file)
    return f"s3://{bucket}/{key}"


def named(kind: str) -> str:
    """A name as the walkthroughs make them."""
    return f"AsyncInferenceDemo-{kind}-{datetime.now().strftime('%Y-%m-%d-%H-%M-%S')}"


def create_endpoint(sagemaker: Any, bucket: str, model_url: str) -> str:
    """Model, configuration and endpoint, which is in service then; its name."""
    model, config, endpoint = named("Model"), named("EndpointConfig"), named("Endpoint")
    container = {"Image": IMAGE, "ModelDataUrl": model_url}
    sagemaker.create_model(ModelName=model, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {"VariantName": "variant1", "ModelName": model, "InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName=config,
        ProductionVariants=[variant],
        AsyncInferenceConfig={
            "OutputConfig": {"S3OutputPath": f"s3://{bucket}/{PREFIX}/output"},
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 4},
        },
    )
    sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint)
    assert sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService"
    return endpoint


def scale(endpoint: str, variant: str) -> dict[str, str]:
    """Target tracking down to zero instances; what names the scalable target."""
    scaling = boto3.client("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=5)
    metric = {
        "MetricName": "ApproximateBacklogSizePerInstance",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}],
        "Statistic": "Average",
    }
    scaling.put_scaling_policy(
        **target,
        PolicyName="Invocations-ScalingPolicy",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 5.0,
            "CustomizedMetricSpecification": metric,
            "ScaleInCooldown": 600,
            "ScaleOutCooldown": 300,
        },
    )
    return target


def infer(upload: Any, invoke: Any, read: Any) -> list[list[str]]:
    """One inference, then 25 at once; the name of each input, and its output."""

    def output(location: str) -> str:
        parts = urlparse(location)
        while True:
            try:
                return read(parts.netloc, parts.path[1:])
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchKey":
                    raise
                time.sleep(0.1)

    first = "input/test_point_0.libsvm"
    outputs = [[first, output(invoke(upload(first)))]]
    files = [f"input/test_point_{number}.libsvm" for number in range(INVOCATIONS)]
    locations = [(file, invoke(upload(file))) for file in files]
    return outputs + [[file, output(location)] for file, location in locations]


if __name__ == "__main__":
    main()
