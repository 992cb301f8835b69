"""Each thing that the doctor checks, broken: it is named, and the printed command mends it."""

from __future__ import annotations

import pytest
from breakages import BREAKAGES, DIRECT_BREAKAGES, Breakage
from patient import Patient


def name_of(breakage: Breakage) -> str:
    return breakage.name


def broken_and_mended(patient: Patient, breakage: Breakage) -> None:
    breakage.apply(patient)
    named = [finding for finding in patient.wrong() if finding.subject == breakage.subject]
    assert len(named) == 1, patient.wrong()
    assert breakage.words in named[0].words
    patient.paste(*named[0].commands)
    # A queue made again refuses plain HTTP, as the template has it.
    patient.local.allow_plain_http()
    assert patient.wrong() == []


@pytest.mark.parametrize("breakage", BREAKAGES, ids=name_of)
def test_what_is_broken_is_named_and_its_command_mends_it(queued: Patient, breakage: Breakage) -> None:
    broken_and_mended(queued, breakage)


@pytest.mark.parametrize("breakage", DIRECT_BREAKAGES, ids=name_of)
def test_so_it_is_with_direct_delivery(direct: Patient, breakage: Breakage) -> None:
    broken_and_mended(direct, breakage)
