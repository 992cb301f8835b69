"""CloudFormation's functions, to plain values, for a node whose Fn::If are decided already."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from resolve import NO_VALUE

PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")


def rendered(node: Any, names: Mapping[str, Any]) -> Any:
    """The node as CloudFormation hands it to the service.

    `names`: what a Ref (`Bucket`, `EndpointName`, `AWS::Region`) or an attribute (`Bucket.Arn`) stands for.
    """
    if isinstance(node, list):
        return [rendered(item, names) for item in node]
    if not isinstance(node, dict):
        return node
    assert node != NO_VALUE
    if len(node) == 1:
        ((function, argument),) = node.items()
        if function == "Ref":
            return names[argument]
        if function.startswith("Fn::"):
            return call(function, argument, names)
    return {key: rendered(value, names) for key, value in node.items()}


def call(function: str, argument: Any, names: Mapping[str, Any]) -> Any:
    """One intrinsic function, its arguments rendered first."""
    if function == "Fn::Sub":
        text, own = argument if isinstance(argument, list) else (argument, {})
        known = ChainMap(rendered(own, names), names)
        return PLACEHOLDER.sub(lambda found: str(known[found.group(1)]), text)
    if function == "Fn::GetAtt":
        return names[".".join(argument)]
    first, second = rendered(argument, names)
    if function == "Fn::Join":
        return first.join(second)
    if function == "Fn::Split":
        return second.split(first)
    if function == "Fn::Select":
        return second[int(first)]
    raise AssertionError(f"no such function here: {function}")
