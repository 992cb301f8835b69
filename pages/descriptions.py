"""The prose of YAML files as Markdown, each line where it was, so that a linter of prose names its number.

python pages/descriptions.py target/descriptions openapi.yaml asyncapi.yaml
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

PROSE = ("description", "summary")


def descriptions(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """Every text that describes something, wherever it is."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from descriptions(item)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value in PROSE and isinstance(value, yaml.ScalarNode):
                yield value
            else:
                yield from descriptions(value)


def markdown(text: str) -> str:
    """Each description as an item of a list, so that two in a row are not one paragraph."""
    source = text.splitlines()
    lines = [""] * len(source)
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for node in descriptions(root) if root else ():
        block = node.style in ("|", ">")
        first = node.start_mark.line + block
        last = node.end_mark.line - (node.end_mark.column == 0)
        for number in range(first, last + 1):
            line = source[number]
            if number == first and not block:
                line = line[node.start_mark.column :]
            lines[number] = ("- " if number == first else "  ") + line.strip() if line.strip() else ""
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes a Markdown file of the same name for each."""
    into, *paths = map(Path, sys.argv[1:])
    into.mkdir(parents=True, exist_ok=True)
    for path in paths:
        (into / f"{path.name}.md").write_text(markdown(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
