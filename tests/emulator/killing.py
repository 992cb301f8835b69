"""Emulators that end."""

from __future__ import annotations

import os
import re
import signal

from tests.emulator.conftest import Emulator


def kill(emulator: Emulator) -> None:
    """Ends it without asking."""
    os.kill(emulator.process.pid, signal.SIGKILL)
    emulator.process.stop()


def log(emulator: Emulator) -> str:
    """What it has logged, without colours."""
    return re.sub(r"\x1b\[\d*m", "", emulator.process.log.read_text(encoding="utf-8"))
