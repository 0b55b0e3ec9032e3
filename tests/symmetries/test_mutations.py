"""Small faults in the symmetries themselves: the laws, and models of which it is known what they keep, must notice each."""

from __future__ import annotations

import pytest
from support import coordinate_faults, faults, witnesses

MUTATIONS = {**faults.MUTATIONS, **coordinate_faults.MUTATIONS}
WITNESSES = {**witnesses.WITNESSES, **coordinate_faults.WITNESSES}


@pytest.mark.parametrize("name", WITNESSES)
def test_nothing_is_wrong_with_the_symmetries_as_they_are(name: str) -> None:
    hear(name)


@pytest.mark.parametrize("fault", MUTATIONS)
def test_a_fault_is_noticed(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, place, fake = MUTATIONS[fault]
    monkeypatch.setattr(f"erlangen.symmetries.{place}", fake)
    with pytest.raises((AssertionError, RuntimeError, IndexError, ValueError, TypeError)):
        hear(name)


def test_there_are_enough() -> None:
    assert len(MUTATIONS) >= 100
    assert {name for name, _, _ in MUTATIONS.values()} == set(WITNESSES)


def hear(name: str) -> None:
    for witness in WITNESSES[name]:
        witness.hear()
