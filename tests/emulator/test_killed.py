"""What is left of an emulator that was killed, and what it says when it is ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from tests.emulator.conftest import Emulator


def kill(emulator: Emulator) -> None:
    """Ends it without asking."""
    os.kill(emulator.process.pid, signal.SIGKILL)
    emulator.process.stop()


def test_what_a_killed_run_has_left_in_memory_is_removed_at_the_next_start(start: Callable[..., Emulator]) -> None:
    memory = Path("/dev/shm")
    assert memory.is_dir()
    killed_bucket, living_bucket = (f"bucket-{uuid4()}" for _ in range(2))
    killed, living = start(), start()
    killed.client("s3").create_bucket(Bucket=killed_bucket)
    living.client("s3").create_bucket(Bucket=living_bucket)
    (left,) = memory.glob(f"*/{killed_bucket}")
    kill(killed)
    assert left.is_dir()
    start()
    assert not left.parent.exists()
    # Another one's is in use.
    (in_use,) = memory.glob(f"*/{living_bucket}")
    living.client("s3").put_object(Bucket=living_bucket, Key="key", Body=b"x")
    living.process.stop()
    assert not in_use.parent.exists()
