"""The pytest plugin: fixtures `sagemaker_async_endpoint` and `sagemaker_async_config`, marker `sagemaker_async`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from ._config import Config
from ._endpoint import Endpoint
from ._process import ACCESS_KEY, tail, without_proxy
from ._running import running

MARKER = "sagemaker_async"
SERVICES = ["SAGEMAKER", "SAGEMAKER_RUNTIME", "S3", "CLOUDWATCH", "APPLICATION_AUTO_SCALING", "STS"]
# They would have clients use another account, or leave the endpoint URLs unread.
MISLEADING = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"]
_directory = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker."""
    fields = ", ".join(f"{field.name}=…" for field in dataclasses.fields(Config))
    config.addinivalue_line("markers", f"{MARKER}({fields}): what sagemaker_async_endpoint is like, as its Config says")


@pytest.fixture
def sagemaker_async_config() -> Config:
    """What endpoints are like where no marker says otherwise: an echo. Override it in a module or in conftest.py."""
    return Config()


@pytest.fixture
def sagemaker_async_endpoint(
    request: pytest.FixtureRequest,
    sagemaker_async_config: Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Endpoint]:
    """A SageMaker asynchronous endpoint in service, in an emulator of the test's own, which ends with the test.

    While it runs, the environment sends clients that the test's code makes to it, with credentials that are nobody's:
    `boto3.client("sagemaker-runtime")` is enough, and likewise for `sagemaker`, `s3`, `cloudwatch`, `sts` and
    `application-autoscaling`. Clients that were made before, as where a module is imported, keep their address.
    """
    config = sagemaker_async_config
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        config = _marked(config, marker)
    directory = tmp_path_factory.mktemp("sagemaker-async-emulator")
    request.node.stash[_directory] = directory
    with running(config, directory) as endpoint, pytest.MonkeyPatch.context() as monkeypatch:
        _point_clients_to(endpoint, monkeypatch)
        yield endpoint


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Shows the end of the emulator's log with a test that has failed."""
    directory = item.stash.get(_directory, None)
    if call.excinfo is not None and directory is not None and (directory / "emulator.log").is_file():
        item.add_report_section(call.when, "sagemaker-async-emulator", tail(directory / "emulator.log"))


def _marked(config: Config, marker: pytest.Mark) -> Config:
    known = [field.name for field in dataclasses.fields(Config)]
    unknown = [*map(repr, marker.args), *(name for name in marker.kwargs if name not in known)]
    if unknown:
        raise pytest.UsageError(f"@pytest.mark.{MARKER} takes {', '.join(known)} by name, not {', '.join(unknown)}")
    return dataclasses.replace(config, **marker.kwargs)


def _point_clients_to(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {f"AWS_ENDPOINT_URL_{service}": endpoint.url for service in SERVICES}
    for name in MISLEADING:
        monkeypatch.delenv(name, raising=False)
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": ACCESS_KEY}
    files = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    region = {"AWS_REGION": endpoint.region, "AWS_DEFAULT_REGION": endpoint.region}
    for name, value in {**variables, **keys, **files, **region, **without_proxy(dict(os.environ))}.items():
        monkeypatch.setenv(name, value)
    # boto3.client() would use the credentials that it found for an earlier test.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
