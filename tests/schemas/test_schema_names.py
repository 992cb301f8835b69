"""Names and bounds that the schemas share with the code and with openapi.yaml."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from local.stack import ROOT
from tests.schemas.documents import SCHEMAS, SOURCE

OPENAPI = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
BOUNDS = ("minLength", "maxLength", "minimum", "maximum", "pattern", "type")


def properties(name: str) -> set[str]:
    return set(SCHEMAS[name]["properties"])


PARAMETERS = dict(re.findall(r'^    [A-Z0-9_]+ "(\w+)" "([\w-]*)"$', SOURCE, re.MULTILINE))
RETURN_ADDRESSES = dict(re.findall(r'Parameter \{ name: "(\w+)", header: "([\w-]*)" \}', SOURCE))


def test_requests_have_the_parameters_that_submit_reads() -> None:
    assert len(PARAMETERS) == 10
    assert RETURN_ADDRESSES == {"ReplyTo": "x-bridge-reply-to", "TaskToken": "", "CallbackId": ""}
    own = {"ContentEncoding"} | RETURN_ADDRESSES.keys()
    sizes = set(re.findall(r'SIZE_ATTRIBUTE: &str = "(\w+)"', SOURCE))
    assert properties("direct-request") == PARAMETERS.keys() | own | {"Body"}
    assert properties("request-attributes") == PARAMETERS.keys() | own | sizes


def test_results_have_the_attributes_that_collect_sends() -> None:
    module = re.search(r"mod attribute \{(.*?)\n\}", SOURCE, re.DOTALL)
    assert module
    sent = set(re.findall(r'&str = "(\w+)";', module[1]))
    every = {"InferenceId", "InvocationStatus", "EndpointName", "ContentType"}
    assert properties("result-attributes") == every < sent
    assert properties("raw-result-attributes") == sent | {"ContentEncoding", "ExtendedPayloadSize"}


@pytest.mark.parametrize("name", [*PARAMETERS, "ReplyTo"])
def test_a_parameter_has_the_bounds_that_it_has_by_http(name: str) -> None:
    bounds = {key: value for key, value in SCHEMAS["parameters"]["$defs"][name].items() if key in BOUNDS}
    by_http = {key: value for key, value in header({**PARAMETERS, **RETURN_ADDRESSES}[name]).items() if key in BOUNDS}
    # An empty file name is ruled out by its pattern too.
    assert {"minLength": 1, **bounds} == {"minLength": 1, **by_http}


def header(name: str) -> dict[str, Any]:
    """The schema of a header of POST /invocations; of the one parameter that travels in the path."""
    if not name:
        return OPENAPI["paths"]["/endpoints/{EndpointName}/async-invocations"]["post"]["parameters"][0]["schema"]
    headers = {entry["name"].lower(): entry["schema"] for entry in OPENAPI["components"]["parameters"].values()}
    return headers[name]


def test_the_direct_answer_is_that_by_http() -> None:
    accepted = OPENAPI["components"]["schemas"]["Accepted"]
    assert set(SCHEMAS["direct-answer"]["required"]) == set(accepted["required"])
    assert properties("direct-answer") == accepted["properties"].keys() - {"Status"}
