"""The schemas by themselves: they are what JSON Schema asks for, their samples pass, and wrong ones do not."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from local.stack import ROOT
from tests.schemas.documents import SCHEMAS, is_valid, nodes, problems

# Of each example, what it cannot do without.
REQUIRED = {
    ("result", 0): {"invocationStatus", "eventTime", "inferenceId", "requestParameters", "responseParameters"},
    ("result", 1): {"invocationStatus", "eventTime", "inferenceId", "requestParameters"},
    ("result", 2): {
        *("invocationStatus", "eventTime", "inferenceId", "requestParameters", "failureReason"),
        *("eventSource", "eventName", "eventVersion"),
    },
    ("result", 3): {"invocationStatus", "eventTime", "inferenceId", "requestParameters", "failureReason"},
    ("direct-request", 0): {"Body"},
    ("direct-request", 1): {"Body"},
    ("direct-request", 2): {"InputLocation"},
    ("direct-answer", 0): {"InferenceId", "OutputLocation"},
    ("request-attributes", 0): set(),
    ("request-attributes", 1): set(),
    ("result-attributes", 0): {"InferenceId", "InvocationStatus"},
    ("raw-result-attributes", 0): {"InferenceId", "InvocationStatus"},
}
# Schemas of what the bridge alone decides: there an unknown property is wrong as published.
CLOSED = {("result", 2), "direct-request", "direct-answer", "result-attributes", "raw-result-attributes"}
LONG = "x" * 4097
WRONG = [
    ("result", 0, ("invocationStatus",), "Rejected"),
    ("result", 0, ("eventTime",), "yesterday"),
    ("result", 0, ("responseParameters", "contentLength"), -1),
    ("result", 0, ("responseParameters", "contentLength"), "19"),
    ("result", 0, ("responseParameters", "outputLocation"), "output/28869378.out"),
    ("result", 0, ("responseBody", "encoding"), "GZIP"),
    ("result", 0, ("inferenceId",), "x" * 65),
    ("result", 2, ("eventSource",), "aws:sagemaker"),
    ("result", 2, ("failureReason",), ""),
    ("direct-request", 0, ("Body",), ""),
    ("direct-request", 0, ("Body",), None),
    ("direct-request", 0, ("InputLocation",), "s3://bucket/key"),
    ("direct-request", 0, ("ContentEncoding",), "base64"),
    ("direct-request", 1, ("ContentEncoding",), "gzip"),
    ("direct-request", 1, ("InvocationTimeoutSeconds",), 3601),
    ("direct-request", 1, ("RequestTTLSeconds",), 59),
    ("direct-request", 1, ("EndpointName",), "a_b"),
    ("direct-request", 1, ("Filename",), "a.b.c"),
    ("direct-request", 1, ("S3OutputPathExtension",), "a b"),
    ("direct-request", 2, ("InputLocation",), "http://bucket/key"),
    ("direct-answer", 0, ("OutputLocation",), "output/28869378.out"),
    ("request-attributes", 0, ("InferenceId",), " order"),
    ("request-attributes", 0, ("CustomAttributes",), "x" * 1025),
    ("result-attributes", 0, ("EndpointName",), LONG),
    ("raw-result-attributes", 0, ("InvocationStatus",), "Rejected"),
    ("raw-result-attributes", 0, ("FailureReason",), LONG),
]


EXAMPLES = [(name, index) for name, schema in SCHEMAS.items() for index in range(len(schema.get("examples", [])))]
OBJECTS = [(name, index) for name, index in EXAMPLES if name != "pointer"]


def example(name: str, index: int) -> Any:
    return copy.deepcopy(SCHEMAS[name]["examples"][index])


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_a_schema_with_a_description_of_everything(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    described = [schema, *schema.get("$defs", {}).values()]
    for node in nodes(schema):
        # `properties` beside no type only narrows what is described elsewhere.
        if node.get("type") == "object":
            described += node.get("properties", {}).values()
    for part in described:
        target = SCHEMAS["parameters"]["$defs"][part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else {}
        assert part.get("description") or target.get("description"), part


@pytest.mark.parametrize(("name", "index"), EXAMPLES)
def test_its_examples_are_valid(name: str, index: int) -> None:
    assert problems(name, example(name, index)) == []


@pytest.mark.parametrize(("name", "index"), OBJECTS)
def test_of_an_example_just_what_is_required_cannot_be_left_out(name: str, index: int) -> None:
    needed = set()
    for field in example(name, index):
        cut = example(name, index)
        del cut[field]
        if not is_valid(name, cut):
            needed.add(field)
    assert needed == REQUIRED[(name, index)]


@pytest.mark.parametrize(("name", "index"), OBJECTS)
def test_a_property_that_nobody_knows_is_seen(name: str, index: int) -> None:
    for path in objects(example(name, index)):
        if path[:1] == ("Body",):
            continue
        added = example(name, index)
        at(added, path)["surprise"] = 1
        assert problems(name, added), path
        # What the bridge alone decides is closed as published; SageMaker may add to its notification.
        is_closed = bool({name, (name, index)} & CLOSED) or path == ("responseBody",)
        assert is_valid(name, added) is not is_closed, path


@pytest.mark.parametrize(("name", "index"), EXAMPLES)
def test_a_value_of_another_type_is_wrong(name: str, index: int) -> None:
    for path in values(example(name, index)):
        if path[:1] == ("Body",):
            continue
        for other in ([], {"surprise": 1}, True):
            changed = example(name, index)
            at(changed, path[:-1])[path[-1]] = other
            assert problems(name, changed), (path, other)


@pytest.mark.parametrize(("name", "index", "path", "value"), WRONG)
def test_a_wrong_value_is_wrong(name: str, index: int, path: tuple[str, ...], value: Any) -> None:
    wrong = example(name, index)
    at(wrong, path[:-1])[path[-1]] = value
    assert not is_valid(name, wrong)


def test_a_status_that_nobody_has_published_is_a_failure() -> None:
    assert problems("result", {**example("result", 1), "invocationStatus": "Expired"}) == []


def test_a_completed_result_has_an_output_or_says_where_it_is() -> None:
    result = example("result", 0)
    del result["responseParameters"]["outputLocation"]
    assert is_valid("result", result)
    del result["responseBody"]
    assert not is_valid("result", result)


@pytest.mark.parametrize("schema", ["direct-request", "request-attributes"])
def test_a_request_has_one_return_address(schema: str) -> None:
    addresses = {"ReplyTo": "orders-results", "TaskToken": "AQCgAAAAKgAAAA", "CallbackId": "c-1"}
    request = {"Body": "x"} if schema == "direct-request" else {}
    for name, value in addresses.items():
        assert problems(schema, {**request, name: value}) == []
        for other in addresses.keys() - {name}:
            assert not is_valid(schema, {**request, name: value, other: addresses[other]})


def test_the_sample_events_are_requests_by_these_schemas() -> None:
    bad = []
    for path in (ROOT / "events/submit").glob("sqs-*.json"):
        for record in json.loads(path.read_text(encoding="utf-8"))["Records"]:
            given = record.get("messageAttributes", {})
            if not is_valid("request-attributes", {name: value(name, text) for name, text in given.items()}):
                bad.append((path.name, list(given)))
            if {"ExtendedPayloadSize", "SQSLargePayloadSize"} & given.keys():
                assert problems("pointer", json.loads(record["body"])) == []
    # Those that are too long: what else is bad of the three, only the function can tell.
    assert bad == [("sqs-three-bad-of-ten.json", ["CustomAttributes"])]


def test_the_documented_message_attributes_are_requests_by_these_schemas() -> None:
    page = (ROOT / "docs" / "requests.md").read_text(encoding="utf-8")
    documented = re.findall(r"--message-attributes '(\{.*\})'", page)
    assert documented
    for text in documented:
        named = {name: value(name, given) for name, given in json.loads(text).items()}
        assert problems("request-attributes", named) == []


def value(name: str, attribute: dict[str, Any]) -> str | int:
    """A message attribute's value as the schema has it."""
    text = attribute.get("stringValue") or attribute.get("StringValue", "")
    is_number = SCHEMAS["parameters"]["$defs"].get(name, {}).get("type") == "integer" or name.endswith("PayloadSize")
    return int(text) if is_number else text


def at(instance: Any, path: tuple[Any, ...]) -> Any:
    """What lies at a path."""
    for step in path:
        instance = instance[step]
    return instance


def values(instance: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything but the root."""
    if path:
        yield path
    for step in instance if isinstance(instance, dict) else range(len(instance)) if isinstance(instance, list) else ():
        yield from values(instance[step], (*path, step))


def objects(instance: Any) -> Iterator[tuple[Any, ...]]:
    """Paths of the objects, the root's too."""
    yield ()
    yield from (path for path in values(instance) if isinstance(at(instance, path), dict))
