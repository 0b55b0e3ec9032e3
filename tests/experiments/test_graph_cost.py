"""What attention costs: graphs and layers as they should be, the verdicts against made-up costs."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.figures import assert_drawn
from support.results import evidence_of, result

from erlangen.experiments import planned_jobs
from erlangen.experiments.graph_cost import CLAIMS, PRESETS, QUOTES, Recipe
from erlangen.experiments.graph_cost.figures import figures
from erlangen.experiments.graph_cost.judge import GROWTH, answers, exponent, verdicts
from erlangen.experiments.graph_cost.run import PairAttention, regular, run
from erlangen.experiments.graph_cost.tasks import Sweep
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import job, read_task
from erlangen.measure.cost import median_seconds
from erlangen.nn.graph.algebra import complete_graph, multi_edges
from erlangen.nn.graph.attention import TransformerConv
from erlangen.records.runs import Job, Measurement, Verdict
from erlangen.sweep.plan import expected_seconds

RECIPE = Recipe(seeds=8)
EXPONENTS = {"gat": 1.0, "dot": 1.0, "plain": 2.0, "fused": 2.0, "gat, more edges": 1.0, "plain, more edges": 0.0}
COUNTED = {"pairs, GAT", "pairs, Transformer"}


def name_of(task: Sweep) -> str:
    return task.layer if task.over == "nodes" else f"{task.layer}, more edges"


def world(
    seconds: dict[str, float] | None = None,
    memory: dict[str, float] | None = None,
    full: float = 3.0,
    scatter: float = 0.02,
    pairs: dict[str, float] | None = None,
    recipe: Recipe = RECIPE,
    failed: Sequence[tuple[str, int]] = (),
) -> Evidence:
    """As if costs grew with these exponents, by layer, and GAT took `full` times as long on the complete graph.

    pairs: what to multiply the pairs attended by. failed: sweeps, by name and seed, that gave no result.
    """
    times = EXPONENTS | (seconds or {})
    memories = EXPONENTS | {"fused": 1.0} | (memory or {})
    rng = np.random.default_rng(0)

    def measure(job: Job) -> list[Measurement] | None:
        task = read_task(Sweep, job)
        name, sizes = name_of(task), np.array(task.sizes, dtype=float)
        if (name, job.seed) in failed:
            return None
        unit = (full if name == "gat, more edges" else 1.0) / sizes[-1] ** times[name]
        values = unit * sizes ** times[name] * np.exp(scatter * rng.normal(size=len(sizes)))
        held = 5 + (sizes / sizes[0]) ** memories[name] * 100 * np.exp(scatter / 10 * rng.normal(size=len(sizes)))
        attended = [n * k if task.layer in ("gat", "dot") else n * n for n, k in task.graphs()]
        factor = (pairs or {}).get(name, 1.0)
        return [
            Measurement("seconds", tuple(map(float, values))),
            Measurement("memory", tuple(map(float, held))),
            Measurement("edges", tuple(factor * count for count in attended)),
        ]

    return evidence_of(planned_jobs("graph-cost", recipe), measure)


def judged(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(evidence, recipe).items()}


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
    small = Recipe(seeds=1, nodes=(64, 128, 256), tokens=(16, 32, 64), degrees=(16, 20, 24), filled=32, features=8)
    for planned in planned_jobs("graph-cost", small):
        assert planned.exclusive
        task = read_task(Sweep, planned)
        found = {measurement.name: measurement.value for measurement in run(planned)}
        assert all(value > 0 for value in found["seconds"])  # type: ignore[union-attr]
        assert all(value >= 0 for value in found["memory"])  # type: ignore[union-attr]
        follows_edges = task.layer in ("gat", "dot")
        assert found["edges"] == tuple(n * k if follows_edges else n * n for n, k in task.graphs())


def test_cost_as_expected_supports_everything():
    found = judged(world())
    assert outcomes(world()) == dict.fromkeys(CLAIMS[0].parts, "supported")
    assert found["time, complete graph"].effect == pytest.approx(3, rel=0.1)
    assert {part for part, verdict in found.items() if verdict.of == "report"} == COUNTED == set(QUOTES)
    assert {verdict.of for part, verdict in found.items() if part not in COUNTED} == {"extension"}


@pytest.mark.parametrize(
    ("name", "factor", "refuted"),
    [("gat", 2.0, {"pairs, GAT"}), ("plain, more edges", 0.5, {"pairs, Transformer"}), ("fused", 1.5, {"pairs, Transformer"})],
)
def test_another_number_of_pairs_refutes_the_report(name: str, factor: float, refuted: set[str]):
    found = outcomes(world(pairs={name: factor}))
    assert {part for part, outcome in found.items() if outcome == "refuted"} == refuted


@pytest.mark.parametrize("exponent", [0.5, 3.0])
def test_no_clock_decides_the_claim(exponent: float):
    evidence = world(dict.fromkeys(EXPONENTS, exponent))
    (found,) = answers(RECIPE, evidence, verdicts(RECIPE, evidence))
    assert "refuted" in outcomes(evidence).values()
    assert found.answer == "supported"


def test_counts_on_complete_graphs_alone_support_nothing():
    """There both layers attend to the same pairs."""
    complete = [job(Sweep(layer=layer, over="neighbors", sizes=(16,), fixed=16, features=8)) for layer in ("gat", "plain")]
    found = judged(evidence_of(complete, lambda job: [Measurement("edges", (256.0,))]))
    for part in COUNTED:
        assert found[part].verdict == "inconclusive"
        assert "tells edges from all pairs" in found[part].next_step


@pytest.mark.parametrize(
    ("part", "name", "exponent", "expected"),
    [
        ("time, GAT", "gat", 1.6, "refuted"),
        ("time, GAT", "gat", 1.2, "inconclusive"),  # on the edge
        ("time, GAT", "gat", 0.6, "supported"),  # less than an upper bound is within it
        ("time, GAT, more edges", "gat, more edges", 1.6, "refuted"),
        ("time, dot product along edges", "dot", 1.6, "refuted"),
        ("time, unfused attention", "plain", 1.5, "refuted"),
        ("time, unfused attention", "plain", 2.6, "refuted"),
        ("time, unfused attention", "plain", 2.2, "inconclusive"),
        ("time, unfused attention", "plain", 1.8, "inconclusive"),
        ("time, fused attention", "fused", 1.0, "refuted"),
    ],
)
def test_the_time_is_judged_by_its_exponent(part: str, name: str, exponent: float, expected: str):
    found = judged(world({name: exponent}))[part]
    assert found.verdict == expected
    assert found.effect == pytest.approx(exponent, abs=0.02)
    assert (found.corrected is not None) == (expected == "refuted")


def test_memory_is_judged_by_its_last_step():
    task = Sweep(layer="gat", over="nodes", sizes=(16, 32, 64, 128), fixed=4, features=8)
    late = result(job(task), [Measurement(name, (100.0, 100.0, 100.0, 200.0)) for name in ("memory", "seconds")])
    assert exponent("memory")(late) == pytest.approx(1.0)
    assert exponent("seconds")(late) == pytest.approx(0.3)
    assert outcomes(world(memory={"gat": 2.0}))["memory, GAT"] == "refuted"
    assert outcomes(world(memory={"plain": 1.0}))["memory, unfused attention"] == "refuted"
    assert outcomes(world(memory={"fused": 2.0}))["memory, fused attention"] == "refuted"


@pytest.mark.parametrize(
    ("full", "scatter", "expected"), [(3.0, 0.02, "supported"), (0.5, 0.02, "refuted"), (1.0, 0.3, "inconclusive")]
)
def test_the_complete_graph_is_judged_by_the_ratio_of_times(full: float, scatter: float, expected: str):
    assert outcomes(world(full=full, scatter=scatter))["time, complete graph"] == expected


def test_a_graph_that_is_not_complete_says_nothing_of_the_complete_one():
    sparse = replace(RECIPE, filled=2048)
    found = judged(world(recipe=sparse), sparse)["time, complete graph"]
    assert found.verdict == "inconclusive"
    assert "the fullest graph is complete" in found.next_step


def test_scatter_one_seed_and_no_spread_are_inconclusive():
    clocks = {*GROWTH, "time, complete graph"}
    one = replace(RECIPE, seeds=1)
    assert outcomes(world(scatter=1.5))["time, unfused attention"] == "inconclusive"
    for found in (outcomes(world(recipe=one), one), outcomes(world(scatter=0.0))):
        assert {found[part] for part in clocks} == {"inconclusive"}
        assert {found[part] for part in COUNTED} == {"supported"}


def test_what_a_failed_job_leaves_out_is_not_measured():
    assert set(outcomes(Evidence(())).values()) == {"not measured"}
    found = judged(world(failed=[("gat", 2), ("plain, more edges", 3)]))
    lacking = {"pairs, GAT", "pairs, Transformer", "time, GAT", "memory, GAT", "time, complete graph"}
    assert {part for part, verdict in found.items() if verdict.verdict == "not measured"} == lacking
    assert "seed 2" in found["time, GAT"].next_step


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_a_cost_that_is_not_positive_is_not_measured(value: float):
    def broken(job: Job) -> list[Measurement]:
        task = read_task(Sweep, job)
        costs = tuple(float(size) for size in task.sizes[1:])
        pairs = tuple(float(n * k if task.layer in ("gat", "dot") else n * n) for n, k in task.graphs())
        return [Measurement("seconds", (value, *costs)), Measurement("memory", (*costs, value)), Measurement("edges", pairs)]

    found = judged(evidence_of(planned_jobs("graph-cost", RECIPE), broken))
    assert {found[part].verdict for part in GROWTH} == {"not measured"}
    assert "quiet machine" in found["time, GAT"].next_step
    assert {found[part].verdict for part in COUNTED} == {"supported"}


def test_pairs_that_are_not_a_number_are_not_measured():
    found = outcomes(world(pairs={"gat": math.nan}))
    assert found["pairs, GAT"] == "not measured"
    assert found["pairs, Transformer"] == "supported"


@pytest.mark.parametrize("kept", [0, 1, 3, 48])
def test_answers_and_figures_are_made_of_whatever_there_is(kept: int):
    evidence = Evidence(world().results[:kept])
    (found,) = answers(RECIPE, evidence, verdicts(RECIPE, evidence))
    shown = figures(RECIPE, evidence)
    assert_drawn(shown)
    assert [figure.name for figure in shown] == (["density", "size"] if kept == 48 else ["size"] if kept else [])
    assert found.answer == {0: "not measured", 1: "not measured", 3: "supported", 48: "supported"}[kept]
    if kept == 48:
        assert "GAT attends to 16,384 pairs at 16 neighbors each and to 1,048,576 at 1024" in found.sentence
        assert "GAT 1.0" in found.sentence


@pytest.mark.parametrize(("key", "value"), [("nodes", (64, 128)), ("tokens", (64, 32, 128)), ("degrees", (16, 32, 4096))])
def test_recipes_that_cannot_be_judged_are_refused(key: str, value: object):
    with pytest.raises(ValueError, match=key):
        replace(PRESETS["quick"], **{key: value})  # type: ignore[arg-type]


def test_the_quick_preset_is_expected_within_a_minute_and_keeps_the_largest_sizes():
    quick = PRESETS["quick"]
    assert expected_seconds(planned_jobs("graph-cost", quick), 2) <= 60
    assert (quick.nodes[-1], quick.tokens[-1], quick.degrees[-1]) == (16384, 2048, quick.filled)


def test_a_job_times_as_long_as_its_recipe_says(monkeypatch: pytest.MonkeyPatch):
    budgets: list[float] = []
    monkeypatch.setattr(
        "erlangen.experiments.graph_cost.run.median_seconds", lambda step, repeats, budget: budgets.append(budget) or 1.0
    )
    small = Recipe(seeds=1, nodes=(16, 17, 18), tokens=(16, 17, 18), degrees=(16, 17, 18), filled=18, features=8, budget=0.7)
    run(planned_jobs("graph-cost", small)[0])
    assert budgets == [0.7] * 3


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
