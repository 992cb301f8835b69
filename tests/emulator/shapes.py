"""What SageMaker's API model says of the requests that the emulator answers: types, required members, enums, bounds.

    .venv/local/bin/python -m tests.emulator.shapes    # writes emulator/src/control/shapes.json

The facts are taken from the installed botocore's service-2.json (Apache-2.0), and nothing else of it. A test compares
the file with the botocore of requirements/local.txt.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape

FILE = Path(__file__).resolve().parents[2] / "emulator/src/control/shapes.json"
OPERATIONS = (
    *("CreateModel", "DescribeModel", "ListModels", "DeleteModel"),
    *("CreateEndpointConfig", "DescribeEndpointConfig", "ListEndpointConfigs", "DeleteEndpointConfig"),
    *("CreateEndpoint", "UpdateEndpoint", "UpdateEndpointWeightsAndCapacities"),
    *("DescribeEndpoint", "ListEndpoints", "DeleteEndpoint"),
    *("ListTags", "AddTags", "DeleteTags"),
)


def fact(shape: Shape) -> dict[str, Any]:
    """A shape, with the names of those that it is made of."""
    bounds = {name: shape.metadata[name] for name in ("min", "max", "pattern", "enum") if name in shape.metadata}
    match shape:
        case StructureShape():
            members = {name: member.name for name, member in shape.members.items()}
            required = {"required": shape.required_members} if shape.required_members else {}
            return {"type": shape.type_name, **required, "members": members}
        case ListShape():
            return {"type": shape.type_name, **bounds, "member": shape.member.name}
        case MapShape():
            return {"type": shape.type_name, **bounds, "key": shape.key.name, "value": shape.value.name}
        case _:
            return {"type": shape.type_name, **bounds}


def parts(shape: Shape) -> list[Shape]:
    """The shapes that a shape is made of."""
    match shape:
        case StructureShape():
            return list(shape.members.values())
        case ListShape():
            return [shape.member]
        case MapShape():
            return [shape.key, shape.value]
        case _:
            return []


def table() -> str:
    """The file's text: one shape a line."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    inputs = {name: model.operation_model(name).input_shape for name in OPERATIONS}
    shapes: dict[str, Shape] = {}
    waiting = list(inputs.values())
    while waiting:
        shape = waiting.pop()
        if shape.name not in shapes:
            shapes[shape.name] = shape
            waiting += parts(shape)
    operations = json.dumps({name: shape.name for name, shape in inputs.items()})
    lines = [f"{json.dumps(name)}: {json.dumps(fact(shapes[name]))}" for name in sorted(shapes)]
    return f'{{"operations": {operations},\n"shapes": {{\n' + ",\n".join(lines) + "\n}}\n"


if __name__ == "__main__":
    FILE.write_text(table(), encoding="utf-8")
