"""Tests that have to fail, each in its own way."""

from __future__ import annotations

import pytest
from sagemaker_async_emulator import Endpoint


def test_the_wrong_output(sagemaker_async_endpoint: Endpoint) -> None:
    answer = sagemaker_async_endpoint.runtime.invoke_endpoint_async(EndpointName="demo", Body=b"x")
    assert sagemaker_async_endpoint.wait(answer) == b"y"


@pytest.mark.sagemaker_async(model="fail:500")
def test_a_failed_invocation(sagemaker_async_endpoint: Endpoint) -> None:
    answer = sagemaker_async_endpoint.runtime.invoke_endpoint_async(EndpointName="demo", Body=b"x")
    sagemaker_async_endpoint.wait(answer)


@pytest.mark.sagemaker_async(modle="echo")
def test_a_misspelt_marker(sagemaker_async_endpoint: Endpoint) -> None:
    assert sagemaker_async_endpoint


@pytest.mark.sagemaker_async(model="gpt")
def test_a_model_that_there_is_not(sagemaker_async_endpoint: Endpoint) -> None:
    assert sagemaker_async_endpoint


@pytest.mark.sagemaker_async(faults={"throtling": 1})
def test_a_fault_that_there_is_not(sagemaker_async_endpoint: Endpoint) -> None:
    assert sagemaker_async_endpoint
