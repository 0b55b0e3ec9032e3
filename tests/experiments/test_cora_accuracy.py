"""Cora's accuracies: the verdicts against made-up results, and one real net where the data set is at hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.figures import assert_drawn

from erlangen.data.files import DataError
from erlangen.experiments.cora_accuracy import Recipe, fetch, jobs
from erlangen.experiments.cora_accuracy.judge import findings, verdicts
from erlangen.experiments.cora_accuracy.run import run
from erlangen.records.runs import JobResult, Measurement

SHARED = Path(__file__).parents[3] / "shared" / "data"
FOUR = Recipe(seeds=4)


def results(gcn: tuple[float, ...], gat: tuple[float, ...]) -> list[JobResult]:
    return [
        JobResult(
            key=f"{net}{seed}", experiment="cora-accuracy", params={"net": net}, seed=seed, precision="float32", device="cpu",
            measurements=(Measurement("test_accuracy", value, "%"),),
        )
        for net, values in (("gcn", gcn), ("gat", gat))
        for seed, value in enumerate(values)
    ]  # fmt: skip


def judged(found: list[JobResult], recipe: Recipe = FOUR) -> dict[str, str]:
    return {verdict.part: verdict.verdict for verdict in verdicts(recipe, found)}


GOOD = (81.0, 81.2, 81.1, 80.9), (83.0, 83.2, 82.9, 83.1)


@pytest.mark.parametrize(
    ("gcn", "gat", "expected"),
    [
        (*GOOD, ("supported", "supported", "supported")),
        ((70.0, 70.2, 70.1, 69.9), GOOD[1], ("refuted", "supported", "supported")),
        ((79.0, 84.0, 82.0, 80.0), GOOD[1], ("inconclusive", "supported", "inconclusive")),
        (GOOD[0], (79.0, 79.3, 79.1, 78.8), ("supported", "refuted", "refuted")),
        ((81.0,), (83.0,), ("not measured",) * 3),
        (GOOD[0], GOOD[1][:3], ("supported", "not measured", "not measured")),
        ((), (), ("not measured",) * 3),
    ],
)
def test_verdicts_follow_the_accuracies(gcn: tuple[float, ...], gat: tuple[float, ...], expected: tuple[str, ...]):
    assert tuple(judged(results(gcn, gat)).values()) == expected


def test_one_seed_decides_nothing():
    assert set(judged(results((81.0,), (83.0,)), Recipe(seeds=1)).values()) == {"inconclusive"}


@pytest.mark.parametrize("seeds", [0, 1, 4])
def test_findings_are_made_of_whatever_there_is(seeds: int):
    found = results(*(side[:seeds] for side in GOOD))  # type: ignore[arg-type]
    shown = findings(FOUR, found, verdicts(FOUR, found))
    assert_drawn(shown.figures)
    assert ("81.5" in shown.found) == (seeds > 0)


def test_without_cora_nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ERLANGEN_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"planetoid/Cora/raw: no file ind\.cora\.x"):
        fetch(FOUR)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_one_gcn_scores_about_as_published(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ERLANGEN_DATA", str(SHARED))
    fetch(FOUR)
    job = next(job for job in jobs(FOUR) if job.params["net"] == "gcn")
    found = {measurement.name: measurement.value for measurement in run(job)}
    assert 78 < found["test_accuracy"] < 84  # type: ignore[operator]
    assert found["train_accuracy"] > 95  # type: ignore[operator]
