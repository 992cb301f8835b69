"""Keys that SageMaker's own SDK makes, and the longest that S3 takes, in the bucket that the SDK creates by default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulator.conftest import Emulator

DEFAULT_BUCKET = "sagemaker-us-east-1-000000000000"
MODEL = "huggingface-pytorch-inference-2026-11-24-10-00-00-123"
ENDPOINT = f"{MODEL}-2026-11-24-10-00-00-456"
SDK_KEY = f"async-endpoint-inputs/{ENDPOINT}/2026-11-24-10-00-00-789-00000000-0000-4000-8000-000000000000"


def test_the_sdks_default_bucket_takes_its_keys_and_the_longest(start: Callable[..., Emulator], tmp_path: Path) -> None:
    directory = str(tmp_path / "objects")
    first = start("--embedded", directory)
    s3 = first.client("s3")
    s3.create_bucket(Bucket=DEFAULT_BUCKET)
    keys = sorted([SDK_KEY, "k" * 1024, "ü" * 512])
    assert len(SDK_KEY) > 136
    for key in keys:
        s3.put_object(Bucket=DEFAULT_BUCKET, Key=key, Body=key.encode())
    with pytest.raises(s3.exceptions.ClientError, match=r"KeyTooLongError.*Your key is too long"):
        s3.put_object(Bucket=DEFAULT_BUCKET, Key="k" * 1025, Body=b"")
    first.process.stop()
    # The keys are kept with the objects.
    s3 = start("--embedded", directory).client("s3")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=DEFAULT_BUCKET)["Contents"]] == keys
    for key in keys:
        assert s3.get_object(Bucket=DEFAULT_BUCKET, Key=key)["Body"].read() == key.encode()
