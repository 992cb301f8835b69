"""Inputs that would not fit into memory several times."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from local.bridge import PATIENCE_SECONDS, wait_for
from tests.emulator.conftest import Emulator

MEGABYTE = 1 << 20
INPUT = b"0123456789abcdef" * 2 * MEGABYTE
AT_ONCE = 4


def peak_megabytes(emulator: Emulator) -> float:
    """Largest resident set so far."""
    status = Path(f"/proc/{emulator.process.pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def test_large_inputs_at_once_take_little_memory(start: Callable[..., Emulator]) -> None:
    emulator = start("--endpoint", "demo=echo")
    s3, runtime = emulator.client("s3"), emulator.client("sagemaker-runtime")
    s3.put_object(Bucket="sagemaker", Key="in", Body=INPUT)
    before = peak_megabytes(emulator)
    call = {"EndpointName": "demo", "InputLocation": "s3://sagemaker/in"}
    locations = [runtime.invoke_endpoint_async(**call)["OutputLocation"] for _ in range(AT_ONCE)]
    keys = [location.removeprefix("s3://sagemaker/") for location in locations]

    def stored() -> bool:
        listed = s3.list_objects_v2(Bucket="sagemaker", Prefix="output/").get("Contents", [])
        return {entry["Key"] for entry in listed} == set(keys)

    wait_for(stored, PATIENCE_SECONDS, "outputs")
    assert s3.get_object(Bucket="sagemaker", Key=keys[0])["Body"].read() == INPUT
    # One input alone would be more.
    assert peak_megabytes(emulator) - before < len(INPUT) / MEGABYTE
