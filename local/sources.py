"""A request by each way in: the same payload, the same parameters under the API's names where the way carries any."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from local.bridge import REGION, Bridge
from local.pipelines import ACCOUNT

SQS, HTTP, DIRECT, S3, EVENT, TOPIC = "SQS", "HTTP", "direct invocation", "S3", "EventBridge", "SNS"

# The stack has to have S3Requests.
S3_PARAMETERS = {"S3Requests": "true"}
REQUEST_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:requests"
EVENT_SOURCE = "com.example.orders"

HEADERS = {
    "ContentType": "X-Amzn-SageMaker-Content-Type",
    "CustomAttributes": "X-Amzn-SageMaker-Custom-Attributes",
    "InferenceId": "X-Amzn-SageMaker-Inference-Id",
    "Filename": "X-Amzn-SageMaker-Filename",
    "RequestTTLSeconds": "X-Amzn-SageMaker-RequestTTLSeconds",
    "InvocationTimeoutSeconds": "X-Amzn-SageMaker-InvocationTimeoutSeconds",
    "ReplyTo": "X-Bridge-Reply-To",
}


class NotAcceptedError(Exception):
    """The bridge said no: the fault's name, and its words."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


def by_sqs(bridge: Bridge, payload: str, parameters: Mapping[str, str]) -> None:
    """A message with attributes."""
    bridge.send(payload, **parameters)


def by_http(bridge: Bridge, payload: str, parameters: Mapping[str, str]) -> None:
    """A signed POST with headers."""
    answer = bridge.http("POST", "/invocations", payload.encode(), headers=headers_of(parameters))
    if answer.status != 202:
        raise NotAcceptedError(answer.headers.get("x-amzn-errortype", str(answer.status)), answer.body.decode())


def headers_of(parameters: Mapping[str, str]) -> dict[str, str]:
    """Parameters as headers; what is no text is no payload's content type."""
    return {"Content-Type": "application/json"} | {HEADERS[name]: value for name, value in parameters.items()}


def by_direct_invocation(bridge: Bridge, payload: str, parameters: Mapping[str, str]) -> None:
    """Lambda's `Invoke` with an object."""
    event = json.dumps({"Body": payload, **parameters}).encode()
    answer = bridge.client("lambda").invoke(FunctionName=bridge.outputs["SubmitFunctionArn"], Payload=event)
    told = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise NotAcceptedError(told["errorType"], told["errorMessage"])


def by_s3(bridge: Bridge, payload: str, parameters: Mapping[str, str]) -> None:
    """An object under `requests/`. It has no place for parameters but its own content type."""
    name = parameters["InferenceId"]
    bridge.s3.put_object(
        Bucket=bridge.bucket, Key=f"requests/{name}", Body=payload.encode(), ContentType="application/json"
    )


def by_eventbridge(bridge: Bridge, payload: str, parameters: Mapping[str, str]) -> None:
    """An event whose detail is what direct invocation takes. `connect` has made the rule."""
    detail = json.dumps({"Body": payload, **parameters})
    event = {"Source": EVENT_SOURCE, "DetailType": "Order Placed", "Detail": detail}
    answer = bridge.client("events").put_events(Entries=[event])
    assert answer["FailedEntryCount"] == 0, answer


def by_sns(bridge: Bridge, payload: str, parameters: Mapping[str, str]) -> None:
    """A message with attributes. `connect` has made the topic."""
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in parameters.items()}
    bridge.sns.publish(TopicArn=REQUEST_TOPIC, Message=payload, MessageAttributes=attributes)


def connect(bridge: Bridge) -> None:
    """A topic and a rule of EventBridge that invoke `submit`, as docs/pipelines.md has them."""
    function, events = bridge.outputs["SubmitFunctionArn"], bridge.client("events")
    rule = events.put_rule(Name="orders", EventPattern=json.dumps({"source": [EVENT_SOURCE]}))["RuleArn"]
    topic = bridge.sns.create_topic(Name="requests")["TopicArn"]
    for service, source in (("events", rule), ("sns", topic)):
        bridge.client("lambda").add_permission(
            FunctionName=function,
            StatementId=service,
            Action="lambda:InvokeFunction",
            Principal=f"{service}.amazonaws.com",
            SourceArn=source,
        )
    events.put_targets(Rule="orders", Targets=[{"Id": "bridge", "Arn": function}])
    bridge.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)


SENDERS: Mapping[str, Callable[[Bridge, str, Mapping[str, str]], None]] = {
    SQS: by_sqs,
    HTTP: by_http,
    DIRECT: by_direct_invocation,
    S3: by_s3,
    EVENT: by_eventbridge,
    TOPIC: by_sns,
}
