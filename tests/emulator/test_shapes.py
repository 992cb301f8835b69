"""The emulator checks requests by the API model that boto3 has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.emulator import shapes
from tests.emulator.conftest import Emulator


def test_the_emulators_table_is_what_botocore_says() -> None:
    hint = "make it anew: .venv/local/bin/python -m tests.emulator.shapes"
    assert shapes.FILE.read_text(encoding="utf-8") == shapes.table(), hint


def test_boto3_is_told_what_the_model_allows(start: Callable[..., Emulator]) -> None:
    sagemaker = start("--endpoint", "demo=echo").client("sagemaker")
    variant = {"VariantName": "a", "ModelName": "demo", "InstanceType": "ml.bogus.large", "InitialInstanceCount": 1}
    expected = "Value 'ml.bogus.large' at 'productionVariants.1.member.instanceType' failed to satisfy constraint"
    with pytest.raises(sagemaker.exceptions.ClientError, match=expected):
        sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])


def test_boto3_tags_and_updates_with_what_is_retained(start: Callable[..., Emulator]) -> None:
    sagemaker = start("--endpoint", "demo=echo").client("sagemaker")
    arn = sagemaker.describe_endpoint(EndpointName="demo")["EndpointArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "search"}])
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    assert [tag for page in pages for tag in page["Tags"]] == [{"Key": "team", "Value": "search"}]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="demo", DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}]
    )
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="demo")
    sagemaker.update_endpoint(EndpointName="demo", EndpointConfigName="demo", RetainAllVariantProperties=True)
    variants = sagemaker.describe_endpoint(EndpointName="demo")["ProductionVariants"]
    assert [variant["DesiredInstanceCount"] for variant in variants] == [3]
