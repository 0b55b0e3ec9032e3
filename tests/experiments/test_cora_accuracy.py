"""Cora's accuracies: the verdicts in worlds whose answer is known, and one real net where the data set is at hand."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support.figures import assert_drawn
from support.results import evidence_of

from erlangen.data.files import DataError
from erlangen.experiments import planned_jobs
from erlangen.experiments.cora_accuracy import PRESETS, PUBLISHED, Recipe, fetch
from erlangen.experiments.cora_accuracy.figures import figures
from erlangen.experiments.cora_accuracy.judge import answers, verdicts
from erlangen.experiments.cora_accuracy.run import run
from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Job, Measurement, Verdict
from erlangen.sweep.plan import expected_seconds

SHARED = Path(__file__).parents[3] / "shared" / "data"
EIGHT = Recipe(seeds=8)
Scores = tuple[float, ...]
REPORTED = ("gcn", "gat", "order")
EQUAL = ("order, 64 features each", "order, 16 features each")
DRAWS = 200
CHANCE = 0.025 + 3 * math.sqrt(0.025 * 0.975 / DRAWS)  # with Monte Carlo error


@cache
def planned(recipe: Recipe) -> list[Job]:
    return planned_jobs("cora-accuracy", recipe)


def world(
    gcn: Scores, gat: Scores, recipe: Recipe = EIGHT, wider: float = 0.0, narrower: float = 0.0, fit: float = 99.0
) -> Evidence:
    """The nets score as listed at their papers' widths, by seed; a seed beyond the list failed.

    wider: what GCN gains by 64 features. narrower: what GAT loses with 16.
    """
    scores = {"gcn": gcn, "gat": gat}

    def measure(job: Job) -> list[Measurement] | None:
        net, width = str(job.params["net"]), job.params["width"]
        shift = 0.0 if width == PUBLISHED[net] else wider if net == "gcn" else -narrower  # type: ignore[index]
        listed = scores[net]
        if job.seed >= len(listed):
            return None
        return [
            Measurement("test_accuracy", listed[job.seed] + shift, "%"),
            Measurement("train_accuracy", fit, "%"),
            Measurement("parameters", 1433 * int(str(width)), "numbers"),
        ]

    return evidence_of(planned(recipe), measure)


def judged(evidence: Evidence, recipe: Recipe = EIGHT) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes(evidence: Evidence, *parts: str, recipe: Recipe = EIGHT) -> tuple[str, ...]:
    found = judged(evidence, recipe)
    return tuple(found[part].verdict for part in parts or REPORTED)


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
    assert outcomes(world(gcn, gat)) == expected


@pytest.mark.parametrize(
    ("wider", "narrower", "expected"),
    [
        (0.0, 0.0, ("supported", "supported")),
        (2.0, 0.0, ("refuted", "supported")),  # as wide as GAT, GCN scores as much
        (0.0, 2.0, ("supported", "refuted")),
        (1.5, 0.0, ("inconclusive", "supported")),  # half a point is left: on the edge
    ],
)
def test_equal_widths_are_judged_apart(wider: float, narrower: float, expected: tuple[str, ...]):
    evidence = world(*GOOD, wider=wider, narrower=narrower)
    found = judged(evidence)
    assert tuple(found[part].verdict for part in EQUAL) == expected
    assert outcomes(evidence) == ("supported",) * 3
    assert {found[part].of for part in EQUAL} == {"extension"}
    assert "GCN, 64 features: 91,712 parameters." in found[EQUAL[0]].note


def test_nets_that_were_not_trained_are_not_compared():
    found = judged(world(around(14.0), around(15.0, -1), fit=14.0))
    assert {verdict.verdict for verdict in found.values()} == {"inconclusive"}
    assert "GCN, 16 features: 14 % of the training nodes, needs 90" in found["gcn"].next_step


def test_one_seed_decides_nothing():
    one = Recipe(seeds=1)
    assert {verdict.verdict for verdict in judged(world((81.0,), (83.0,), one), one).values()} == {"inconclusive"}


def drawn(gcn: float, gat: float, part: str, draws: int = DRAWS) -> dict[str, float]:
    """The share of each outcome of a part over worlds in which the nets scatter by half a point."""
    rng, seen = np.random.default_rng(0), dict.fromkeys(("supported", "refuted", "inconclusive"), 0.0)
    for _ in range(draws):
        scores = (tuple(map(float, center + 0.5 * rng.normal(size=8))) for center in (gcn, gat))
        seen[judged(world(*scores))[part].verdict] += 1 / draws
    return seen


@pytest.mark.parametrize(
    ("part", "edge", "supported", "refuted"),
    [
        ("gcn", (82.5, 83.0), (81.0, 83.0), (85.0, 83.0)),
        ("order", (81.0, 81.0), (81.0, 84.0), (84.0, 81.0)),
        (EQUAL[0], (81.0, 81.5), (81.0, 84.0), (84.0, 81.0)),
    ],
)
def test_verdicts_are_wrong_no_more_often_than_is_said(part: str, edge: Scores, supported: Scores, refuted: Scores):
    on_edge = drawn(*edge, part)
    assert max(on_edge["supported"], on_edge["refuted"]) <= CHANCE
    assert drawn(*supported, part, 20)["supported"] > 0.9
    assert drawn(*refuted, part, 20)["refuted"] > 0.9


@pytest.mark.parametrize("seeds", [0, 1, 8])
def test_answer_and_figures_are_made_of_whatever_there_is(seeds: int):
    evidence = world(*(side[:seeds] for side in GOOD), wider=1.0)
    (found,) = answers(EIGHT, evidence, verdicts(EIGHT, evidence))
    assert found.answer == ("supported" if seeds == 8 else "not measured")
    assert ("published 81.5 %" in found.sentence) == (seeds == 8)
    assert ("is +1.0 points with 64 features each and +2.0 points with 16 features each" in found.sentence) == (seeds == 8)
    assert_drawn(figures(EIGHT, evidence))


def test_without_cora_nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ERLANGEN_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"planetoid/Cora/raw: there is no file ind\.cora\.x"):
        fetch(EIGHT)


def test_the_quick_preset_is_expected_within_a_minute():
    assert expected_seconds(planned(PRESETS["quick"]), 2) <= 60


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_one_gcn_scores_about_as_published(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ERLANGEN_DATA", str(SHARED))
    fetch(EIGHT)
    job = next(job for job in planned(EIGHT) if (job.params["net"], job.params["width"]) == ("gcn", 16))
    found = {measurement.name: measurement.value for measurement in run(job)}
    assert 78 < found["test_accuracy"] < 84  # type: ignore[operator]
    assert found["train_accuracy"] > 95  # type: ignore[operator]
    assert found["parameters"] == (1433 + 1) * 16 + (16 + 1) * 7
