"""Termination that cleans up: SIGTERM and SIGHUP end a program like Ctrl-C, through its `with` blocks."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from local.processes import StartError

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Turns the first such signal into KeyboardInterrupt; further ones must not interrupt the cleaning up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def run_to_its_end(main: Callable[[], int]) -> NoReturn:
    """Runs a program and exits with its code; an interruption or a failed start is said in a line."""
    try:
        with interruptible():
            sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; everything has been stopped")
    except StartError as error:
        sys.exit(f"could not start: {error}")
