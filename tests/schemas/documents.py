"""The schemas of schemas/, and what tests do with them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from local.stack import ROOT

SCHEMAS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "schemas").glob("*.json"))
}
# All of the functions' code, wherever in it a name stands.
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.rs")))


def is_valid(name: str, instance: Any) -> bool:
    """Whether an instance is what the schema asks for, as published: SageMaker may add what it likes."""
    return published(name).is_valid(instance)


def problems(name: str, instance: Any) -> list[str]:
    """What is wrong with an instance if each object of the schema is closed: a property unknown to it is wrong too."""
    return [f"{error.json_path}: {error.message}" for error in leaves(closed(name).iter_errors(instance))]


def leaves(errors: Any) -> Iterator[Any]:
    """The errors behind a `oneOf` or `anyOf` that no alternative of has passed."""
    for error in errors:
        if error.context:
            yield from leaves(error.context)
        else:
            yield error


def published(name: str) -> Draft202012Validator:
    """The schema as it is."""
    return Draft202012Validator(SCHEMAS[name], registry=registry(SCHEMAS))


def closed(name: str) -> Draft202012Validator:
    """The schema with each of its objects closed."""
    schemas = {other: close(copy.deepcopy(schema)) for other, schema in SCHEMAS.items()}
    return Draft202012Validator(schemas[name], registry=registry(schemas))


def registry(schemas: Mapping[str, Any]) -> Registry[Any]:
    """Resolves references from one file to another by file name."""
    resources = [(f"{name}.json", Resource(schema, DRAFT202012)) for name, schema in schemas.items()]
    return Registry().with_resources(resources)


def close(schema: Any) -> Any:
    """Lets no object have a property that is not listed, in place."""
    for node in nodes(schema):
        if node.get("type") == "object" and "properties" in node:
            node.setdefault("additionalProperties", False)
    return schema


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object in a schema's JSON."""
    if isinstance(schema, dict):
        yield schema
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from nodes(value)


def attributes(message: Mapping[str, Any]) -> dict[str, str | int]:
    """Names and values of a received message's attributes, a Number as a number."""
    return {
        name: int(attribute["StringValue"]) if attribute["DataType"] == "Number" else attribute["StringValue"]
        for name, attribute in message.get("MessageAttributes", {}).items()
    }
