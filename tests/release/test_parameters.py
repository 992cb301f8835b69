"""The parts of the examples that follow the template's parameters."""

from __future__ import annotations

import re
from functools import cache

import hcl2
from samtranslator.yaml_helper import yaml_parse

from local.stack import FUNCTIONS, ROOT
from release.parameters import CDK, TERRAFORM, files, snake
from release.project import Package
from release.template import PROCESSORS, released

TEXT = (ROOT / "template.yaml").read_text(encoding="utf-8")
TEMPLATE = yaml_parse(TEXT)
EXAMPLE = ROOT / "examples/terraform"


def test_the_examples_have_the_template_s_parameters() -> None:
    made = files(TEMPLATE)
    assert made.keys() == {CDK, TERRAFORM}
    outdated = [str(path.relative_to(ROOT)) for path, text in made.items() if path.read_text(encoding="utf-8") != text]
    assert outdated == [], "run: make parameters"


@cache
def parsed(name: str) -> dict:
    with (EXAMPLE / name).open(encoding="utf-8") as file:
        return hcl2.load(file)


def variables(name: str) -> dict[str, dict]:
    return {unquoted(key): value for entry in parsed(name).get("variable", []) for key, value in entry.items()}


def unquoted(text: str) -> str:
    return text.strip('"')


def test_terraform_has_a_variable_for_each_parameter_and_gives_it_to_the_stack() -> None:
    wanted = [name for name in TEMPLATE["Parameters"] if name != "Architecture"]
    declared = variables("parameters.tf")
    assert list(declared) == [snake(name) for name in wanted]
    required = {name for name, entry in TEMPLATE["Parameters"].items() if "Default" not in entry}
    assert {name for name, entry in declared.items() if "default" not in entry} == {snake(name) for name in required}
    (local,) = parsed("parameters.tf")["locals"]
    given = {unquoted(key): value for key, value in local["parameters"].items() if not key.startswith("__")}
    assert given == {name: f"${{var.{snake(name)}}}" for name in wanted}


def test_terraform_refers_to_nothing_that_is_not_declared() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(EXAMPLE.glob("*.tf")))
    declared = variables("parameters.tf") | variables("main.tf")
    assert set(re.findall(r"\bvar\.(\w+)", text)) == declared.keys()
    locals_ = {
        unquoted(key) for name in ("main.tf", "parameters.tf") for entry in parsed(name)["locals"] for key in entry
    }
    assert set(re.findall(r"\blocal\.(\w+)", text)) == {name for name in locals_ if not name.startswith("__")}
    main = parsed("main.tf")
    resources = {
        f"{unquoted(kind)}.{unquoted(name)}"
        for entry in main["resource"]
        for kind, names in entry.items()
        for name in names
    }
    assert set(re.findall(r"\b(aws_\w+\.\w+)", text.replace("data.aws_", "data_"))) <= resources


def test_terraform_finds_each_function_once_in_a_released_template(package: Package) -> None:
    main = (EXAMPLE / "main.tf").read_text(encoding="utf-8")
    for name in FUNCTIONS:
        written = f"CodeUri: {name}.zip"
        assert main.count(f'"{written}", "CodeUri: s3://${{var.bucket}}/${{local.{name}}}"') == 1
        assert [released(TEXT, processor, package).count(written) for processor in PROCESSORS] == [1, 1]
