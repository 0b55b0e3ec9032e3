"""One graph convolution, three forms: the jobs against other ways to compute the same. The verdicts have their own tests."""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from support.figures import assert_drawn
from support.results import result

from erlangen.data.graphs import karate_club
from erlangen.experiments import convolution_forms, planned_jobs
from erlangen.experiments.convolution_forms import CLAIMS, PRESETS, Recipe
from erlangen.experiments.convolution_forms.dense import Differences, adjacency_and_degree, dense, sizes
from erlangen.experiments.convolution_forms.direction import kind_of, small_graphs
from erlangen.experiments.convolution_forms.drawing import Drawn, drawn_graphs, layer_of, of_layer, random_edges
from erlangen.experiments.convolution_forms.equality import TOLERANCE
from erlangen.experiments.convolution_forms.figures import figures
from erlangen.experiments.convolution_forms.judge import answers, verdicts
from erlangen.experiments.convolution_forms.medians import selection_matrix
from erlangen.experiments.convolution_forms.messages import by_hand, ways
from erlangen.experiments.convolution_forms.run import RUNNERS, run
from erlangen.experiments.convolution_forms.tasks import (
    Additivity,
    EveryGraph,
    Matrix,
    Message,
    OnGraphs,
    Pair,
    PastFloat32,
    Pyg,
    Residual,
    Transposes,
)
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import job, task_name
from erlangen.records.runs import Job, JobResult
from erlangen.statistics.intervals import mean_interval

SMALL = Recipe(seeds=20, graphs=3, nodes=7, draws=200, past_float32=False)


def measured(planned: Job) -> JobResult:
    return result(planned, run(planned))


def once(task: object, seed: int = 0) -> JobResult:
    return measured(job(task, seed=seed))


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    pytest.importorskip("torch_geometric", reason="torch_geometric is not installed")
    return Evidence(tuple(measured(planned) for planned in planned_jobs("convolution-forms", SMALL)))


def cases(count: int, seed: int = 0) -> list[Drawn]:
    return list(drawn_graphs(OnGraphs(graphs=count, nodes=7), seed))


def test_what_is_claimed_is_judged_as_it_is(evidence: Evidence):
    found = verdicts(SMALL, evidence)
    assert {verdict.part for verdict in found if verdict.verdict == "refuted"} == {"row-normalized", "non-associative"}
    assert {verdict.verdict for verdict in found} == {"supported", "refuted"}
    assert [(verdict.claim, verdict.part) for verdict in found] == [(claim.id, part) for claim in CLAIMS for part in claim.parts]
    shown = figures(SMALL, evidence)
    assert_drawn(shown)
    assert all(" " not in figure.name for figure in shown)  # a name is also that of its place on the page
    assert [figure.name for figure in shown] == ["message-form", "matrix-form", "residual", "rules", "direction", "library"]
    assert [answer.answer for answer in answers(SMALL, evidence, found)] == ["supported", "partly", "partly"]


def test_equal_jobs_give_equal_numbers_and_another_seed_other_graphs():
    planned = job(Matrix(graphs=3, nodes=7), seed=4)
    assert run(planned) == run(planned) != run(replace(planned, seed=5))


def test_drawn_graphs_have_all_kinds_of_trouble():
    drawn = [random_edges(np.random.default_rng(seed), 6) for seed in range(200)]
    pairs = [[tuple(edge) for edge in edges.T.tolist()] for _, edges in drawn]
    assert {n for n, _ in drawn} == {2, 3, 4, 5, 6}
    assert any(not edges for edges in pairs)
    assert any(u == v for edges in pairs for u, v in edges)
    assert any(len(set(edges)) < len(edges) for edges in pairs)
    assert sum(len(set(edges)) == len(edges) for edges in pairs) >= 80
    assert any(set(range(n)) - {node for edge in edges for node in edge} for (n, _), edges in zip(drawn, pairs, strict=True))


def test_walking_from_node_to_node_and_dense_matrices_agree():
    """Neither shares a line with the layer or with the other; gradients too."""
    for case in cases(30):
        for one, other in zip(by_hand(case), dense(case, False), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-13)


def test_dense_weights_are_weights_and_degrees_count_edges():
    """Two edges of weights 3 and 5 from node 1 to node 0 are an entry 8, and a degree of 2."""
    a, degree = adjacency_and_degree(torch.tensor([[1, 1, 0], [0, 0, 2]]), 3, torch.tensor([3.0, 5.0, 7.0]).double())
    assert a.tolist() == [[0, 8, 0], [0, 0, 0], [7, 0, 0]]
    assert degree.tolist() == [2, 1, 1]


@pytest.mark.parametrize("weighted", [False, True])
def test_terms_are_at_least_as_large_as_what_they_add_up_to(weighted: bool):
    for case in cases(30):
        for value, size in zip(dense(case, weighted), sizes(case, weighted), strict=True):
            assert not value.numel() or float(value.abs().max()) <= size + 1e-12


@pytest.mark.parametrize("off", ["w", "bias", "b", "x", "edge_weight"])
def test_a_slightly_wrong_layer_is_told_from_a_right_one(off: str):
    """One part of it larger by 3e-5: thirty times the tolerance of float32."""
    apart = Differences()
    for case in cases(10):
        if case.edge_index.numel():
            wrong = replace(case, **{off: getattr(case, off) * (1 + 3e-5)})
            for name, used in (("right", case), ("wrong", wrong)):
                ours = of_layer(used, layer_of(used, "matrix", torch.float32), torch.float32, True)
                apart.add(name, ours, dense(case, True), sizes(case, True))
    found = {measurement.name: measurement.value for measurement in apart.measurements()}
    assert max(found["right"]) < TOLERANCE["float32"] < max(found["wrong"])
    assert len(found["wrong, by quantity"]) == 6


@pytest.mark.parametrize("kind", [Message, Matrix, Pyg])
def test_every_comparison_sees_the_planted_difference(kind: type):
    """On some graphs: without edges W does not reach the output."""
    library = {"torch_geometric": "any"} if kind is Pyg else {}
    if library:
        pytest.importorskip("torch_geometric", reason="torch_geometric is not installed")
    found = once(kind(graphs=8, nodes=7, **library)).values("planted")
    assert len(found) == 8
    assert max(found) > TOLERANCE["float32"]


def test_rows_of_means_add_up_to_1_where_an_edge_arrives():
    rows, wrong, reached, wrong_reached = once(Matrix(graphs=30, nodes=7)).values("row sums")
    in_degrees = [len(set(torch.where(case.edge_index[1] == v)[0].tolist())) for case in cases(30) for v in range(case.n)]
    assert (rows, reached) == (len(in_degrees), sum(degree > 0 for degree in in_degrees))
    assert (wrong, wrong_reached) == (rows - reached, 0)
    assert wrong > 0


def test_a_degree_matrix_has_an_inverse_where_an_edge_reaches_every_node():
    """By its determinant, the product of the degrees."""
    unreached, inverted, others, others_inverted = once(Matrix(graphs=30, nodes=7)).values("inverses")
    products = [math.prod(torch.bincount(case.edge_index[1], minlength=case.n).tolist()) for case in cases(30)]
    assert (others, others_inverted) == (sum(product > 0 for product in products),) * 2
    assert (unreached, inverted) == (sum(product == 0 for product in products), 0)
    assert unreached > 0 < others


def test_what_is_no_number_stays_none():
    apart = Differences()
    number, none = torch.tensor([1.0]), torch.tensor([math.nan])
    apart.add("a", [number, number], [number, number], [1.0, 1.0])
    apart.add("a", [number, none], [number, number], [1.0, 1.0])
    by_graph, by_quantity = apart.measurements()
    assert by_graph.value == (0, pytest.approx(math.nan, nan_ok=True))
    assert by_quantity.value == (0, pytest.approx(math.nan, nan_ok=True))


def test_two_stars_in_fractions():
    """h' = 2 · mean + h of ones: for a sum to give it, each of d edges must carry 1/d."""
    found = once(Pair())
    for number, degree in ((1, 1), (2, 3)):
        output = 2 * Fraction(degree, degree) + 1
        assert found.values(f"outputs_{number}") == (float(output), *(1.0,) * degree)
        assert found.values(f"summed_{number}")[0] == 2 * degree + 1
        assert found.value(f"message_{number}") == pytest.approx(float((output - 1) / 2 / degree))
    assert found.value("contradictions") == found.value("cases") == 6 * 4 * 5 * math.comb(5, 2)


def test_only_a_sum_without_degrees_misses_the_mean():
    for case in cases(20):
        rows = [case.x[case.edge_index[0, case.edge_index[1] == v]].double() for v in range(case.n)]
        mean = torch.stack([row.mean(0) if len(row) else torch.zeros(3) for row in rows])
        for way, arrived in ways(case).items():
            same = bool((arrived - mean).abs().max() < 1e-12)
            assert same or (way == "nowhere" and any(len(row) > 1 for row in rows))


def test_small_graphs_are_all_there_and_hidden_where_shares_agree():
    """Counted by hand: 2 + 4⁴ + 2⁹ graphs; D⁻¹A and that of the turned graph in fractions."""
    expected = {"symmetric": 0, "directed": 0, "directed with multi-edges": 0}
    hidden = 0
    listed = list(small_graphs())
    for n, edges in listed:
        a = [[Fraction(0)] * n for _ in range(n)]
        for u, v in edges.T.tolist():
            a[v][u] += 1
        turned = [list(column) for column in zip(*a, strict=True)]
        shares, shares_turned = ([[entry / (sum(row) or 1) for entry in row] for row in matrix] for matrix in (a, turned))
        kind = "symmetric" if a == turned else "directed" if max(map(max, a)) <= 1 else "directed with multi-edges"
        assert kind == kind_of(edges, n)
        expected[kind] += 1
        hidden += shares == shares_turned and kind != "symmetric"
    assert len(listed) == len({(n, tuple(edges.flatten().tolist())) for n, edges in listed}) == 2 + 4**4 + 2**9
    found = once(EveryGraph())
    assert {kind: found.values(kind)[0] for kind in expected} == expected
    assert sum(found.values(kind)[0] - found.values(kind)[1] for kind in ("directed", "directed with multi-edges")) == hidden > 0
    assert found.values("symmetric")[1] == 0
    assert found.values("hidden") == (0, 1, 1, 1, 0, 0)


def test_transposes_matter_but_for_symmetric_weights_and_missing_edges():
    found = once(Transposes(graphs=60, nodes=5))
    for arm in ("W", "B", "W and B"):
        assert found.values(arm)[0] == found.values(arm)[1] > 0
    for arm in ("symmetric W and B", "W, no edges"):
        assert found.values(arm)[0] > found.values(arm)[1] == 0
    assert found.values("W")[0] + found.values("W, no edges")[0] == 60


PLAIN = {
    "sum": math.fsum,
    "mean": statistics.fmean,
    "median": statistics.median_low,
    "midpoint": statistics.median,
    "max": max,
    "sum of |h|": lambda values: sum(map(abs, values)),
}


def test_additivity_is_counted_as_plain_python_does():
    found = once(Additivity())
    for name, rule in PLAIN.items():
        for degree in (1, 2, 3):
            signals = list(itertools.product((-1, 0, 1), repeat=degree))
            pairs = list(itertools.product(signals, signals))
            assert found.values("pairs")[degree - 1] == len(pairs)
            broken = sum(
                abs(rule([a + b for a, b in zip(x, y, strict=True)]) - rule(list(x)) - rule(list(y))) > 1e-9 for x, y in pairs
            )
            assert found.values(f"{name}_violations")[degree - 1] == broken
        assert found.values(f"{name}_rows") == (1, 2, 3, 4, 5)
        if found.values(f"{name}_counterexample"):
            *signals, at_x, at_y, at_both = found.values(f"{name}_counterexample")
            x, y = signals[:3], signals[3:]
            assert (rule(x), rule(y), rule([a + b for a, b in zip(x, y, strict=True)])) == (at_x, at_y, at_both)
            assert at_x + at_y != at_both


def test_associativity_is_counted_as_plain_python_does():
    found = once(Additivity())
    for name, rule in PLAIN.items():
        triples = list(itertools.product((-1, 0, 1), repeat=3))
        broken = sum(abs(rule([rule([a, b]), c]) - rule([a, b, c])) > 1e-9 for a, b, c in triples)
        assert found.value(f"{name}_not_associative") == broken
    assert found.value("sum_not_associative") == found.value("max_not_associative") == 0
    assert found.value("mean_not_associative") > 0


def order_statistic_moments(rank: int, n: int) -> tuple[float, float]:
    """Mean and variance of the rank-th smallest (from 1) of n standard normal numbers."""

    def density(value: float) -> float:
        below = stats.norm.cdf(value)
        return float(rank * math.comb(n, rank) * below ** (rank - 1) * (1 - below) ** (n - rank) * stats.norm.pdf(value))

    mean = integrate.quad(lambda v: v * density(v), -9, 9)[0]
    return mean, integrate.quad(lambda v: v * v * density(v), -9, 9)[0] - mean**2


@pytest.mark.parametrize("how", ["median", "max"])
def test_residual_is_the_closed_form(how: str):
    """By Stein's lemma the best linear weight of each of d white neighbors is 1/d: what is left is Var - 1/d."""
    degrees = np.bincount(karate_club().edge_index[1])
    moments = [order_statistic_moments((d + 1) // 2 if how == "median" else d, int(d)) for d in degrees]
    means, variances = np.array(moments).T
    with_offset = 1 - (1 / degrees).sum() / variances.sum()
    alone = with_offset + np.square(means).sum() / variances.sum()
    drawn = [once(Residual(draws=1000), seed) for seed in range(10)]
    for arm, expected in (("matrix and offset", with_offset), ("matrix", alone)):
        found = mean_interval([result.value(f"karate_{how}_{arm}") for result in drawn], 0.9999)
        grown = expected * (1 + 35 / 1000)  # what least squares on 1000 draws adds, about one part for each coefficient
        assert found.low < grown < found.high
        assert found.high - found.low < 0.1 * expected


def test_the_best_matrix_of_every_aggregator_nears_that_of_the_mean():
    """Four times the draws, half the distance: nothing but sampling keeps them apart."""
    few, many = (once(Residual(draws=draws), 3) for draws in (2000, 8000))
    for graph, how in itertools.product(("karate", "directed"), ("median", "midpoint", "max")):
        assert 0.4 < many.value(f"{graph}_{how}_from_mean") / few.value(f"{graph}_{how}_from_mean") < 0.6


def test_a_fit_is_the_same_bit_for_bit_wherever_its_numbers_lie():
    """Memory that is aligned otherwise must not change the last digits: equal jobs give equal numbers."""
    held, found = [], []
    for size in (3, 1001, 17, 523, 4999, 31):
        found.append(once(Residual(draws=60), 1).measurements)
        held.append(np.empty(size))
    assert all(measurements == found[0] for measurements in found)


def test_the_best_matrix_of_the_mean_is_its_own():
    found = once(Residual(draws=100))
    for graph in ("karate", "directed"):
        assert found.value(f"{graph}_mean_matrix") < 1e-24
        assert found.value(f"{graph}_mean_from_mean") < 1e-12


def test_selection_matrices_pick_the_lower_median_of_the_neighbors():
    for case in cases(30):
        column = case.x[:, 0].double()
        s = selection_matrix(case.edge_index, column)
        for v in range(case.n):
            arrived = [float(column[u]) for u, target in case.edge_index.T.tolist() if target == v]
            assert s[v].sum() == bool(arrived)
            assert float(s[v] @ column) == (statistics.median_low(arrived) if arrived else 0)


def test_selection_depends_on_x(evidence: Evidence):
    found = [result for result in evidence.results if result.params["task"] == "selection"]
    assert sum(result.value("moved") for result in found) > 0
    assert all(result.value("moved") >= result.value("wrong_elsewhere") for result in found)


def test_torch_geometric_fails_where_it_was_found_to_and_ours_nowhere(evidence: Evidence):
    (found,) = [result for result in evidence.results if result.params["task"] == "faults"]
    assert all(found.values(m.name)[3] == 0 for m in found.measurements)
    assert found.values("median, no edges")[:2] == (20, 20)
    assert found.values("gradient of max at 0")[2] == 8
    assert found.values("median, every node reached")[1:3] == (0, 0)
    assert found.values("median, some nodes not reached")[1] > 0


@pytest.mark.slow
def test_torch_geometric_loses_its_place_past_2_to_the_24_edges():
    pytest.importorskip("torch_geometric", reason="torch_geometric is not installed")
    found = once(PastFloat32(torch_geometric="any"))
    assert found.values("median, past 2²⁴ edges") == (1, 0, 1, 0)


def test_without_torch_geometric_only_its_own_parts_are_not_measured(monkeypatch: pytest.MonkeyPatch):
    tiny = replace(SMALL, seeds=1, graphs=2, past_float32=True)
    there = {(planned.params["task"], planned.seed): planned.key("") for planned in planned_jobs("convolution-forms", tiny)}
    monkeypatch.setattr(convolution_forms, "library", lambda: None)
    made = planned_jobs("convolution-forms", tiny)
    changed = {task for (task, _), key in there.items() if key not in {planned.key("") for planned in made}}
    assert changed <= {"pyg", "faults", "past-float32"}
    asking = [planned for planned in made if "torch_geometric" in planned.params]
    assert {planned.params["task"] for planned in asking} == {"pyg", "faults", "past-float32"}
    found = {verdict.part: verdict for verdict in verdicts(tiny, Evidence(tuple(measured(planned) for planned in asking)))}
    for part in ("torch_geometric", "torch_geometric's median and max", "our median and max"):
        assert found[part].verdict == "not measured"
        assert "pip install torch_geometric" in found[part].next_step
    assert "pip" not in found["matrix form"].next_step


def test_presets_run_the_same_tasks_but_for_the_long_one():
    tasks = {
        name: {str(planned.params["task"]) for planned in planned_jobs("convolution-forms", preset)}
        for name, preset in PRESETS.items()
    }
    assert tasks["standard"] == {task_name(kind) for kind in RUNNERS}
    assert tasks["standard"] - tasks["quick"] == {"past-float32"}
    assert PRESETS["quick"].seeds >= 20
