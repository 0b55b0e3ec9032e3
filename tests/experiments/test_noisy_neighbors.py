"""Attention among noisy neighbors: what is measured against plainer programs, the verdicts against made-up results."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from support.figures import assert_drawn
from support.results import result

from erlangen.data.graphs import karate_club
from erlangen.experiments.noisy_neighbors import KINDS, LAYERS, PRESETS, REGIMES, Recipe, jobs
from erlangen.experiments.noisy_neighbors.evidence import log_ratio, loss
from erlangen.experiments.noisy_neighbors.judge import findings, verdicts
from erlangen.experiments.noisy_neighbors.run import graph_of, listened, noisy, run
from erlangen.experiments.noisy_neighbors.weights import listens
from erlangen.nn.graph.gcn import gcn_weights
from erlangen.records.runs import JobResult, Measurement, Verdict

TINY = Recipe(data=("blocks",), seeds=2, shares=(0.0, 0.5), in_training=(0.0, 0.5), epochs=3, patience=3, nodes=160)
MADE_UP = Recipe(data=("blocks",), seeds=8, shares=(0.0, 0.25, 0.5), in_training=(0.0, 0.5))


@pytest.fixture(scope="module")
def measured() -> list[JobResult]:
    return [result(job, run(job)) for job in jobs(TINY)]


def made_up(
    lost: dict[str, float], heard: dict[str, float] | None = None, fit: float = 100.0, scatter: float = 0.1
) -> list[JobResult]:
    """As if every arm lost so many points per 10 % of noise and listened so many times as much to noise as its share."""
    heard = dict.fromkeys(LAYERS, 1.0) | (heard or {})
    rng = np.random.default_rng(0)
    found = [result(job, run(job)) for job in jobs(replace(MADE_UP, seeds=1)) if job.params["task"] == "weights"]
    for job in jobs(MADE_UP):
        if job.params["task"] != "train":
            continue
        layer = str(job.params["layer"])
        measurements = [Measurement("train_accuracy", fit, "%"), Measurement("one_node", (0.4, 0.0, 0.3, 0.0, 0.3, 1.0))]
        for regime, shares in (("test", MADE_UP.shares), ("training", MADE_UP.in_training)):
            slope = lost[layer] + scatter * rng.normal()
            table = tuple(95 - 10 * slope * max(nodes, edges) for nodes, edges in product(shares, shares))
            measurements.append(Measurement(f"{regime}_accuracy_by_noise_at_clean", table, "%"))
            for kind in ("nodes", "edges"):
                part = tuple(share for share in shares if share)
                ratios = heard[layer] * np.exp(0.01 * rng.normal(size=len(part)))
                attention = tuple(float(r * s) for r, s in zip(ratios, part, strict=True) for _ in range(2))
                measurements += [
                    Measurement(f"{regime}_share_{kind}", part), Measurement(f"{regime}_attention_{kind}", attention),
                ]  # fmt: skip
        found.append(result(job, measurements))
    return found


ALIKE = dict.fromkeys(LAYERS, 2.0)


def judged(results: list[JobResult], recipe: Recipe = MADE_UP) -> dict[str, Verdict]:
    return {f"{verdict.claim}/{verdict.part}": verdict for verdict in verdicts(recipe, results)}


def test_what_is_listened_to_is_counted_edge_by_edge():
    rng = np.random.default_rng(0)
    edges = karate_club().edge_index
    noisy_edges = torch.from_numpy(rng.random(156) < 0.4)
    listening = torch.from_numpy(rng.random(34) < 0.7)
    weight = torch.from_numpy(rng.random((156, 3)))
    loops = torch.arange(34).expand(2, 34)
    masses, shares = [], []
    for node in range(34):
        arriving = [e for e in range(156) if edges[1, e] == node]
        bad = [e for e in arriving if noisy_edges[e]]
        if listening[node] and 0 < len(bad) < len(arriving):
            masses.append(float(weight[bad].mean(1).sum() / weight[arriving].mean(1).sum()))
            shares.append(len(bad) / len(arriving))
    everything = torch.cat([weight, torch.rand(34, 3).double()])  # loops count for nothing
    mass, share = listened(everything, torch.cat([edges, loops], dim=1), noisy_edges, listening)
    assert (mass, share) == pytest.approx((np.mean(masses), np.mean(shares)), rel=1e-12)


def test_every_arm_of_a_seed_meets_the_same_noise():
    trained = [job for job in jobs(TINY) if job.params["task"] == "train" and job.seed == 1]
    graphs = [noisy(graph_of(job), (0.5, 0.5), job.seed)[0] for job in trained]
    assert len(graphs) == len(LAYERS)
    for graph in graphs[1:]:
        assert torch.equal(graph.x, graphs[0].x)
        assert torch.equal(graph.edge_index, graphs[0].edge_index)
    other = noisy(graph_of(trained[0]), (0.5, 0.5), 0)[0]
    assert not torch.equal(other.x, graphs[0].x)


@pytest.mark.parametrize("name", ["mean", "gcn"])
def test_felt_weights_are_those_of_the_formula(name: str):
    edges = karate_club().edge_index
    x = torch.randn(34, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = listens(name, x, edges, seed=0)[1][:, 0]
    degree = torch.bincount(edges[1], minlength=34).double()
    if name == "mean":
        expected = 1 / degree[edges[1]]
    else:
        looped = torch.cat([edges, torch.arange(34).expand(2, 34)], dim=1)
        expected = gcn_weights(looped, 34, torch.ones(190, dtype=torch.float64))[:156]
        assert torch.allclose(expected, 1 / ((degree[edges[0]] + 1) * (degree[edges[1]] + 1)).sqrt(), atol=1e-12)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_weights_as_they_are(measured: list[JobResult]):
    found = judged(measured, TINY)
    assert {part: verdict.verdict for part, verdict in found.items() if part.startswith("G7")} == {
        "G7/equal/mean": "supported",
        "G7/equal/gcn": "refuted",
        "G7/features": "supported",
        "G7/query/gat": "supported",
        "G7/query/gatv2": "supported",
    }


def test_a_job_measures_every_noise(measured: list[JobResult]):
    for one in measured:
        if one.params["task"] != "train":
            continue
        for regime in REGIMES:
            assert len(one.values(f"{regime}_accuracy_by_noise")) == 4
            for kind in KINDS:
                assert math.isfinite(loss(one, TINY, regime, kind))
            for kind in ("nodes", "edges"):
                assert math.isfinite(log_ratio(one, regime, kind))
        if one.params["layer"] == "uniform":  # equal attention is the share, exactly
            for regime, kind in product(REGIMES, ("nodes", "edges")):
                assert log_ratio(one, regime, kind) == pytest.approx(0, abs=1e-6)


def test_loss_is_the_slope_of_each_line():
    grid = tuple(90 - 20 * nodes - 40 * edges for nodes, edges in product(MADE_UP.shares, MADE_UP.shares))
    one = result(jobs(MADE_UP)[-1], [Measurement("test_accuracy_by_noise_at_clean", grid)])
    assert [loss(one, MADE_UP, "test", kind) for kind in KINDS] == pytest.approx([2, 4, 6])
    assert math.isnan(loss(one, MADE_UP, "training", "nodes"))


@pytest.mark.parametrize(("gat", "outcome"), [(1.0, "supported"), (3.0, "refuted"), (2.0, "refuted"), (1.75, "inconclusive")])
def test_robustness_follows_the_slopes(gat: float, outcome: str):
    """Better, worse, the same, and too near to the margin to say with so much scatter."""
    scatter = 0.1 if gat != 1.75 else 0.6
    found = judged(made_up(ALIKE | {"gat": gat}, scatter=scatter))
    assert {found[f"G8/blocks/{kind}/{regime}"].verdict for kind, regime in product(KINDS, REGIMES)} == {outcome}
    if gat == 3.0:
        assert "GAT loses more than GCN" in str(found["G8/blocks/nodes/test"].corrected)


def test_the_cause_is_the_attention_only_if_the_frozen_twin_does_worse():
    assert judged(made_up(ALIKE | {"gat": 1.0}))["G8/blocks/cause"].verdict == "supported"
    assert judged(made_up(ALIKE | {"gat": 1.0, "uniform": 1.0}))["G8/blocks/cause"].verdict == "refuted"
    assert judged(made_up(ALIKE | {"gat": 1.0, "uniform": 0.5}))["G8/blocks/cause"].verdict == "refuted"
    assert judged(made_up(ALIKE | {"gatv2": 1.0}))["G8/blocks/gatv2"].verdict == "supported"


@pytest.mark.parametrize(("heard", "outcome"), [(0.5, "supported"), (1.5, "refuted"), (1.0, "refuted")])
def test_suppression_follows_the_attention(heard: float, outcome: str):
    verdict = judged(made_up(ALIKE, {"gat": heard}))["G8/blocks/attention/nodes"]
    assert verdict.verdict == outcome
    assert verdict.effect == pytest.approx(heard, rel=0.05)
    assert (verdict.corrected is None) == (outcome == "supported")


def test_arms_that_did_not_fit_decide_nothing():
    found = judged(made_up(ALIKE | {"gat": 1.0}, fit=60.0))
    for part in ("nodes/test", "cause", "gatv2"):
        assert found[f"G8/blocks/{part}"].verdict == "inconclusive"
        assert "did not reach 90 %" in found[f"G8/blocks/{part}"].next_step


def test_missing_arms_and_seeds_are_not_measured():
    results = made_up(ALIKE)
    without = [r for r in results if r.params.get("layer") != "uniform"]
    seedless = [r for r in results if r.params["task"] != "train" or r.seed < 7]
    for some in (without, seedless, []):
        assert {v.verdict for part, v in judged(some).items() if part.startswith("G8")} == {"not measured"}
    assert {verdict.verdict for verdict in judged([]).values()} == {"not measured"}


def test_one_seed_decides_nothing():
    one = [r for r in made_up(ALIKE | {"gat": 1.0}, {"gat": 0.5}) if r.seed == 0]
    found = judged(one, replace(MADE_UP, seeds=1))
    assert {v.verdict for part, v in found.items() if part.startswith("G8")} == {"inconclusive"}


@pytest.mark.parametrize("kept", [0, 1, 2, 6, 99])
def test_figures_are_made_of_whatever_there_is(measured: list[JobResult], kept: int):
    shown = findings(TINY, measured[:kept], verdicts(TINY, measured[:kept]))
    assert_drawn(shown.figures)
    if kept == 99:
        names = [figure.name for figure in shown.figures]
        drawn = {"map-blocks-test", "map-blocks-training", "lines-blocks", "attention-blocks", "node-blocks", "weights"}
        assert drawn <= set(names)


@pytest.mark.parametrize(("key", "value"), [("shares", (0.1, 0.5)), ("in_training", (0.0,)), ("data", ())])
def test_recipes_that_cannot_be_judged_are_refused(key: str, value: object):
    with pytest.raises(ValueError, match=key):
        replace(PRESETS["standard"], **{key: value})  # type: ignore[arg-type]
