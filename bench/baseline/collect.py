"""What users write instead of `collect`: fetch the output, put it into the notification, send it on."""

import base64
import json
import os

import boto3

S3 = boto3.client("s3")
SQS = boto3.client("sqs")


def handler(event):
    """An SNS event to results."""
    for record in event["Records"]:
        notification = json.loads(record["Sns"]["Message"])
        location = notification.get("responseParameters", {}).get("outputLocation")
        if location:
            bucket, key = location.removeprefix("s3://").split("/", 1)
            content = S3.get_object(Bucket=bucket, Key=key)["Body"].read()
            notification["responseBody"] = {"content": base64.b64encode(content).decode(), "encoding": "BASE64"}
        SQS.send_message(QueueUrl=os.environ["BRIDGE_RESULTS_QUEUE_URL"], MessageBody=json.dumps(notification))
