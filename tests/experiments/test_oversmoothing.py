"""Depth, and the node itself: what is measured against plainer programs, the verdicts against made-up results."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from support.figures import assert_drawn
from support.results import result

from erlangen.experiments.oversmoothing import ARMS, CLAIMS, PRESETS, Recipe, jobs
from erlangen.experiments.oversmoothing.judge import findings, verdicts
from erlangen.experiments.oversmoothing.run import graph_of, run, sees_itself
from erlangen.measure.smoothness import dirichlet_energy
from erlangen.nn.graph.algebra import adjacency
from erlangen.nn.graph.convolution import GraphConvolution
from erlangen.records.runs import JobResult, Measurement, Verdict

TINY = Recipe(data="blocks", seeds=2, depths=(1, 3), deep=3, epochs=2, patience=2, width=8, nodes=100)
MADE_UP = Recipe(data="blocks", seeds=8, depths=(2, 32), deep=32)


@pytest.fixture(scope="module")
def measured() -> list[JobResult]:
    return [result(job, run(job)) for job in jobs(TINY)]


@cache
def exact(recipe: Recipe) -> tuple[JobResult, ...]:
    return tuple(result(job, run(job)) for job in jobs(recipe) if job.params["task"] == "itself")


def made_up(
    deep: dict[str, float] | None = None, energy: float = 1.0, fit: float = 100.0, deep_fit: float = 100.0, scatter: float = 0.5
) -> list[JobResult]:
    """As if every arm scored 80 % when shallow, so much when deep, and kept so much of its energy."""
    deep = dict.fromkeys(ARMS, 80.0) | (deep or {})
    rng = np.random.default_rng(0)
    found = list(exact(MADE_UP))
    for job in jobs(MADE_UP):
        arm, shallow = str(job.params.get("arm")), job.params.get("depth") == 2
        if job.params["task"] == "itself":
            continue
        if job.params["task"] == "propagate":
            found.append(result(job, [Measurement("energy", (4.0, 1.0, energy)), Measurement("distance", (1.0, 0.5, 0.1))]))
        else:
            level = (1.0 if shallow else energy) * math.exp(0.05 * rng.normal())
            measurements = {
                "train_accuracy": fit if shallow else deep_fit + 0.1 * rng.normal(),
                "test_accuracy": (80.0 if shallow else deep[arm]) + scatter * rng.normal(),
                "random_energy": level, "trained_energy": level, "random_distance": level, "trained_distance": level,
                "classes_predicted": 4, "commonest_class": 25.0,
            }  # fmt: skip
            found.append(result(job, [Measurement(name, value) for name, value in measurements.items()]))
    return found


def judged(results: list[JobResult], recipe: Recipe = MADE_UP) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, results)}


def test_who_sees_itself_is_told_by_the_powers_of_the_adjacency():
    """Without B the output at v holds h_v after n layers only if a walk of n edges leads back: (Aⁿ)vv > 0."""
    edges = torch.tensor([[0, 1, 2, 3, 3, 5, 6], [1, 2, 0, 4, 3, 6, 5]])  # a triangle, a loop, a pair, node 7 and others alone
    a = adjacency(edges, 20)
    layers = [GraphConvolution(4, 4, root_weight=False).double() for _ in range(3)]
    for depth in (1, 2, 3):
        back = torch.linalg.matrix_power(a, depth).diagonal() > 0
        assert [sees_itself(layers[:depth], edges, node) for node in range(20)] == back.tolist()
    with_b = [GraphConvolution(4, 4).double()]
    assert all(sees_itself(with_b, edges, node) for node in range(20))


def test_propagation_is_the_matrix_power():
    by_arm = {str(job.params["arm"]): job for job in jobs(TINY) if job.params["task"] == "propagate" and job.seed == 0}
    graph = graph_of(by_arm["none"])
    n, x = graph.num_nodes, graph.x.double()
    a, eye = adjacency(graph.edge_index, n).double(), torch.eye(n, dtype=torch.float64)
    walk = a / a.sum(1, keepdim=True).clamp(min=1)
    looped = (a + eye) / (a + eye).sum(1, keepdim=True)
    for arm, step in (("none", walk), ("root", walk + eye), ("loops", looped)):
        energies = next(m.value for m in run(by_arm[arm]) if m.name == "energy")
        expected = [dirichlet_energy(torch.linalg.matrix_power(step, depth) @ x, graph.edge_index) for depth in (0, 1, 3)]
        assert energies == pytest.approx(expected, rel=1e-9)


def test_equal_parameters_are_nearly_equal(measured: list[JobResult]):
    count = {str(r.params["arm"]): r.value("convolution_parameters") for r in measured if r.params.get("depth") == 3}
    assert count["wide"] == pytest.approx(count["root"], rel=0.1)
    assert count["none"] == count["loops"] == count["alone"] < 0.6 * count["root"]


def test_the_exact_parts_are_as_they_are(measured: list[JobResult]):
    found = judged(measured, TINY)
    assert found["self"].verdict == "supported"
    assert found["two-layers"].verdict == "refuted"
    assert "at 0 where no walk returns" in str(found["two-layers"].corrected)


def test_every_part_is_judged_once(measured: list[JobResult]):
    assert [verdict.part for verdict in verdicts(TINY, measured)] == list(CLAIMS[0].parts)


@pytest.mark.parametrize(("energy", "outcome"), [(1.0, "supported"), (0.01, "refuted"), (0.5, "inconclusive")])
def test_energy_kept(energy: float, outcome: str):
    found = judged(made_up(energy=energy))
    assert found["random"].verdict == found["trained"].verdict == outcome
    assert found["propagate"].verdict == ("refuted" if energy == 0.01 else "supported")


@pytest.mark.parametrize(("deep", "outcome"), [(80.0, "supported"), (40.0, "refuted"), (77.0, "inconclusive")])
def test_accuracy_kept(deep: float, outcome: str):
    assert judged(made_up({"root": deep}))["accuracy"].verdict == outcome


@pytest.mark.parametrize(("part", "arm"), [("better", "none"), ("loops", "loops"), ("parameters", "wide")])
@pytest.mark.parametrize(("rival", "outcome"), [(60.0, "supported"), (90.0, "refuted"), (80.0, "refuted")])
def test_b_against_each_rival(part: str, arm: str, rival: float, outcome: str):
    assert judged(made_up({arm: rival}))[part].verdict == outcome
    assert judged(made_up({arm: 79.0}, scatter=9.0))[part].verdict == "inconclusive"


@pytest.mark.parametrize(("deep_fit", "outcome"), [(100.0, "supported"), (20.0, "refuted"), (97.0, "inconclusive")])
def test_depth_alone(deep_fit: float, outcome: str):
    assert judged(made_up(deep_fit=deep_fit))["cause"].verdict == outcome


def test_shallow_nets_that_did_not_fit_decide_nothing():
    found = judged(made_up({"root": 40.0}, fit=50.0, energy=0.01))
    assert {found[part].verdict for part in ("trained", "accuracy", "better", "loops", "parameters", "cause")} == {"inconclusive"}
    assert "with B did not fit 90 %" in found["accuracy"].next_step


def test_missing_jobs_are_not_measured():
    results = made_up()
    assert {verdict.verdict for verdict in judged([]).values()} == {"not measured"}
    lacking = [r for r in results if not (r.params.get("arm") == "root" and r.seed == 3 and r.params["task"] == "train")]
    found = judged(lacking)
    for part in ("random", "trained", "accuracy", "better", "loops", "parameters"):
        assert found[part].verdict == "not measured"
    assert found["cause"].verdict == "supported"


def test_one_seed_decides_nothing():
    one = [r for r in made_up({"root": 40.0}, energy=0.01) if r.seed == 0]
    found = judged(one, replace(MADE_UP, seeds=1))
    for part in ("random", "trained", "accuracy", "better", "loops", "parameters", "cause"):
        assert found[part].verdict == "inconclusive"


def test_the_published_number_stands_beside_cora_alone():
    on_cora = judged(made_up({"root": 40.0}), replace(MADE_UP, data="cora"))["accuracy"]
    assert on_cora.published == 31.9
    assert on_cora.measured == pytest.approx(40, abs=1)
    assert judged(made_up({"root": 40.0}))["accuracy"].published is None


@pytest.mark.parametrize("kept", [0, 2, 5, 12, 99])
def test_figures_are_made_of_whatever_there_is(measured: list[JobResult], kept: int):
    shown = findings(TINY, measured[:kept], verdicts(TINY, measured[:kept]))
    assert_drawn(shown.figures)
    if kept == 99:
        assert [figure.name for figure in shown.figures] == ["accuracy", "smoothness", "propagation"]


@pytest.mark.parametrize(("key", "value"), [("depths", (2,)), ("depths", (8, 2)), ("deep", 16)])
def test_recipes_that_cannot_be_judged_are_refused(key: str, value: object):
    with pytest.raises(ValueError, match=key):
        replace(PRESETS["quick"], **{key: value})  # type: ignore[arg-type]
