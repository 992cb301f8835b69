"""Each thing that the doctor checks, broken: it is named, and the printed command mends it."""

from __future__ import annotations

import pytest
from breakages import BREAKAGES, Breakage
from patient import Patient


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name)
def test_what_is_broken_is_named_and_its_command_mends_it(queued: Patient, breakage: Breakage) -> None:
    breakage.apply(queued)
    named = [finding for finding in queued.wrong() if finding.subject == breakage.subject]
    assert len(named) == 1, queued.wrong()
    assert breakage.words in named[0].words
    queued.paste(*named[0].commands)
    assert queued.wrong() == []
