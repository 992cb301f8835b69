"""The other choice of each parameter: notifications by SQS and with responses included, results in `raw` format."""

from __future__ import annotations

import base64
import json

from local.cases import POINTER_CLASS
from local.stack import LocalStack
from tests.e2e.test_requests import attribute


def test_the_output_itself_is_the_body(queued: LocalStack) -> None:
    message = queued.wait_for_result(queued.send('{"n": 1}'))
    assert message["Body"] == '{"n": 1}'
    assert attribute(message, "InvocationStatus") == "Completed"
    assert attribute(message, "ContentType") == "application/json"
    assert attribute(message, "OutputLocation").startswith(f"s3://{queued.bucket}/output/")
    assert attribute(message, "ContentEncoding") is None


def test_bytes_come_back_in_base64(queued: LocalStack) -> None:
    payload = bytes(range(256))
    body = base64.b64encode(payload).decode()
    message = queued.wait_for_result(queued.send(body, ContentEncoding="base64", ContentType="image/png"))
    assert attribute(message, "ContentEncoding") == "base64"
    assert base64.b64decode(message["Body"], validate=True) == payload


def test_an_output_over_the_limit_becomes_a_pointer_to_a_copy_of_its_own(queued: LocalStack) -> None:
    payload = "x" * 300_000
    message = queued.wait_for_result(queued.send(payload))
    pointer_class, pointer = json.loads(message["Body"])
    assert pointer_class == POINTER_CLASS
    assert pointer["s3BucketName"] == queued.bucket
    assert pointer["s3Key"].startswith("results/")
    assert attribute(message, "ExtendedPayloadSize") == str(len(payload))
    # An extended client reads the copy and deletes it; the endpoint's own output has to stay.
    copy = {"Bucket": queued.bucket, "Key": pointer["s3Key"]}
    assert queued.s3.get_object(**copy)["Body"].read() == payload.encode()
    queued.s3.delete_object(**copy)
    bucket, key = attribute(message, "OutputLocation").removeprefix("s3://").split("/", 1)
    assert queued.s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(payload)


def test_a_failure_carries_what_the_model_said_and_its_reason(queued: LocalStack) -> None:
    message = queued.wait_for_result(queued.send("{}", EndpointName="failing"))
    assert json.loads(message["Body"]) == {"message": "the model fail always fails"}
    assert attribute(message, "InvocationStatus") == "Failed"
    assert attribute(message, "FailureReason").startswith("ClientError: Received client error (400)")


def test_what_is_no_notification_ends_in_the_dead_letter_queue_and_its_neighbours_do_not(queued: LocalStack) -> None:
    queued.sns.publish(TopicArn=queued.outputs["SuccessTopicArn"], Message="no notification")
    missing = {
        "invocationStatus": "Completed",
        "inferenceId": "missing",
        "responseParameters": {"outputLocation": f"s3://{queued.bucket}/output/missing.out"},
    }
    queued.sns.publish(TopicArn=queued.outputs["SuccessTopicArn"], Message=json.dumps(missing))
    assert queued.wait_for_result(queued.send("neighbour"))["Body"] == "neighbour"
    letters = queued.receive_all("NotificationDeadLetterQueueUrl", 2)
    assert sorted(letter["Body"] for letter in letters) == sorted(["no notification", json.dumps(missing)])
    assert "missing" not in queued.results


def test_an_object_outside_the_configured_locations_is_not_fetched_though_a_notification_names_it(
    queued: LocalStack,
) -> None:
    queued.s3.put_object(Bucket=queued.bucket, Key="private/x", Body=b"private")
    forged = {
        "invocationStatus": "Completed",
        "inferenceId": "forged",
        "responseParameters": {"outputLocation": f"s3://{queued.bucket}/private/x"},
    }
    queued.sns.publish(TopicArn=queued.outputs["SuccessTopicArn"], Message=json.dumps(forged))
    letters = queued.receive_all("NotificationDeadLetterQueueUrl", 1)
    assert [json.loads(letter["Body"])["inferenceId"] for letter in letters] == ["forged"]
    assert "forged" not in queued.results
