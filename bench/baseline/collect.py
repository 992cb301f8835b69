"""What users write instead of `collect`: fetch the output if it is small, put it into the notification, send it on."""

import functools
import json
import os
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

RESULT_BODY_LIMIT_BYTES = 262_144

CONFIG = Config(max_pool_connections=64)
S3 = boto3.client("s3", config=CONFIG)
SQS = boto3.client("sqs", config=CONFIG)
POOL = ThreadPoolExecutor(64)


def pass_on(message):
    """One notification to one result."""
    notification = json.loads(message)
    location = notification.get("responseParameters", {}).get("outputLocation")
    if location:
        bucket, key = location.removeprefix("s3://").split("/", 1)
        output = S3.get_object(Bucket=bucket, Key=key)
        if output["ContentLength"] <= RESULT_BODY_LIMIT_BYTES:
            notification["responseBody"] = {"content": output["Body"].read().decode(), "encoding": "UTF8"}
        else:
            output["Body"].close()
    kind, _, name = notification["requestParameters"].get("customAttributes", "").removeprefix("bridge=").partition(":")
    reply(kind, name, json.dumps(notification))


@functools.cache
def client(service):
    """Only for those who need it."""
    return boto3.client(service, config=CONFIG)


def reply(kind, name, result):
    """A result to whoever asked for it."""
    if kind == "task":
        client("stepfunctions").send_task_success(taskToken=name, output=result)
    elif kind == "callback":
        client("lambda").send_durable_execution_callback_success(CallbackId=name, Result=result)
    elif (kind, name) == ("to", "answers"):
        arn = "arn:aws:sns:us-east-1:123456789012:answers"
        client("sns").publish_batch(TopicArn=arn, PublishBatchRequestEntries=[{"Id": "0", "Message": result}])
    elif (kind, name) == ("to", "pipeline"):
        entry = {"EventBusName": name, "Source": "s", "DetailType": "t", "Detail": result}
        client("events").put_events(Entries=[entry])
    else:
        SQS.send_message(QueueUrl=os.environ["BRIDGE_RESULTS_QUEUE_URL"], MessageBody=result)


def handler(event):
    """An event of SNS, or of SQS with the notifications that SNS put there, to results."""
    records = event["Records"]
    if "Sns" in records[0]:
        pass_on(records[0]["Sns"]["Message"])
    else:
        list(POOL.map(pass_on, [record["body"] for record in records]))
