"""The calls of AWS's Async-Inference-Walkthrough-SageMaker-Python-SDK.ipynb in their order, with version 2 of the SDK.

https://github.com/aws/amazon-sagemaker-examples/tree/main/async-inference

STS, which the SDK asks at an address that no variable changes, is not needed where the default bucket is named. The ARN
of a role stands for `get_execution_role()`. Says with which input which output came, as JSON.
"""

from __future__ import annotations

import json
import sys
import time

import boto3
import sagemaker
from sagemaker import image_uris
from sagemaker.async_inference.async_inference_config import AsyncInferenceConfig
from sagemaker.model import Model
from sagemaker.predictor import Predictor
from sagemaker.session import Session
from with_boto3 import ROLE, download_examples, infer, named, scale, upload_model

PREFIX = "DEMO-async-inference"


def main() -> None:
    """From the example files to the deleted endpoint."""
    boto_session = boto3.session.Session()
    session = Session(default_bucket=f"sagemaker-{boto_session.region_name}-000000000000")
    download_examples(boto_session.region_name)
    bucket = session.default_bucket()
    model_url = upload_model(boto_session, bucket, PREFIX)
    image = image_uris.retrieve(region=boto_session.region_name, framework="xgboost", version="0.90-1")
    model = Model(
        name=named("Model"),
        image_uri=image,
        model_data=model_url,
        role=ROLE,
        predictor_cls=Predictor,
        sagemaker_session=session,
    )
    config = AsyncInferenceConfig(
        output_path=f"s3://{bucket}/{PREFIX}/output", max_concurrent_invocations_per_instance=4
    )
    endpoint = named("Endpoint")
    predictor = model.deploy(
        async_inference_config=config, instance_type="ml.m5.xlarge", initial_instance_count=1, endpoint_name=endpoint
    )
    scaled = scale(endpoint, "AllTraffic")

    def upload(file: str) -> str:
        extra = {"ContentType": "text/libsvm"}
        return session.upload_data(file, session.default_bucket(), f"{PREFIX}/input", extra_args=extra)

    def invoke(location: str) -> str:
        return predictor.predict_async(input_path=location).output_path

    outputs = infer(upload, invoke, session.read_s3_file)
    boto3.client("application-autoscaling").deregister_scalable_target(**scaled)
    predictor.delete_endpoint()
    print("\n" + json.dumps(outputs))


if __name__ == "__main__":
    sleep = time.sleep
    # The SDK sleeps for half a minute before it looks at a new endpoint, which is in service at once here.
    time.sleep = lambda seconds: sleep(min(seconds, 0.1))
    assert sagemaker.__version__.startswith("2."), sagemaker.__version__
    sys.exit(main())
