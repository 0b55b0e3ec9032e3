"""Cora's accuracies: the verdicts against made-up results, and one real net where the data set is at hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from support.figures import assert_drawn
from support.results import evidence_of

from erlangen.data.files import DataError
from erlangen.experiments import planned_jobs
from erlangen.experiments.cora_accuracy import Recipe, fetch
from erlangen.experiments.cora_accuracy.figures import figures
from erlangen.experiments.cora_accuracy.judge import answers, verdicts
from erlangen.experiments.cora_accuracy.run import run
from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Job, Measurement

SHARED = Path(__file__).parents[3] / "shared" / "data"
EIGHT = Recipe(seeds=8)
Scores = tuple[float, ...]


def world(gcn: Scores, gat: Scores, recipe: Recipe = EIGHT) -> Evidence:
    """The nets score as listed, by seed; a seed beyond the list failed."""
    scores = {"gcn": gcn, "gat": gat}

    def measure(job: Job) -> list[Measurement] | None:
        listed = scores[str(job.params["net"])]
        return [Measurement("test_accuracy", listed[job.seed], "%")] if job.seed < len(listed) else None

    return evidence_of(planned_jobs("cora-accuracy", recipe), measure)


def judged(evidence: Evidence, recipe: Recipe = EIGHT) -> tuple[str, ...]:
    return tuple(verdict.verdict for verdict in verdicts(recipe, evidence))


OFFSETS = (-0.2, 0.1, 0.0, 0.2, -0.1, 0.15, -0.15, 0.05)


def around(center: float, sign: float = 1) -> Scores:
    return tuple(center + sign * offset for offset in OFFSETS)


GOOD = around(81.0), around(83.0, -1)


@pytest.mark.parametrize(
    ("gcn", "gat", "expected"),
    [
        (*GOOD, ("supported", "supported", "supported")),
        (around(70.0), GOOD[1], ("refuted", "supported", "supported")),
        ((77.0, 85.0, 82.0, 80.0, 84.0, 78.0, 86.0, 79.0), GOOD[1], ("inconclusive", "supported", "inconclusive")),
        (GOOD[0], around(79.0, -1), ("supported", "refuted", "refuted")),
        ((81.0,), (83.0,), ("not measured",) * 3),
        (GOOD[0], GOOD[1][:3], ("supported", "not measured", "not measured")),
        ((math.nan, *GOOD[0][1:]), GOOD[1], ("not measured", "supported", "not measured")),
        ((81.0,) * 8, (83.0,) * 8, ("inconclusive",) * 3),
        ((), (), ("not measured",) * 3),
    ],
)
def test_verdicts_follow_the_accuracies(gcn: Scores, gat: Scores, expected: tuple[str, ...]):
    assert judged(world(gcn, gat)) == expected


def test_one_seed_decides_nothing():
    one = Recipe(seeds=1)
    assert set(judged(world((81.0,), (83.0,), one), one)) == {"inconclusive"}


@pytest.mark.parametrize("seeds", [0, 1, 8])
def test_answer_and_figures_are_made_of_whatever_there_is(seeds: int):
    evidence = world(*(side[:seeds] for side in GOOD))
    (found,) = answers(EIGHT, evidence, verdicts(EIGHT, evidence))
    assert found.answer == ("supported" if seeds == 8 else "not measured")
    assert ("published 81.5 %" in found.sentence) == (seeds == 8)
    assert_drawn(figures(EIGHT, evidence))


def test_without_cora_nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ERLANGEN_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"planetoid/Cora/raw: there is no file ind\.cora\.x"):
        fetch(EIGHT)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_one_gcn_scores_about_as_published(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ERLANGEN_DATA", str(SHARED))
    fetch(EIGHT)
    job = next(job for job in planned_jobs("cora-accuracy", EIGHT) if job.params["net"] == "gcn")
    found = {measurement.name: measurement.value for measurement in run(job)}
    assert 78 < found["test_accuracy"] < 84  # type: ignore[operator]
    assert found["train_accuracy"] > 95  # type: ignore[operator]
