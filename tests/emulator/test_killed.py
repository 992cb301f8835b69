"""What is left of an emulator that was killed, and what it says when it is ended."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from local.bridge import PATIENCE_SECONDS, wait_for
from tests.emulator.conftest import Emulator
from tests.emulator.killing import kill, log
from tests.emulator.programs import card


def test_what_a_killed_run_has_left_in_memory_is_removed_at_the_next_start(start: Callable[..., Emulator]) -> None:
    memory = Path("/dev/shm")
    assert memory.is_dir()
    killed_bucket, living_bucket = (f"bucket-{uuid4()}" for _ in range(2))
    killed, living = start(), start()
    killed.client("s3").create_bucket(Bucket=killed_bucket)
    living.client("s3").create_bucket(Bucket=living_bucket)
    (left,) = memory.glob(f"*/{killed_bucket}")
    kill(killed)
    # Not looked for before: the next that starts may be an emulator of the tests beside this one.
    start()
    wait_for(lambda: not left.parent.exists(), PATIENCE_SECONDS, "its end")
    # Another one's is in use.
    (in_use,) = memory.glob(f"*/{living_bucket}")
    living.client("s3").put_object(Bucket=living_bucket, Key="key", Body=b"x")
    living.process.stop()
    assert not in_use.parent.exists()


def test_sigterm_says_what_is_lost(start: Callable[..., Emulator]) -> None:
    emulator = start("--endpoint", "demo=sleep:3600", "--endpoint", "idle=echo", "--instances", "1")
    runtime = emulator.client("sagemaker-runtime")
    for _ in range(5):
        runtime.invoke_endpoint_async(EndpointName="demo", Body=b"x")
    wait_for(lambda: card(emulator, "demo")["inProgress"] == 4, PATIENCE_SECONDS, "four in progress")
    emulator.process.stop()
    (line,) = [line for line in log(emulator).splitlines() if "lost" in line]
    assert re.search(
        r"WARN lost: these invocations get no answer.* endpoint\.name=.?demo.? queued=1 in_progress=4", line
    )


def test_sigterm_says_that_nothing_is_lost(start: Callable[..., Emulator]) -> None:
    emulator = start("--endpoint", "demo=echo")
    emulator.process.stop()
    assert "nothing is lost: no invocation was queued or in progress" in log(emulator)
