"""What users write instead of `collect`: fetch the output if it is small, put it into the notification, send it on."""

import json
import os

import boto3

RESULT_BODY_LIMIT_BYTES = 262_144

S3 = boto3.client("s3")
SQS = boto3.client("sqs")


def handler(event):
    """An SNS event to results."""
    for record in event["Records"]:
        notification = json.loads(record["Sns"]["Message"])
        location = notification.get("responseParameters", {}).get("outputLocation")
        if location:
            bucket, key = location.removeprefix("s3://").split("/", 1)
            output = S3.get_object(Bucket=bucket, Key=key)
            if output["ContentLength"] <= RESULT_BODY_LIMIT_BYTES:
                notification["responseBody"] = {"content": output["Body"].read().decode(), "encoding": "UTF8"}
            else:
                output["Body"].close()
        SQS.send_message(QueueUrl=os.environ["BRIDGE_RESULTS_QUEUE_URL"], MessageBody=json.dumps(notification))
