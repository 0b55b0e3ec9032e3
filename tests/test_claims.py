"""The catalog of claims: complete, in the source's words where it quotes, and in step with the experiments."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import get_args

import pytest

from erlangen.claims import FOUNDATIONS, catalog, topic_of
from erlangen.experiments import judge, load, names, planned_jobs
from erlangen.experiments.kit import Evidence
from erlangen.records.runs import AnswerOutcome, Outcome
from erlangen.report.wording import BEYOND, OUTCOMES, quoted

SOURCE = Path(__file__).parents[2] / "shared" / "CLAIMS.md"
needs_source = pytest.mark.skipif(not SOURCE.is_file(), reason="needs ../shared/CLAIMS.md")


def in_italics() -> dict[str, list[str]]:
    """Claim -> the report's own words, which the source sets in italics."""
    rows = re.findall(r"^\*\*([A-Z]\d+) .*?\*\*(.*?)(?=^\*\*|^## |\Z)", SOURCE.read_text(encoding="utf-8"), re.M | re.S)
    return {claim: [" ".join(words.split()) for words in re.findall(r"\*([^*]+)\*", body)] for claim, body in rows}


def test_every_claim_is_one_plain_sentence():
    assert len(catalog()) == 33
    assert [sum(claim.startswith(letter) for claim in catalog()) for letter in "CTG"] == [11, 11, 11]
    for claim in catalog().values():
        assert claim.statement.endswith("."), claim.id
        assert claim.statement[0].isupper(), claim.id
        assert len(claim.statement) <= 180, claim.id
        assert claim.quotes, claim.id
        assert set(claim.open) <= set(claim.quotes), claim.id


@needs_source
def test_the_catalog_lists_the_claims_of_the_source():
    assert list(catalog()) == list(in_italics())


@needs_source
@pytest.mark.parametrize("claim", catalog())
def test_quotes_are_the_reports_own_words(claim: str):
    source = " ".join(in_italics()[claim])
    for fragment in catalog()[claim].quotes:
        assert fragment in source, fragment


@functools.cache
def quoted_by_parts(name: str) -> dict[str, set[str]]:
    """Claim -> the fragments that the parts of an experiment quote, over its presets, without any result."""
    found: dict[str, set[str]] = {}
    for recipe in load(name).PRESETS.values():
        for verdict in judge(name).verdicts(recipe, Evidence((), tuple(planned_jobs(name, recipe)))):
            found.setdefault(verdict.claim, set()).update(verdict.quote.split(" … ") if verdict.quote else ())
    return found


def judges() -> dict[str, list[str]]:
    """Claim -> the experiments that judge it."""
    found: dict[str, list[str]] = {}
    for name in names():
        for claim in load(name).CLAIMS:
            found.setdefault(claim.id, []).append(name)
    return {claim: experiments for claim, experiments in found.items() if claim in catalog()}


def test_every_claim_has_an_experiment():
    assert sorted(judges()) == sorted(catalog())


@pytest.mark.parametrize("claim", judges())
def test_parts_quote_what_the_catalog_lists_and_the_rest_is_marked(claim: str):
    """One list of the report's words: a part quotes one of them, or several joined by an ellipsis; `open` names the others."""
    fragments = set[str]().union(*(quoted_by_parts(name).get(claim, set()) for name in judges()[claim]))
    assert fragments == set(catalog()[claim].quotes) - set(catalog()[claim].open)


def test_the_documented_claims_quote_the_catalog():
    text = (Path(__file__).parents[1] / "docs" / "claims.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## ([A-Z]\d+): (.*?)(?=^## |\Z)", text, re.M | re.S))
    assert len(sections) > 15
    for claim, section in sections.items():
        assert f"The report: {quoted(catalog()[claim].quotes, catalog()[claim].open)}\n" in section, claim


@pytest.mark.parametrize("name", names())
def test_a_claim_has_one_wording(name: str):
    """Runs record it, and pages, citations and docs/claims.md repeat it: it is the sentence of `erlangen show`."""
    for claim in load(name).CLAIMS:
        if claim.id in catalog():
            assert claim.statement == catalog()[claim.id].statement


@pytest.mark.parametrize("name", names())
def test_the_report_is_called_the_report(name: str):
    experiment = load(name)
    quick = experiment.PRESETS["quick"]
    judged = judge(name).verdicts(quick, Evidence((), tuple(planned_jobs(name, quick))))
    read = [type(quick).__doc__ or "", experiment.QUESTION, getattr(experiment, "TERMS", "")]
    read += [text for claim in experiment.CLAIMS for text in (claim.how, *claim.parts.values())]
    read += [text for verdict in judged for text in (verdict.statement, verdict.note, verdict.test, verdict.edge)]
    assert [text for text in read if re.search(r"\b[Tt]he source\b(?! node)", text)] == []


@pytest.mark.parametrize("name", names())
def test_experiments_judge_claims_of_the_catalog_or_their_own(name: str):
    claims = [claim.id for claim in load(name).CLAIMS]
    assert claims
    assert all(claim in catalog() or topic_of(claim) == FOUNDATIONS for claim in claims)
    assert len({topic_of(claim) for claim in claims}) == 1, "an experiment belongs to one topic"


@pytest.mark.parametrize(
    ("claim", "topic"),
    [
        ("C5", "cnns"),
        ("T11", "transformers"),
        ("G1", "graphs"),
        ("CORA", "foundations"),
        ("X1", "foundations"),
        ("", "foundations"),
    ],
)
def test_topics(claim: str, topic: str):
    assert topic_of(claim).name == topic


def test_every_outcome_that_is_printed_is_explained():
    text = (Path(__file__).parents[1] / "docs" / "experiments.md").read_text(encoding="utf-8")
    section = text[text.index("## How an outcome is reached") :]
    for words in (*get_args(Outcome), *get_args(AnswerOutcome), *OUTCOMES.values(), BEYOND):
        assert re.search(rf"(\| |\*|, ){words}(,| \||\*)", section), words
