"""A test that is killed while the endpoint is up. It prints the emulator's process id and an object's key."""

from __future__ import annotations

import time
import uuid

import psutil
from sagemaker_async_emulator import Endpoint


def test_that_waits(sagemaker_async_endpoint: Endpoint) -> None:
    key = str(uuid.uuid4())
    sagemaker_async_endpoint.s3.put_object(Bucket=sagemaker_async_endpoint.bucket, Key=key, Body=b"x")
    (emulator,) = psutil.Process().children()
    print("\nemulator", emulator.pid, key, "waits", flush=True)
    time.sleep(600)
