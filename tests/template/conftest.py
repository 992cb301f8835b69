"""template.yaml, parsed and with its conditions decided."""

from __future__ import annotations

from typing import Any

import pytest
from resolve import Template

from local.stack import ROOT


@pytest.fixture(scope="session")
def text() -> str:
    return (ROOT / "template.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def template(text: str) -> Template:
    return Template(text)


@pytest.fixture(scope="session")
def direct(template: Template) -> dict[str, Any]:
    """Resources of a stack with every parameter at its default."""
    return template.resources(EndpointName="demo")


@pytest.fixture(scope="session")
def queued(template: Template) -> dict[str, Any]:
    """Resources of a stack that collects by queue."""
    return template.resources(EndpointName="demo", NotificationDelivery="QUEUE")
