"""What a check found: a state, what it is about, why, and the commands that mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from doctor.faults import in_words


class State(StrEnum):
    """How something stands."""

    OK = "ok"
    WRONG = "wrong"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Finding:
    """One row of the table. `commands` mend what is wrong, or find out what the doctor cannot tell."""

    state: State
    subject: str
    words: str
    commands: tuple[str, ...] = ()


def ok(subject: str, words: str) -> Finding:
    """It works."""
    return Finding(State.OK, subject, one_line(words))


def wrong(subject: str, words: str, *commands: str) -> Finding:
    """It does not work, and these commands mend it: there is no `wrong` without one."""
    if not commands:
        raise ValueError(f"no command mends {subject}: {words}")
    return Finding(State.WRONG, subject, one_line(words), commands)


def cannot_tell(subject: str, words: str, *commands: str) -> Finding:
    """It may work or not. `commands`: how to find out."""
    return Finding(State.CANNOT_TELL, subject, one_line(words), commands)


def one_line(words: str) -> str:
    """What AWS or a message says, without what could start a new line in a shell or steer a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())


def findings_of(subject: str, check: Callable[..., Iterable[Finding]], *arguments: object) -> list[Finding]:
    """The findings of `check(*arguments)`. If AWS does not answer it, what was found so far and a `cannot tell`."""
    findings: list[Finding] = []
    try:
        findings.extend(check(*arguments))
    except (BotoCoreError, ClientError, OSError) as error:
        findings.append(cannot_tell(subject, in_words(error)))
    return findings
