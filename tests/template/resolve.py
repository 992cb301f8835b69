"""As much of CloudFormation as the tests need: parameters, conditions and Fn::If; other functions stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from samtranslator.yaml_helper import yaml_parse

NO_VALUE = {"Ref": "AWS::NoValue"}


class Template:
    """A template, by its text or parsed already."""

    def __init__(self, template: str | Mapping[str, Any]) -> None:
        self.raw: Mapping[str, Any] = yaml_parse(template) if isinstance(template, str) else template

    def values(self, **given: str) -> dict[str, Any]:
        """Every parameter's value: the given one or its default."""
        declared = {name: parameter.get("Default") for name, parameter in self.raw["Parameters"].items()}
        assert set(given) <= set(declared), f"no such parameter: {set(given) - set(declared)}"
        return {**declared, **given}

    def resources(self, **given: str) -> dict[str, Any]:
        """Resources that exist with these parameters, their Fn::If decided."""
        return self._section("Resources", given)

    def outputs(self, **given: str) -> dict[str, Any]:
        """Outputs with these parameters, their Fn::If decided."""
        return self._section("Outputs", given)

    def _section(self, name: str, given: dict[str, str]) -> dict[str, Any]:
        values = self.values(**given)
        entries = self.raw[name].items()
        return {
            key: self.decided(entry, values)
            for key, entry in entries
            if "Condition" not in entry or self.condition(entry["Condition"], values)
        }

    def condition(self, name: str, values: Mapping[str, Any]) -> bool:
        """Whether a named condition holds."""
        return self._holds(self.raw["Conditions"][name], values)

    def _holds(self, expression: dict[str, Any], values: Mapping[str, Any]) -> bool:
        ((function, argument),) = expression.items()
        if function == "Condition":
            return self.condition(argument, values)
        if function == "Fn::Equals":
            left, right = (values[side["Ref"]] if isinstance(side, dict) else side for side in argument)
            return left == right
        parts = [self._holds(part, values) for part in argument]
        return {"Fn::Not": lambda: not parts[0], "Fn::And": lambda: all(parts), "Fn::Or": lambda: any(parts)}[
            function
        ]()

    def decided(self, node: Any, values: Mapping[str, Any]) -> Any:
        """The node with its Fn::If decided; `NO_VALUE` where that leaves nothing."""
        if isinstance(node, list):
            return [item for item in (self.decided(item, values) for item in node) if item != NO_VALUE]
        if not isinstance(node, dict):
            return node
        if set(node) == {"Fn::If"}:
            name, then, otherwise = node["Fn::If"]
            return self.decided(then if self.condition(name, values) else otherwise, values)
        decided = {key: self.decided(value, values) for key, value in node.items()}
        return {key: value for key, value in decided.items() if value != NO_VALUE}


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    """Properties of the resources of one type, by logical id."""
    return {name: entry.get("Properties", {}) for name, entry in resources.items() if entry["Type"] == kind}


def attribute(logical_id: str, name: str = "Arn") -> dict[str, Any]:
    """Fn::GetAtt as the parser reads it."""
    return {"Fn::GetAtt": [logical_id, name]}


def statements(resources: dict[str, Any], role: str) -> dict[str, dict[str, Any]]:
    """Statements of a role's policies, by Sid."""
    policies = resources[role]["Properties"]["Policies"]
    return {entry["Sid"]: entry for policy in policies for entry in policy["PolicyDocument"]["Statement"]}


def as_list(value: Any) -> list[Any]:
    """IAM takes one value for a list of one."""
    return value if isinstance(value, list) else [value]
