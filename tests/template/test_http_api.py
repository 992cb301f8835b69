"""openapi.yaml, template.yaml, docs/http.md and the code say the same of the HTTP API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from resolve import Template, of_type

from local.stack import ROOT

METHODS = {"get", "head", "post"}


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))


def resolved(api: dict[str, Any], node: Any) -> Any:
    """A node, or what its `$ref` names."""
    while isinstance(node, dict) and "$ref" in node:
        target: Any = api
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def operations(api: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in api["paths"].values():
        yield from (operation for method, operation in path.items() if method in METHODS)


def responses(api: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operation in operations(api):
        yield from (resolved(api, response) for response in operation["responses"].values())


def test_the_paths_are_the_template_s_routes(api: dict[str, Any], direct: dict[str, Any]) -> None:
    routes = {route["RouteKey"] for route in of_type(direct, "AWS::ApiGatewayV2::Route").values()}
    assert routes == {f"ANY {path}" for path in api["paths"]}


def test_pages_of_other_origins_may_send_and_read_every_header(api: dict[str, Any], template: Template) -> None:
    resources = template.resources(EndpointName="demo", CorsAllowOrigins="*")
    cors = resources["HttpApi"]["Properties"]["CorsConfiguration"]
    parameters = [resolved(api, entry) for operation in operations(api) for entry in operation.get("parameters", [])]
    sent = {entry["name"].lower() for entry in parameters if entry["in"] == "header"}
    assert sent - set(cors["AllowHeaders"]) == set()
    read = {name.lower() for response in responses(api) for name in response.get("headers", {})}
    # The rest a page has no use for.
    assert read - {"allow", "cache-control", "content-encoding"} == set(cors["ExposeHeaders"])
    assert {method.lower() for method in cors["AllowMethods"]} == METHODS


def test_every_parameter_of_sagemaker_s_is_there(api: dict[str, Any]) -> None:
    source = (ROOT / "src/parameter.rs").read_text(encoding="utf-8")
    headers = set(re.findall(r'"(x-amzn-sagemaker-[a-z0-9-]+)"', source))
    assert len(headers) == 9
    for path in ("/invocations", "/endpoints/{EndpointName}/async-invocations"):
        entries = [resolved(api, entry) for entry in api["paths"][path]["post"]["parameters"]]
        assert headers <= {entry["name"].lower() for entry in entries}


def test_every_error_that_http_callers_get_is_documented(api: dict[str, Any]) -> None:
    ways_in = ROOT / "src/submit/sources"
    sources = [ROOT / "src/fault.rs", ways_in / "http.rs", *(ways_in / "http").iterdir()]
    code = "".join(source.read_text(encoding="utf-8") for source in sources if source.is_file())
    names = set(re.findall(r'Self::\w+ => "(\w+)"', code)) | set(re.findall(r'error\(\s*\d+,\s*"(\w+)"', code))
    assert {"ValidationError", "ConflictException", "ModelError", "ResourceNotFound"} <= names
    described = " ".join(response["description"] for response in responses(api))
    page = (ROOT / "docs/http.md").read_text(encoding="utf-8")
    for name in names:
        assert name in described, name
        assert f"`{name}`" in page, name


def examples(api: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Every example with its schema."""

    def walk(node: Any) -> Iterator[tuple[Any, Any]]:
        if isinstance(node, dict):
            if "example" in node and "schema" in node:
                yield node["schema"], node["example"]
            for value in node.values():
                yield from walk(value)
        elif isinstance(node, list):
            for value in node:
                yield from walk(value)

    yield from walk(api)


def test_every_example_is_what_its_schema_says(api: dict[str, Any]) -> None:
    found = list(examples(api))
    assert len(found) > 30
    for schema, example in found:
        jsonschema.validate(example, {**schema, "components": api["components"]})
