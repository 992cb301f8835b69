"""template.yaml without its functions, for docs/cargo-lambda.md, where `cargo lambda deploy` makes them.

    python examples/cargo_lambda.py target/cargo-lambda

writes `first.json`, all that the functions need, and `stack.json`, which adds what needs the functions: event source
mapping, routes, subscriptions, and the alarms and the dashboard. What the template gives to a function itself becomes
outputs of the stack: `submitOptions` and `submitVariables` for `cargo lambda deploy`, the others for the AWS CLI.
CloudFormation works them out from the template's own text, so nothing is said twice.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"
SAM = "AWS::Serverless-2016-10-31"
NO_VALUE = {"Ref": "AWS::NoValue"}
ARN = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:"

# Where each property of a function goes. One that goes nowhere would be lost, so it is an error.
BY_THE_BUILD = {"Architectures", "CodeUri", "Handler", "Runtime"}
AS_OPTION = {"MemorySize": "--memory", "Role": "--iam-role", "Timeout": "--timeout"}
AS_VARIABLES = {"Environment"}
AS_OUTPUT = {"Description", "LoggingConfig", "ReservedConcurrentExecutions", "Tracing", "VpcConfig"}


def without_functions(text: str) -> tuple[str, str]:
    """`first.json` and `stack.json` for the text of template.yaml: no SAM in them."""
    template: dict[str, Any] = yaml_parse(text)
    if (transform := template.pop("Transform")) != SAM:
        raise ValueError(f"template.yaml: Transform is {transform}, not {SAM} alone")
    del template["Metadata"]  # the console's groups of parameters, some of which go
    resources = template["Resources"]
    sam = {name: entry for name, entry in resources.items() if entry["Type"].startswith("AWS::Serverless::")}
    if others := [name for name, entry in sam.items() if entry["Type"] != "AWS::Serverless::Function"]:
        raise ValueError(f"template.yaml: {', '.join(others)}: of SAM's resources, only functions can be left out")
    needing = dependents({**resources, **template["Outputs"]}, sam) | watching(resources)
    for name, entry in sam.items():
        template["Outputs"].update(outputs(name, entry))
    stack = without(template, {*sam})
    # Without their descriptions, which docs/deploy.md has too: by value, CloudFormation takes 51,200 bytes.
    stack["Parameters"] = {
        name: {key: value for key, value in entry.items() if key != "Description"}
        for name, entry in stack["Parameters"].items()
        if mentions(stack, name)
    }
    return by_name(without(stack, needing), sam), by_name(stack, sam)


def binary(function: Mapping[str, Any]) -> str:
    """The binary that a function runs."""
    return function["Metadata"]["BuildProperties"]["Binary"]


def compact(node: Any) -> str:
    """JSON without blanks: CloudFormation takes 51,200 bytes by value, as `first.json` goes."""
    return json.dumps(node, separators=(",", ":"))


def mentions(node: Any, logical_id: str) -> bool:
    """Whether Ref, Fn::GetAtt, Fn::Sub or DependsOn in `node` name it."""
    return re.search(rf'[:,\[]"{logical_id}"(?!:)|\$\{{{logical_id}[.}}]', compact(node)) is not None


def dependents(entries: Mapping[str, Any], functions: Iterable[str]) -> set[str]:
    """Resources and outputs that name a function, or something that does."""
    found: set[str] = set()
    names = {*functions}
    while names:
        names = {key for key, entry in entries.items() if any(mentions(entry, name) for name in names)} - found
        found |= names
    return found


def watching(resources: Mapping[str, Any]) -> set[str]:
    """Alarms and the dashboard: nothing needs them, and they take much of what CloudFormation takes by value."""
    return {name for name, entry in resources.items() if entry["Type"].startswith("AWS::CloudWatch::")}


def without(template: Mapping[str, Any], left_out: set[str]) -> dict[str, Any]:
    """The template without some of its resources and outputs."""

    def kept(section: str) -> dict[str, Any]:
        return {name: entry for name, entry in template[section].items() if name not in left_out}

    return {**template, "Resources": kept("Resources"), "Outputs": kept("Outputs")}


def by_name(template: Mapping[str, Any], functions: Mapping[str, Any]) -> str:
    """The template as text, with the names and ARNs of the functions in place of references to them."""
    text = compact(template)
    for logical_id, function in functions.items():
        name = f"${{AWS::StackName}}-{binary(function)}"
        for reference, known in (
            (compact({"Ref": logical_id}), compact({"Fn::Sub": name})),
            (compact({"Fn::GetAtt": [logical_id, "Arn"]}), compact({"Fn::Sub": ARN + name})),
            (f"${{{logical_id}}}", name),
            (f"${{{logical_id}.Arn}}", ARN + name),
        ):
            text = text.replace(reference, known)
        if mentions(json.loads(text), logical_id):
            raise ValueError(f"template.yaml: {logical_id}: only !Ref and !GetAtt Arn are known before it is deployed")
    return text


def outputs(logical_id: str, function: Mapping[str, Any]) -> dict[str, Any]:
    """What `cargo lambda deploy` and the AWS CLI give a function, as outputs that begin with the binary's name."""
    properties = function["Properties"]
    if lost := properties.keys() - BY_THE_BUILD - AS_OPTION.keys() - AS_VARIABLES - AS_OUTPUT:
        raise ValueError(f"template.yaml: {logical_id}: {Path(__file__).name} must say where {', '.join(lost)} goes")
    options = [part for key, option in AS_OPTION.items() for part in (option, properties[key])]
    variables = [variable(key, value) for key, value in properties["Environment"]["Variables"].items()]
    found = {"Options": {"Value": joined(" ", options)}, "Variables": {"Value": joined("\n", variables)}}
    found |= {key: output(properties[key]) for key in sorted(AS_OUTPUT & properties.keys())}
    return {binary(function) + key: entry for key, entry in found.items()}


def variable(name: str, value: Any) -> dict[str, Any]:
    """A line of an environment file. In quotes: without them cargo-lambda takes no `=`, `#` or blank in a value."""
    match value:
        case {"Fn::If": [condition, then, otherwise]} if otherwise == NO_VALUE:
            return {"Fn::If": [condition, variable(name, then), NO_VALUE]}
    return joined("", [f"{name}='", value, "'"])


def output(value: Any) -> dict[str, Any]:
    """An output with a property's value, if it has one; a structure in the shorthand of the AWS CLI."""
    match value:
        case {"Fn::If": [condition, then, otherwise]} if otherwise == NO_VALUE:
            return {"Condition": condition, **output(then)}
        case {"Fn::Split": [",", text]}:  # the shorthand's list is the text again
            return {"Value": text}
        case dict() if not {"Ref", "Fn::If", "Fn::GetAtt", "Fn::Sub"} & value.keys():
            return {
                "Value": joined(",", [joined("", [f"{key}=", output(part)["Value"]]) for key, part in value.items()])
            }
    return {"Value": value}


def joined(separator: str, parts: list[Any]) -> dict[str, Any]:
    """Fn::Join, which takes no numbers."""
    return {"Fn::Join": [separator, [part if isinstance(part, dict) else str(part) for part in parts]]}


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    first, stack = without_functions(TEMPLATE.read_text(encoding="utf-8"))
    (directory / "first.json").write_text(first, encoding="utf-8")
    (directory / "stack.json").write_text(stack, encoding="utf-8")
