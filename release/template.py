"""template.yaml as a release has it: beside its functions, for one processor, with what a catalogue asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from local.archive import with_code_uris
from local.stack import FUNCTIONS
from release.project import Package

PROCESSORS = ("arm64", "x86_64")
# Properties and their bounds:
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-template-publishing-applications-metadata-properties.html
CATALOGUE = "AWS::ServerlessRepo::Application"
LABELS = ("sagemaker", "async-inference", "machine-learning", "sqs", "sns", "lambda", "rust")


def released(template: str, processor: str, package: Package) -> str:
    """The text of template.yaml for the archives `submit.zip` and `collect.zip` beside it, built for one processor."""
    text = with_code_uris(template, {name: f"{name}.zip" for name in FUNCTIONS})
    text = for_processor(text, processor)
    return once(r"^Metadata:\n", f"Metadata:\n{block(CATALOGUE, catalogue_entry(package))}", text)


def catalogue_entry(package: Package) -> dict[str, str | list[str]]:
    """What `sam publish` tells the Serverless Application Repository. Files are those beside the template."""
    found: dict[str, str | list[str]] = {
        "Name": package.name,
        "Description": package.description,
        "Author": package.name,
        "SpdxLicenseId": package.license,
        "LicenseUrl": "LICENSE",
        "ReadmeUrl": "README.md",
        "Labels": list(LABELS),
        "SemanticVersion": package.version,
    }
    if package.source_url:
        found |= {"HomePageUrl": package.source_url, "SourceCodeUrl": f"{package.source_url}/tree/v{package.version}"}
    return found


def for_processor(template: str, processor: str) -> str:
    """The template with an Architecture that has only one value: that of the functions beside it."""
    (parameter,) = re.findall(r"^  Architecture:\n(?:    .*\n)+", template, re.MULTILINE)
    changed = parameter
    for pattern, line in (
        (r"^    Default: .*$", f"    Default: {processor}"),
        (r"^    AllowedValues: .*$", f"    AllowedValues: [{processor}]"),
        (
            r"^    ConstraintDescription: .*$",
            f"    ConstraintDescription: {processor}, which this release was built for.",
        ),
    ):
        changed = once(pattern, line, changed)
    return template.replace(parameter, changed)


def block(name: str, entries: Mapping[str, object]) -> str:
    """An entry of a section. JSON's scalars and lists are YAML's too."""
    lines = [f"    {key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in entries.items()]
    return "".join([f"  {name}:\n", *lines])


def once(pattern: str, replacement: str, text: str) -> str:
    """The text with the one place that matches replaced."""
    changed, count = re.subn(pattern, lambda _found: replacement, text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"template.yaml: {count} places match {pattern}, not 1")
    return changed
