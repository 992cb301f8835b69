"""What users write instead of `submit`: boto3, threads, inline when small. Validates nothing, answers nobody."""

import os
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

INLINE_LIMIT_BYTES = 128_000

CONFIG = Config(max_pool_connections=64)
SAGEMAKER = boto3.client("sagemaker-runtime", config=CONFIG)
S3 = boto3.client("s3", config=CONFIG)
POOL = ThreadPoolExecutor(64)
BUCKET, PREFIX = os.environ["BRIDGE_INPUT_LOCATION"].removeprefix("s3://").split("/", 1)


def invoke(record):
    """One message to one invocation; returns its id when it failed."""
    body = record["body"].encode()
    given = {"EndpointName": os.environ["BRIDGE_ENDPOINT_NAME"], "ContentType": "application/json"}
    try:
        if len(body) <= INLINE_LIMIT_BYTES:
            SAGEMAKER.invoke_endpoint_async(Body=body, InferenceId=record["messageId"], **given)
        else:
            key = PREFIX + record["messageId"]
            S3.put_object(Bucket=BUCKET, Key=key, Body=body)
            SAGEMAKER.invoke_endpoint_async(
                InputLocation=f"s3://{BUCKET}/{key}", InferenceId=record["messageId"], **given
            )
    except Exception as error:
        print("failed", record["messageId"], error)
        return record["messageId"]
    return None


def handler(event):
    """An SQS event to its partial batch response."""
    failed = [failure for failure in POOL.map(invoke, event["Records"]) if failure]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
