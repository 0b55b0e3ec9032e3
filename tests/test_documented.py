"""What docs/claims.md says is what its overview and `erlangen show` say."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from erlangen.claims import catalog
from erlangen.report.documented import documented_answers

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "claims.md").read_text(encoding="utf-8")
REMEDY = "run `python docs/answers.py`"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DOCS))
    import answers as module

    monkeypatch.delitem(sys.modules, "answers")
    return module


def test_the_table_that_is_shipped_has_the_answers_of_the_document(answers: ModuleType):
    assert answers.DOCUMENTED.read_text(encoding="utf-8") == answers.documented(TEXT), REMEDY


def test_the_overview_has_the_answers_of_the_sections(answers: ModuleType):
    assert answers.with_overview(TEXT) == TEXT, REMEDY


def test_every_claim_has_its_answer_and_sentence_as_its_section_has_them():
    assert {entry.claim for entry in documented_answers()} == {*catalog(), "CORA"}
    for entry in documented_answers():
        assert f"**{entry.answer.capitalize()}.** {entry.sentence}\n" in TEXT, entry.claim
        assert f": {entry.answer} (erlangen 0.1.0, experiment {entry.experiment}, {entry.settings})." in TEXT, entry.claim
    assert len(documented_answers()) == len(re.findall(r"^Cite as: ", TEXT, re.M))


@pytest.mark.parametrize(
    ("heading", "fragment"),
    [
        ("G10: A GAT layer costs O(E), a Transformer layer O(N²).", "g10-a-gat-layer-costs-oe-a-transformer-layer-on"),
        ("C4: maps for no padding, by (n + 2p - k) / s + 1.", "c4-maps-for-no-padding-by-n--2p---k--s--1"),
    ],
)
def test_links_are_those_of_github(answers: ModuleType, heading: str, fragment: str):
    taken: set[str] = set()
    assert answers.anchor(heading, taken) == fragment
    assert answers.anchor(heading, taken) == f"{fragment}-1"
