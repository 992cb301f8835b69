"""What the examples for the AWS CDK and Terraform say of template.yaml's parameters: `make parameters`.

`Architecture` is left out: a release has only one value for it, its own.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from local.stack import ROOT

HEADER = "Made from template.yaml by `make parameters`: change it there."
WIDTH = 116
CDK, TERRAFORM = ROOT / "examples/cdk/parameters.ts", ROOT / "examples/terraform/parameters.tf"
# Each with the property of a template's parameter that it comes from.
CONSTRAINTS = {
    "pattern": "AllowedPattern",
    "maxLength": "MaxLength",
    "min": "MinValue",
    "max": "MaxValue",
    "oneOf": "AllowedValues",
}


def files(template: Mapping[str, Any]) -> dict[Path, str]:
    """Both files for a template."""
    parameters = {name: entry for name, entry in template["Parameters"].items() if name != "Architecture"}
    return {CDK: typescript(parameters, template["Outputs"]), TERRAFORM: terraform(parameters)}


def typescript(parameters: Mapping[str, Any], outputs: Mapping[str, Any]) -> str:
    """An interface of the parameters, what the template admits of each, and the names of its outputs."""
    properties, constraints = [], []
    for name, entry in parameters.items():
        optional = "?" if "Default" in entry else ""
        comment = "".join(f"   * {line}\n" for line in textwrap.wrap(described(entry), WIDTH - 5))
        properties.append(f"  /**\n{comment}   */\n  readonly {camel(name)}{optional}: {typescript_type(entry)};\n")
        known = {key: entry[source] for key, source in CONSTRAINTS.items() if source in entry}
        known["admits"] = entry.get("ConstraintDescription", described(entry))
        constraints.append(f"  {camel(name)}: {json.dumps({'parameter': name, **known}, ensure_ascii=False)},\n")
    names = "".join(f"\n  | {json.dumps(name)}" for name in outputs)
    return (
        f"// {HEADER}\n\n"
        "/** Parameters of the template, but Architecture, which a release has only one value for. */\n"
        f"export interface Parameters {{\n{''.join(properties)}}}\n\n"
        "export interface Constraint {\n"
        "  readonly parameter: string;\n  readonly pattern?: string;\n  readonly maxLength?: number;\n"
        "  readonly min?: number;\n  readonly max?: number;\n  readonly oneOf?: readonly (string | number)[];\n"
        "  readonly admits: string;\n}\n\n"
        "/** What the template admits of each. */\n"
        f"export const constraints: Readonly<Record<keyof Parameters, Constraint>> = {{\n{''.join(constraints)}}};\n\n"
        f"/** Outputs of the template. */\nexport type Output ={names};\n"
    )


def typescript_type(entry: Mapping[str, Any]) -> str:
    """A string, a number, a boolean where the values are true and false, or one of the values."""
    values = entry.get("AllowedValues")
    if values and set(values) == {"true", "false"}:
        return "boolean"
    if values:
        return " | ".join(json.dumps(number(entry, value)) for value in values)
    return "number" if entry["Type"] == "Number" else "string"


def terraform(parameters: Mapping[str, Any]) -> str:
    """A variable for each parameter; one that is not set keeps the template's default."""
    variables = "".join(
        f'variable "{snake(name)}" {{\n'
        f"  description = {hcl(described(entry))}\n"
        f"  type        = {terraform_type(entry)}\n"
        + ("  default     = null\n" if "Default" in entry else "")
        + "}\n\n"
        for name, entry in parameters.items()
    )
    width = max(map(len, parameters))
    pairs = "".join(f"    {name:<{width}} = var.{snake(name)}\n" for name in parameters)
    return f"# {HEADER}\n\n{variables}locals {{\n  parameters = {{\n{pairs}  }}\n}}\n"


def terraform_type(entry: Mapping[str, Any]) -> str:
    """The type of a variable. What it admits, CloudFormation checks."""
    if set(entry.get("AllowedValues", ())) == {"true", "false"}:
        return "bool"
    return "number" if entry["Type"] == "Number" else "string"


def hcl(text: str) -> str:
    """A string of HCL, without interpolation."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def number(entry: Mapping[str, Any], value: Any) -> Any:
    """A value as its parameter's type has it."""
    return int(value) if entry["Type"] == "Number" else value


def described(entry: Mapping[str, Any]) -> str:
    """The description, on one line, with its default."""
    text = " ".join(entry["Description"].split()).replace("*/", "* /")
    default = entry.get("Default", "")
    return text if default == "" else f"{text} Default: {default}."


def camel(name: str) -> str:
    """`EndpointName` as `endpointName`."""
    return name[0].lower() + name[1:]


def snake(name: str) -> str:
    """`EndpointName` as `endpoint_name`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def main() -> int:
    """Writes both files."""
    for path, text in files(yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))).items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
