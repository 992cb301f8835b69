"""What users write instead of `submit`: boto3, threads, inline when small. Validates nothing, answers nobody."""

import json
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


def invoke(request_id, text):
    """One payload to one invocation."""
    body = text.encode()
    given = {
        "EndpointName": os.environ["BRIDGE_ENDPOINT_NAME"],
        "ContentType": "application/json",
        "InferenceId": request_id,
    }
    if len(body) <= INLINE_LIMIT_BYTES:
        return SAGEMAKER.invoke_endpoint_async(Body=body, **given)
    key = PREFIX + request_id
    S3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return SAGEMAKER.invoke_endpoint_async(InputLocation=f"s3://{BUCKET}/{key}", **given)


def invoke_message(record):
    """One message to one invocation; returns its id when it failed."""
    try:
        invoke(record["messageId"], record["body"])
    except Exception as error:
        print("failed", record["messageId"], error)
        return record["messageId"]
    return None


def handler(event):
    """An SQS event to its partial batch response, an HTTP request or a direct invocation to its answer."""
    if "requestContext" in event:
        answer = invoke(event["requestContext"]["requestId"], event["body"])
        body = {name: answer.get(name) for name in ("InferenceId", "OutputLocation", "FailureLocation")}
        return {"statusCode": 202, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
    if "Body" in event:
        answer = invoke(event["InferenceId"], event["Body"])
        return {name: answer.get(name) for name in ("InferenceId", "OutputLocation", "FailureLocation")}
    records = event["Records"]
    # A pool costs more than it brings where there is nothing to do meanwhile.
    failed = [invoke_message(records[0])] if len(records) == 1 else POOL.map(invoke_message, records)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed if message_id]}
