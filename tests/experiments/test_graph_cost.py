"""What attention costs: graphs and layers as they should be, the verdicts against made-up costs."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.figures import assert_drawn
from support.results import result

from erlangen.experiments.graph_cost import CLAIMS, PRESETS, Recipe, jobs
from erlangen.experiments.graph_cost.judge import findings, verdicts
from erlangen.experiments.graph_cost.run import PairAttention, regular, run
from erlangen.measure.cost import median_seconds
from erlangen.nn.graph.algebra import complete_graph, multi_edges
from erlangen.nn.graph.attention import TransformerConv
from erlangen.records.runs import JobResult, Measurement, Verdict

RECIPE = Recipe(seeds=4, tolerance=0.2)


def made_up(
    seconds: dict[str, float] | None = None, memory: dict[str, float] | None = None, full: float = 3.0, scatter: float = 0.02
) -> list[JobResult]:
    """As if costs grew with these exponents, by layer/over, and GAT took `full` times as long on the full graph."""
    exponents = {
        "gat/nodes": 1.0,
        "dot/nodes": 1.0,
        "plain/tokens": 2.0,
        "fused/tokens": 2.0,
        "gat/degrees": 1.0,
        "plain/degrees": 0.0,
    }
    times = exponents | (seconds or {})
    memories = exponents | {"fused/tokens": 1.0} | (memory or {})
    rng = np.random.default_rng(0)
    found = []
    for job in jobs(RECIPE):
        sizes = np.array([float(size) for size in str(job.params["sizes"]).split(",")])
        name = f"{job.params['layer']}/{job.params['over']}"
        unit = (full if name == "gat/degrees" else 1.0) / (sizes[-1] ** times[name])
        values = unit * sizes ** times[name] * np.exp(scatter * rng.normal(size=len(sizes)))
        held = 5 + sizes ** memories[name] / sizes[0] ** memories[name] * 100
        measurements = (
            Measurement("seconds", tuple(map(float, values))), Measurement("memory", tuple(map(float, held))),
        )  # fmt: skip
        found.append(result(job, measurements))
    return found


def judged(results: list[JobResult], recipe: Recipe = RECIPE) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, results)}


@pytest.mark.parametrize("degree", [1, 5, 16])
def test_a_regular_graph_is_one(degree: int):
    torch.manual_seed(0)
    edges = regular(16, degree)
    assert torch.bincount(edges[1], minlength=16).tolist() == [degree] * 16
    assert torch.bincount(edges[0], minlength=16).tolist() == [degree] * 16
    assert not multi_edges(edges).any()


def test_the_full_graph_is_complete():
    edges, complete = regular(7, 7), complete_graph(7)
    assert set(map(tuple, edges.T.tolist())) == set(map(tuple, complete.T.tolist()))


def test_the_three_dot_products_are_one_layer():
    """Written down, fused, and along the edges of the complete graph: the same numbers, so that only their cost differs."""
    torch.manual_seed(0)
    plain, fused = PairAttention(16, fused=False).double(), PairAttention(16, fused=True).double()
    fused.load_state_dict(plain.state_dict())
    edges = TransformerConv(16, 4, 4, root_weight=False).double()
    parts = zip(
        (edges.lin_query, edges.lin_key, edges.lin_value),
        plain.project.weight.split(16),
        plain.project.bias.split(16),
        strict=True,
    )
    for layer, weight, bias in parts:
        layer.weight.data, layer.bias.data = weight.detach(), bias.detach()
    x, graph = torch.randn(9, 16, dtype=torch.float64), complete_graph(9)
    torch.testing.assert_close(fused(x, graph), plain(x, graph), rtol=0, atol=1e-12)
    torch.testing.assert_close(edges(x, graph), plain(x, graph), rtol=0, atol=1e-12)


def test_a_job_measures_every_size():
    small = Recipe(nodes=(64, 128, 256), tokens=(16, 32, 64), degrees=(16, 20, 24), filled=32, features=8)
    for job in jobs(replace(small, seeds=1)):
        assert job.exclusive
        found = {measurement.name: measurement.value for measurement in run(job)}
        assert all(value > 0 for value in found["seconds"])  # type: ignore[union-attr]
        assert all(value >= 0 for value in found["memory"])  # type: ignore[union-attr]
        if job.params["layer"] in ("gat", "dot") and job.params["over"] == "nodes":
            assert found["edges"] == (640.0, 1280.0, 2560.0)


def test_cost_as_stated():
    found = judged(made_up())
    expected = dict.fromkeys(CLAIMS[0].parts, "supported") | {"transformer/fused-memory": "refuted", "full": "refuted"}
    assert {part: verdict.verdict for part, verdict in found.items()} == expected
    assert found["full"].effect == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize(
    ("part", "name", "exponent"),
    [
        ("gat/time", "gat/nodes", 1.6), ("gat/density", "gat/degrees", 1.6), ("edges", "dot/nodes", 1.6),
        ("transformer/time", "plain/tokens", 1.5), ("transformer/time", "plain/tokens", 2.6),
        ("transformer/fused-time", "fused/tokens", 1.0),
    ],
)  # fmt: skip
def test_another_exponent_refutes(part: str, name: str, exponent: float):
    found = judged(made_up({name: exponent}))
    assert found[part].verdict == "refuted"
    assert found[part].effect == pytest.approx(exponent, abs=0.1)


def test_memory_is_judged_by_its_last_step():
    assert judged(made_up(memory={"gat/nodes": 2.0}))["gat/memory"].verdict == "refuted"
    assert judged(made_up(memory={"plain/tokens": 1.0}))["transformer/memory"].verdict == "refuted"
    assert judged(made_up(memory={"fused/tokens": 2.0}))["transformer/fused-memory"].verdict == "supported"


def test_less_than_an_upper_bound_is_within_it():
    assert judged(made_up({"gat/nodes": 0.6}))["gat/time"].verdict == "supported"


def test_cheaper_on_the_full_graph_supports():
    assert judged(made_up(full=0.5))["full"].verdict == "supported"
    assert judged(made_up(full=1.0, scatter=0.3))["full"].verdict == "inconclusive"


def test_scatter_is_inconclusive_and_missing_not_measured():
    assert judged(made_up(scatter=1.5))["transformer/time"].verdict == "inconclusive"
    assert {verdict.verdict for verdict in judged([]).values()} == {"not measured"}
    lacking = [result for result in made_up() if not (result.params["layer"] == "gat" and result.seed == 2)]
    for part in ("gat/time", "gat/density", "full"):
        assert judged(lacking)[part].verdict == "not measured"
    one = [result for result in made_up() if result.seed == 0]
    assert {verdict.verdict for verdict in judged(one, replace(RECIPE, seeds=1)).values()} == {"inconclusive"}


@pytest.mark.parametrize("kept", [0, 1, 3, 24])
def test_figures_are_made_of_whatever_there_is(kept: int):
    results = made_up()[:kept]
    shown = findings(RECIPE, results, verdicts(RECIPE, results))
    assert_drawn(shown.figures)
    assert len(shown.figures) == (2 if kept == 24 else min(kept, 1))


@pytest.mark.parametrize(("key", "value"), [("nodes", (64, 128)), ("tokens", (64, 32, 128)), ("degrees", (16, 32, 4096))])
def test_recipes_that_cannot_be_judged_are_refused(key: str, value: object):
    with pytest.raises(ValueError, match=key):
        replace(PRESETS["quick"], **{key: value})  # type: ignore[arg-type]


def test_seconds_are_those_of_a_call():
    waits = iter([0.0, *(0.002,) * 99])
    assert 0.002 <= median_seconds(lambda: time.sleep(next(waits)), repeats=3, budget=0.02) < 0.02


def test_memory_is_the_most_that_was_held():
    """In a process of its own: 100 MiB held and given back are 100 MiB, twice in a row, whatever was held before."""
    program = (
        "import torch; from erlangen.measure.cost import peak_mib; torch.ones(200 * 2**18); "
        "hold = lambda: torch.ones(100 * 2**18); print(peak_mib(hold), peak_mib(hold), peak_mib(lambda: None))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert [float(value) for value in told] == pytest.approx([100, 100, 0], abs=5)
