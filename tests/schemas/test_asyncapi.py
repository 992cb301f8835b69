"""asyncapi.yaml names what the template deploys, what the functions send and take, and what the schemas say."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from samtranslator.yaml_helper import yaml_parse

from local.stack import ROOT
from tests.schemas.documents import SCHEMAS, SOURCE, registry

DOCUMENT = yaml.safe_load((ROOT / "asyncapi.yaml").read_text(encoding="utf-8"))
CHANNELS, MESSAGES = DOCUMENT["channels"], DOCUMENT["components"]["messages"]
TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
MESSAGE_LIMIT_BYTES = 1_048_576
OUTPUTS = {"requests": "RequestQueueUrl", "results": "ResultsQueueUrl", "deadLetters": "RequestDeadLetterQueueUrl"}
# Names of SQS's in AWS's words and in those of AsyncAPI's binding.
PROPERTIES = {"VisibilityTimeout": "visibilityTimeout", "MessageRetentionPeriod": "messageRetentionPeriod"}


def messages_of(channel: str) -> set[str]:
    """Names of a channel's messages."""
    return {entry["$ref"].removeprefix("#/components/messages/") for entry in CHANNELS[channel]["messages"].values()}


def resolved(schema: dict[str, Any]) -> Any:
    """A schema of the document, or of the file that it refers to."""
    if "$ref" not in schema:
        return schema
    file, _, pointer = schema["$ref"].partition("#")
    target = SCHEMAS[re.fullmatch(r"\./schemas/([\w-]+)\.json", file)[1]]
    for step in pointer.split("/")[1:]:
        target = target[step]
    return target


def errors(schema: dict[str, Any], instance: Any) -> list[str]:
    """What is wrong with a value by a schema of the document."""
    validator = Draft202012Validator(resolved(schema), registry=registry(SCHEMAS))
    return [error.message for error in validator.iter_errors(instance)]


@pytest.mark.parametrize("channel", OUTPUTS)
def test_a_channel_is_a_queue_of_the_template(channel: str) -> None:
    output = OUTPUTS[channel]
    assert CHANNELS[channel]["address"] == f"{{{output}}}"
    assert CHANNELS[channel]["parameters"].keys() == {output}
    queue = CHANNELS[channel]["bindings"]["sqs"]["queue"]
    assert TEMPLATE["Outputs"][output]["Value"] == {"Ref": queue["name"]}
    deployed = TEMPLATE["Resources"][queue["name"]]["Properties"]
    assert deployed["MaximumMessageSize"] == MESSAGE_LIMIT_BYTES
    assert {name: queue.get(ours) for name, ours in PROPERTIES.items()} == {
        name: deployed.get(name) for name in PROPERTIES
    }
    redrive = deployed.get("RedrivePolicy")
    assert bool(redrive) == ("redrivePolicy" in queue)
    if redrive:
        assert queue["redrivePolicy"]["maxReceiveCount"] == TEMPLATE["Parameters"]["MaxReceiveCount"]["Default"]
        target = queue["redrivePolicy"]["deadLetterQueue"]["name"]
        assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": [target, "Arn"]}


def test_what_is_no_queue_of_the_template_gets_replies_and_they_are_results() -> None:
    assert CHANNELS.keys() - OUTPUTS.keys() == {"replies"}
    assert messages_of("replies") == messages_of("results")
    assert "ReplyToArns" in TEMPLATE["Parameters"]


def test_results_have_a_message_for_each_status_and_format() -> None:
    statuses = set(SCHEMAS["result"]["$defs"])
    assert statuses == {"Completed", "Failed", "Rejected", "Unanswered"}
    assert messages_of("results") == statuses | {"Output", "OutputPointer", "FailureOutput"}
    for status in statuses:
        assert MESSAGES[status]["payload"] == {"$ref": f"./schemas/result.json#/$defs/{status}"}
        assert MESSAGES[status]["headers"] == {"$ref": "./schemas/result-attributes.json"}
    for name in ("Output", "OutputPointer", "FailureOutput"):
        assert MESSAGES[name]["headers"] == {"$ref": "./schemas/raw-result-attributes.json"}
    assert messages_of("requests") == {"Payload", "PayloadPointer"}
    assert messages_of("results") | messages_of("requests") | messages_of("deadLetters") == MESSAGES.keys()


def test_the_page_about_consumers_has_a_row_for_each_status() -> None:
    page = (ROOT / "docs/consumers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z]\w+)`.* \|.* \|.* \|.*\|$", page, re.MULTILINE)
    assert rows == list(SCHEMAS["result"]["$defs"])


def test_each_message_correlates_by_the_attribute_that_carries_the_inference_id() -> None:
    assert DOCUMENT["components"]["correlationIds"]["request"]["location"] == "$message.header#/InferenceId"
    for name, message in MESSAGES.items():
        assert "InferenceId" in resolved(message["headers"])["properties"] or name == "RejectedRequest"


@pytest.mark.parametrize("name", MESSAGES)
def test_a_messages_examples_are_what_it_says(name: str) -> None:
    message = MESSAGES[name]
    for example in message.get("examples", []):
        assert errors(message["headers"], example["headers"]) == []
        assert errors(message["payload"], example["payload"]) == []
    payload = resolved(message["payload"])
    assert payload.get("maxLength", MESSAGE_LIMIT_BYTES) == MESSAGE_LIMIT_BYTES


def test_the_limit_is_that_of_the_code() -> None:
    (limit,) = re.findall(r" MESSAGE_LIMIT_BYTES: usize = ([\d_]+);", SOURCE)
    assert int(limit) == MESSAGE_LIMIT_BYTES
    (attribute,) = re.findall(r" ATTRIBUTE_LIMIT_BYTES: usize = ([\d_]+);", SOURCE)
    for schema in ("result-attributes", "raw-result-attributes"):
        limits = [part["maxLength"] for part in SCHEMAS[schema]["properties"].values() if "maxLength" in part]
        assert set(limits) == {int(attribute)}
