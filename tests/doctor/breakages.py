"""Everything that the doctor checks, broken on purpose, each by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from patient import ROLE, Patient

from local.stack import ARCHITECTURE, ARTIFACTS_BUCKET

OTHER_ARCHITECTURE = {"x86_64": "arm64", "arm64": "x86_64"}[ARCHITECTURE]
EVENTS = Path(__file__).resolve().parents[2] / "events"


@dataclass(frozen=True)
class Breakage:
    """A way to break a stack, the row that must name it, and words that must stand there."""

    name: str
    subject: str
    words: str
    apply: Callable[[Patient], object]


def deleted_endpoint(patient: Patient) -> None:
    patient.sagemaker.delete_endpoint(EndpointName="summarizer")


def elsewhere(patient: Patient) -> None:
    patient.reconfigure("extra", "elsewhere", S3OutputPath="s3://elsewhere/output")


def without_failure_path(patient: Patient) -> None:
    patient.reconfigure("extra", "without-failure-path", S3FailurePath=None)


def without_error_topic(patient: Patient) -> None:
    topics = {"SuccessTopic": patient.local.outputs["SuccessTopicArn"]}
    patient.reconfigure("extra", "without-error-topic", NotificationConfig=topics)


def role_without_policies(patient: Patient) -> None:
    for policy in patient.iam.list_role_policies(RoleName=ROLE)["PolicyNames"]:
        patient.iam.delete_role_policy(RoleName=ROLE, PolicyName=policy)


def role_that_may_not_publish(patient: Patient) -> None:
    (policy,) = patient.iam.list_role_policies(RoleName=ROLE)["PolicyNames"]
    document = patient.iam.get_role_policy(RoleName=ROLE, PolicyName=policy)["PolicyDocument"]
    kept = [statement for statement in document["Statement"] if statement["Action"] != ["sns:Publish"]]
    assert len(kept) == len(document["Statement"]) - 1
    narrowed = json.dumps({**document, "Statement": kept})
    patient.iam.put_role_policy(RoleName=ROLE, PolicyName=policy, PolicyDocument=narrowed)


def subscription(patient: Patient, output: str) -> str:
    (found,) = patient.local.sns.list_subscriptions_by_topic(TopicArn=patient.local.outputs[output])["Subscriptions"]
    return found["SubscriptionArn"]


def unsubscribed(patient: Patient) -> None:
    patient.local.sns.unsubscribe(SubscriptionArn=subscription(patient, "SuccessTopicArn"))


def subscription_without_dead_letter_queue(patient: Patient) -> None:
    patient.local.sns.set_subscription_attributes(
        SubscriptionArn=subscription(patient, "ErrorTopicArn"), AttributeName="RedrivePolicy", AttributeValue="{}"
    )


def filter_for_others(patient: Patient) -> None:
    for name, value in {
        "FilterPolicyScope": "MessageBody",
        "FilterPolicy": '{"requestParameters": {"endpointName": ["extra"]}}',
    }.items():
        patient.local.sns.set_subscription_attributes(
            SubscriptionArn=subscription(patient, "SuccessTopicArn"), AttributeName=name, AttributeValue=value
        )


def deleted_topic(patient: Patient) -> None:
    patient.local.sns.delete_topic(TopicArn=patient.local.outputs["ErrorTopicArn"])


def queue_without_redrive(patient: Patient) -> None:
    url = patient.local.outputs["RequestQueueUrl"]
    patient.local.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})


def deleted_dead_letter_queue(patient: Patient) -> None:
    patient.local.sqs.delete_queue(QueueUrl=patient.local.outputs["NotificationDeadLetterQueueUrl"])


def mapping(patient: Patient, function: str) -> str:
    name = patient.resource(function)
    (found,) = patient.functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    return found["UUID"]


def disabled_mapping(patient: Patient) -> None:
    patient.functions.update_event_source_mapping(UUID=mapping(patient, "SubmitFunction"), Enabled=False)


def mapping_for_whole_batches(patient: Patient) -> None:
    patient.functions.update_event_source_mapping(UUID=mapping(patient, "SubmitFunction"), FunctionResponseTypes=[])


def deleted_mapping(patient: Patient) -> None:
    patient.functions.delete_event_source_mapping(UUID=mapping(patient, "CollectFunction"))


def other_architecture(patient: Patient) -> None:
    patient.functions.update_function_code(
        FunctionName=patient.resource("CollectFunction"),
        S3Bucket=ARTIFACTS_BUCKET,
        S3Key="collect.zip",
        Architectures=[OTHER_ARCHITECTURE],
    )


def request_among_dead_letters(patient: Patient) -> None:
    patient.local.sqs.send_message(
        QueueUrl=patient.local.outputs["RequestDeadLetterQueueUrl"],
        MessageBody='{"inputs": "secret-payload"}',
        MessageAttributes={"FailureReason": {"DataType": "String", "StringValue": "ThrottlingException: later"}},
    )


def stored_notification(patient: Patient) -> str:
    """A notification whose output is there."""
    patient.local.s3.put_object(Bucket=patient.local.bucket, Key="output/late.out", Body=b"late")
    notification = json.loads((EVENTS / "notifications/completed.json").read_text())
    notification["responseParameters"]["outputLocation"] = f"s3://{patient.local.bucket}/output/late.out"
    return json.dumps(notification)


def notification_among_dead_letters(patient: Patient) -> None:
    patient.local.sqs.send_message(
        QueueUrl=patient.local.outputs["NotificationDeadLetterQueueUrl"], MessageBody=stored_notification(patient)
    )


def recorded_request_among_dead_letters(patient: Patient) -> None:
    """What Lambda sends to a destination when an event of EventBridge has failed."""
    record = {
        "requestContext": {"condition": "RetriesExhausted"},
        "requestPayload": {"detail-type": "Request", "id": "e", "detail": {"Body": "late", "InferenceId": "late"}},
        "responsePayload": {"errorType": "ThrottlingException", "errorMessage": "later"},
    }
    patient.local.sqs.send_message(
        QueueUrl=patient.local.outputs["EventDeadLetterQueueUrl"], MessageBody=json.dumps(record)
    )


def high_rate(patient: Patient) -> None:
    patient.gateway.update_stage(
        ApiId=patient.local.outputs["ApiId"],
        StageName="$default",
        DefaultRouteSettings={"ThrottlingRateLimit": 10_000, "ThrottlingBurstLimit": 200},
    )


def switched_off(patient: Patient) -> None:
    name = patient.resource("SubmitFunction")
    patient.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)


def small_reservation(patient: Patient) -> None:
    name = patient.resource("CollectFunction")
    patient.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)


def alarm_name(patient: Patient, queue: str) -> str:
    return f"{patient.local.name}-{queue}"


def deleted_alarm(patient: Patient) -> None:
    patient.cloudwatch.delete_alarms(AlarmNames=[alarm_name(patient, "RequestDeadLetterQueue")])


def silent_alarm(patient: Patient) -> None:
    patient.cloudwatch.disable_alarm_actions(AlarmNames=[alarm_name(patient, "NotificationDeadLetterQueue")])


def ringing_alarm(patient: Patient) -> None:
    request_among_dead_letters(patient)
    name = alarm_name(patient, "RequestDeadLetterQueue")
    patient.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")


def real_time_endpoint(patient: Patient) -> None:
    config = patient.sagemaker.describe_endpoint_config(
        EndpointConfigName=patient.sagemaker.describe_endpoint(EndpointName="extra")["EndpointConfigName"]
    )
    patient.sagemaker.create_endpoint_config(
        EndpointConfigName="real-time", ProductionVariants=config["ProductionVariants"]
    )
    patient.sagemaker.delete_endpoint(EndpointName="extra")
    patient.sagemaker.create_endpoint(EndpointName="extra", EndpointConfigName="real-time")


BREAKAGES = [
    Breakage("deleted endpoint", "endpoint summarizer", "it does not exist", deleted_endpoint),
    Breakage("outputs elsewhere", "outputs of extra", "S3OutputPath is s3://elsewhere/output", elsewhere),
    Breakage("no failure path", "outputs of extra", "S3FailurePath is not set", without_failure_path),
    Breakage("no error topic", "outputs of extra", "ErrorTopic is not set", without_error_topic),
    Breakage("role without policies", f"{ROLE} reads inputs", "s3:GetObject on", role_without_policies),
    Breakage("role may not publish", f"{ROLE} publishes", "sns:Publish on", role_that_may_not_publish),
    Breakage("unsubscribed", "subscription to SuccessTopic", "is not subscribed", unsubscribed),
    Breakage(
        "subscription without dead-letter queue",
        "subscription to ErrorTopic",
        "what SNS cannot deliver is lost",
        subscription_without_dead_letter_queue,
    ),
    Breakage(
        "filter for others",
        "subscription to SuccessTopic",
        "keeps the notifications of summarizer away",
        filter_for_others,
    ),
    Breakage("deleted topic", "subscription to ErrorTopic", "does not exist", deleted_topic),
    Breakage("queue without redrive", "RequestQueue", "it has no redrive policy", queue_without_redrive),
    Breakage("deleted queue", "NotificationDeadLetterQueue", "it does not exist", deleted_dead_letter_queue),
    Breakage("disabled mapping", "mapping of RequestQueue", "Disabled", disabled_mapping),
    Breakage(
        "mapping for whole batches", "mapping of RequestQueue", "deleted with their batch", mapping_for_whole_batches
    ),
    Breakage("deleted mapping", "mapping of NotificationQueue", "no event source mapping", deleted_mapping),
    Breakage("other architecture", "package of CollectFunction", f"built for {ARCHITECTURE}", other_architecture),
    Breakage(
        "request among dead letters",
        "RequestDeadLetterQueue",
        "ThrottlingException: later",
        request_among_dead_letters,
    ),
    Breakage(
        "notification among dead letters",
        "NotificationDeadLetterQueue",
        "no reason given",
        notification_among_dead_letters,
    ),
    Breakage("high rate", "concurrency", "10000 requests a second that wait 20 s", high_rate),
    Breakage("switched off", "reservation of SubmitFunction", "the function cannot run", switched_off),
    Breakage(
        "small reservation", "reservation of CollectFunction", "1 is less than its mapping's 10", small_reservation
    ),
    Breakage("deleted alarm", "alarm on RequestDeadLetterQueue", "no alarm", deleted_alarm),
    Breakage("silent alarm", "alarm on NotificationDeadLetterQueue", "are disabled", silent_alarm),
    Breakage("ringing alarm", "alarm on RequestDeadLetterQueue", "is in ALARM", ringing_alarm),
    # The last: it gives the stack another endpoint.
    Breakage("real-time endpoint", "endpoint extra", "real-time endpoint", real_time_endpoint),
]


def recorded_invocation_among_dead_letters(patient: Patient) -> None:
    """What Lambda sends to a destination when SNS's event has failed: the event, and how it ended."""
    notification = stored_notification(patient)
    record = {
        "requestContext": {"condition": "RetriesExhausted"},
        "requestPayload": {"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "m", "Message": notification}}]},
        "responsePayload": {"errorType": "Fault", "errorMessage": "GetObject: AccessDenied"},
    }
    patient.local.sqs.send_message(
        QueueUrl=patient.local.outputs["NotificationDeadLetterQueueUrl"], MessageBody=json.dumps(record)
    )


DIRECT_BREAKAGES = [
    Breakage(
        "recorded request among dead letters",
        "EventDeadLetterQueue",
        "RetriesExhausted: ThrottlingException: later",
        recorded_request_among_dead_letters,
    ),
    Breakage("unsubscribed", "subscription to SuccessTopic", "is not subscribed", unsubscribed),
    Breakage(
        "notification among dead letters",
        "NotificationDeadLetterQueue",
        "no reason given",
        notification_among_dead_letters,
    ),
    Breakage(
        "recorded invocation among dead letters",
        "NotificationDeadLetterQueue",
        "RetriesExhausted: Fault: GetObject: AccessDenied",
        recorded_invocation_among_dead_letters,
    ),
]
