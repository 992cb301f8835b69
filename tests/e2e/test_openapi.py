"""openapi.yaml against the deployed bridge: requests made up from it find no 5xx and no undocumented answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sagemaker_async_emulator import ModelRequest, ModelResponse
from sagemaker_async_emulator._model import serving

from local.gateway import REQUEST_TIMEOUT_SECONDS
from local.stack import ROOT, LocalStack

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
SEED = 20260620
EXAMPLES = 15


def summarize(_request: ModelRequest) -> ModelResponse:
    """A model whose output is always JSON; an echo would call any bytes so."""
    return ModelResponse(b'{"summary": "A short one."}', "application/json")


@pytest.fixture
def model() -> Iterator[str]:
    """URL of a running model container."""
    with serving(summarize) as url:
        yield url


def test_made_up_requests_get_documented_answers_and_no_server_error(model: str, tmp_path: Path) -> None:
    with LocalStack({"summarizer": model}, parameters={"HttpAuth": "NONE"}, name="openapi") as stack:
        command = [
            *(Path(sys.executable).with_name("st"), "run", ROOT / "openapi.yaml", "--url", stack.http_url),
            *("--checks", ",".join(CHECKS), "--seed", str(SEED), "--max-examples", str(EXAMPLES)),
            *("--max-redirects", "0", "--generation-database", "none", "--no-color"),
            # A slow machine is no finding.
            *("--request-timeout", str(REQUEST_TIMEOUT_SECONDS), "--suppress-health-check", "all"),
        ]
        ran = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=3_600)
        assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr
        assert "Tested: 5" in ran.stdout, ran.stdout[-2000:]
