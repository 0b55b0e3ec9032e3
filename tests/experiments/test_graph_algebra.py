"""Graphs as matrices: the jobs against other ways to count, the verdicts against made-up results."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import networkx
import numpy as np
import pytest
from support.figures import assert_drawn
from support.results import result

from erlangen.experiments import planned_jobs
from erlangen.experiments.graph_algebra import CLAIMS, NODES, PRESETS, Recipe
from erlangen.experiments.graph_algebra.figures import figures
from erlangen.experiments.graph_algebra.judge import answers, verdicts
from erlangen.experiments.graph_algebra.laplacian import published, white
from erlangen.experiments.graph_algebra.run import GRAPHS, listed_walks, run
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Measurement, Verdict

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "published.json"
SMALL = Recipe(length=4, seeds=20, draws=2000)
EXPECTED = {
    "paths": "refuted", "walk 3-2-1": "supported", "walks": "supported", "adjacency matrices": "supported",
    "nodes that change most": "refuted", "node that changes least": "supported", "slowest-varying X": "supported",
    "random X": "supported", **{f"random X, node {node}": "supported" for node in NODES}, "Laplacian matrix": "supported",
}  # fmt: skip
Value = float | tuple[float, ...]


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return Evidence(tuple(result(job, run(job)) for job in planned_jobs("graph-algebra", SMALL)))


def judged(evidence: Evidence, recipe: Recipe = SMALL) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes(evidence: Evidence, recipe: Recipe = SMALL) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(evidence, recipe).items()}


def spoiled(evidence: Evidence, **values: Value) -> Evidence:
    """The same evidence with some measurements changed."""
    changed = [
        replace(old, measurements=tuple(Measurement(m.name, values.get(m.name, m.value)) for m in old.measurements))
        for old in evidence.results
    ]
    return Evidence(tuple(changed))


def without(evidence: Evidence, task: str, seed: int) -> Evidence:
    """The same evidence as if one job had failed."""
    kept = tuple(old for old in evidence.results if (old.params["task"], old.seed) != (task, seed))
    failed = [job for job in planned_jobs("graph-algebra", SMALL) if (job.params["task"], job.seed) == (task, seed)]
    return Evidence(kept, tuple(failed))


@pytest.mark.skipif(not REFERENCE.exists(), reason="needs ../shared/reference/published.json")
def test_published_matrices_are_those_handed_down():
    handed_down = json.loads(REFERENCE.read_text())["graphs"]
    for side, names in (("left", ("adjacency", "adjacency_squared")), ("right", ("adjacency", "laplacian"))):
        for name in names:
            assert published()[f"{side}_{name}"] == list(itertools.chain(*handed_down[side][name]))
    assert published()["stated_most_changed"] == handed_down["right"]["stated_most_changed"]


@pytest.mark.parametrize("side", GRAPHS)
def test_listed_walks_without_repetition_are_networkx_paths(side: str):
    graph = GRAPHS[side]()
    peer = networkx.DiGraph(graph.edge_index.T.tolist())
    for start, length in itertools.product(range(graph.num_nodes), range(1, 5)):
        ours = sorted(walk for walk in listed_walks(graph, start, length) if len(set(walk)) == len(walk))
        others = [node for node in range(graph.num_nodes) if node != start]
        theirs = sorted(path for path in networkx.all_simple_paths(peer, start, others, length) if len(path) == length + 1)
        assert ours == theirs


@pytest.mark.parametrize("side", GRAPHS)
def test_the_one_walk_of_two_edges_from_3_to_1_passes_2(side: str):
    walks = [[node + 1 for node in walk] for walk in listed_walks(GRAPHS[side](), 2, 2)]
    assert [walk for walk in walks if walk[-1] == 1] == [[3, 2, 1]]


def test_the_statements_are_judged_as_they_are(evidence: Evidence):
    found = judged(evidence)
    assert outcomes(evidence) == EXPECTED
    assert set(EXPECTED) == {part for claim in CLAIMS for part in claim.parts}
    assert "2, 4 and 5" in str(found["nodes that change most"].corrected)
    for verdict in found.values():
        assert (verdict.corrected is not None) == (verdict.verdict == "refuted")
        assert bool(verdict.quote) == (verdict.of == "report")
        assert verdict.of == "report" or verdict.verdict == "supported"  # nothing that nobody said is refuted


@pytest.mark.parametrize(
    ("values", "refuted"),
    [
        ({"left_adjacency_squared": (3.0, *(0.0,) * 24)}, {"adjacency matrices", "walk 3-2-1"}),
        ({"right_adjacency": (0.0,) * 36}, {"adjacency matrices", "walk 3-2-1"}),
        ({"right_laplacian": (0.0,) * 36}, {"Laplacian matrix"}),
        ({"entries_that_are_not_walks": 1.0}, {"walks"}),
        ({"white_change": (12.0, 12.0, 6.0, 12.0, 12.0, 6.0)}, {"node that changes least"}),
        ({"white_change": (2.0, 12.0, 2.0, 12.0, 12.0, 6.0)}, {"node that changes least"}),
        ({"smooth_change": (2.0, 12.0, 6.0, 12.0, 12.0, 6.0)}, {"slowest-varying X"}),
    ],
)
def test_a_wrong_number_refutes(evidence: Evidence, values: dict[str, Value], refuted: set[str]):
    assert {part for part, outcome in outcomes(spoiled(evidence, **values)).items() if outcome == "refuted"} >= refuted
    assert not {part for part in refuted if EXPECTED[part] == "refuted"}


def test_what_is_refuted_here_would_be_supported_by_other_numbers(evidence: Evidence):
    assert outcomes(spoiled(evidence, entries_that_are_not_paths=0.0))["paths"] == "supported"
    degree, change = (1.0, 3.0, 3.0, 2.0, 3.0, 2.0), (2.0, 12.0, 12.0, 6.0, 12.0, 6.0)
    as_stated = spoiled(evidence, right_degree=degree, white_change=change)
    assert outcomes(as_stated)["nodes that change most"] == "supported"
    for half in (
        spoiled(evidence, white_change=change),
        spoiled(evidence, right_degree=degree),
    ):  # the nodes, or those of degree 3
        assert outcomes(half)["nodes that change most"] == "refuted"


def white_world(evidence: Evidence, offset: float, scatter: float = 0.01) -> Evidence:
    """As if node 3 changed by (1 + offset) (d² + d), all others as they should, with some scatter over seeds."""
    signs = {seed: scatter * (1 if seed % 2 else -1) for seed in range(SMALL.seeds)}

    def changed(seed: int) -> tuple[float, ...]:
        return tuple(
            (d * d + d) * (1 + signs[seed] + (offset if node == 3 else 0))
            for node, d in zip(NODES, (1, 3, 2, 3, 3, 2), strict=True)
        )

    results = [
        replace(old, measurements=(Measurement("change", changed(old.seed)),)) if old.params["task"] == "white" else old
        for old in evidence.results
    ]
    return Evidence(tuple(results))


@pytest.mark.parametrize(
    ("offset", "scatter", "expected"),
    [
        (0.0, 0.01, "supported"),
        (0.03, 0.01, "supported"),
        (0.05, 0.01, "inconclusive"),  # on the edge
        (0.08, 0.01, "refuted"),
        (-0.08, 0.01, "refuted"),
        (-1 / 3, 0.01, "refuted"),  # d², without the d
        (0.0, 0.2, "inconclusive"),
        (math.nan, 0.01, "not measured"),
    ],
)
def test_white_x_is_an_equivalence_at_every_node(evidence: Evidence, offset: float, scatter: float, expected: str):
    found = judged(white_world(evidence, offset, scatter))
    assert found["random X, node 3"].verdict == found["random X"].verdict == expected
    assert expected == "inconclusive" or found["random X, node 1"].verdict == "supported"
    assert found["random X"].region == (-0.05, 0.05)


@pytest.mark.parametrize(
    ("offset", "wrong"),
    [(0.05, ("supported", "refuted")), (-0.05, ("supported", "refuted")), (0.055, ("supported",)), (0.045, ("refuted",))],
)
def test_deviations_are_wrong_no_more_often_than_is_said(evidence: Evidence, offset: float, wrong: tuple[str, ...]):
    """On either edge of 5 %, just outside and just inside, over draws that scatter."""
    rng, draws = np.random.default_rng(0), 200
    fixed = [old for old in evidence.results if old.params["task"] != "white"]
    task = next(old for old in evidence.results if old.params["task"] == "white")
    seen = dict.fromkeys(("supported", "refuted", "inconclusive"), 0.0)
    for _ in range(draws):
        changes = np.array([2, 12, 6, 12, 12, 6]) * (1 + 0.03 * rng.normal(size=(8, 6)) + offset * (np.arange(6) == 2))
        drawn = [
            replace(task, seed=seed, measurements=(Measurement("change", tuple(map(float, row))),))
            for seed, row in enumerate(changes)
        ]
        parts = white(SMALL, Evidence((*fixed, *drawn)))
        seen[next(v.verdict for v in decide(parts) if v.part == "random X, node 3")] += 1 / draws
    assert max(seen[outcome] for outcome in wrong) <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / draws)


def test_no_spread_and_one_seed_are_inconclusive(evidence: Evidence):
    assert outcomes(white_world(evidence, 0.0, 0.0))["random X"] == "inconclusive"
    one = Evidence(tuple(old for old in evidence.results if old.seed == 0))
    assert outcomes(one, replace(SMALL, seeds=1))["random X"] == "inconclusive"


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"entries_that_are_not_paths": 0.0}, "walks"),
        ({"smooth_change": tuple((d * d + d) / 6 for d in (1, 3, 2, 3, 3, 2))}, "random X, node 1"),
    ],
)
def test_a_comparison_that_sees_nothing_supports_nothing(evidence: Evidence, values: dict[str, Value], part: str):
    found = judged(spoiled(evidence, **values))[part]
    assert found.verdict == "inconclusive"
    assert "the comparison sees" in found.next_step


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"cases": 0.0}, {"walks", "paths"}),
        ({"entries_that_are_not_walks": math.nan}, {"walks"}),
        ({"entries_that_are_not_paths": math.nan}, {"paths"}),
        ({"left_adjacency_squared": (math.nan,) * 25}, {"adjacency matrices", "walk 3-2-1"}),
        ({"right_laplacian": (math.nan,) * 36}, {"Laplacian matrix"}),
        ({"white_change": (math.nan,) * 6}, {"nodes that change most", "node that changes least", "slowest-varying X"}),
        ({"change": (math.nan,) * 6}, {"random X", "random X, node 1"}),
        ({"right_degree": (math.nan,) * 6}, {"nodes that change most", "random X"}),
    ],
)
def test_what_is_not_a_number_or_has_no_case_is_not_measured(evidence: Evidence, values: dict[str, Value], parts: set[str]):
    found = outcomes(spoiled(evidence, **values))
    assert {found[part] for part in parts} == {"not measured"}


@pytest.mark.parametrize(
    ("task", "seed", "parts"),
    [
        ("walks", 0, {"walks", "paths"}),
        ("matrices", 0, {"adjacency matrices", "walk 3-2-1", "Laplacian matrix", "nodes that change most", "random X, node 2"}),
        ("smooth", 0, {"nodes that change most", "node that changes least", "slowest-varying X"}),
        ("white", 7, {"random X", "random X, node 4"}),
    ],
)
def test_parts_whose_jobs_failed_are_not_measured(evidence: Evidence, task: str, seed: int, parts: set[str]):
    found = judged(without(evidence, task, seed))
    assert {found[part].verdict for part in parts} == {"not measured"}
    assert all(f"graph-algebra {task}" in found[part].next_step for part in parts - {"random X"})
    assert "supported" in {verdict.verdict for verdict in found.values()}


def test_without_results_nothing_is_measured():
    assert set(outcomes(Evidence(())).values()) == {"not measured"}


def test_simulation_covers_the_closed_form(evidence: Evidence):
    """Six nodes' relative errors over 40 000 draws: the variance of (LX)v² is 2 (d² + d)²."""
    drawn = [old.values("change") for old in evidence.results if old.params["task"] == "white"]
    for degree, values in zip((1, 3, 2, 3, 3, 2), zip(*drawn, strict=True), strict=True):
        expected = degree**2 + degree
        assert sum(values) / len(values) == pytest.approx(expected, rel=5 * math.sqrt(2 / (SMALL.draws * SMALL.seeds)))


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 23])
def test_answers_and_figures_are_made_of_whatever_there_is(evidence: Evidence, kept: int):
    some = Evidence(evidence.results[:kept])
    paths, nodes = answers(SMALL, some, verdicts(SMALL, some))
    assert paths.answer == ("partly" if kept >= 2 else "not measured")
    assert nodes.answer == ("partly" if kept >= 3 else "not measured")
    if kept >= 3:
        assert "from the number of paths" in paths.sentence
        assert "nodes 2, 4 and 5 change most and node 1 least; the nodes of the highest degree are 2, 4 and 5." in nodes.sentence
    shown = figures(SMALL, some)
    assert_drawn(shown)
    assert [figure.name for figure in shown] == (["walks", "graph"] if kept >= 3 else ["walks"] if kept == 2 else [])


def test_presets_differ_in_size_alone():
    assert PRESETS["quick"].draws < PRESETS["standard"].draws
    tasks = {job.params["task"] for job in planned_jobs("graph-algebra", PRESETS["quick"])}
    assert tasks == {"matrices", "walks", "white", "smooth"}


def test_walks_of_one_edge_cannot_tell_walks_from_paths():
    """A counts both. So short a recipe must not support that Aⁿ counts paths."""
    short = replace(SMALL, length=1, seeds=1)
    jobs = [job for job in planned_jobs("graph-algebra", short) if job.params["task"] in ("walks", "matrices")]
    found = judged(Evidence(tuple(result(job, run(job)) for job in jobs)), short)
    assert (found["paths"].verdict, found["walks"].verdict) == ("inconclusive", "inconclusive")
    assert "some of the walks meet a node twice" in found["paths"].next_step


def test_the_answer_finds_no_fault_where_the_report_has_none(evidence: Evidence):
    right = spoiled(evidence, white_change=(2.0, 12.0, 12.0, 6.0, 12.0, 6.0), right_degree=(1.0, 3.0, 3.0, 2.0, 3.0, 2.0))
    assert judged(right)["nodes that change most"].verdict == "supported"
    assert "but not every node that the report names" not in answers(SMALL, right, verdicts(SMALL, right))[1].sentence
    assert "but not every node that the report names" in answers(SMALL, evidence, verdicts(SMALL, evidence))[1].sentence


def test_changes_that_were_not_recorded_are_not_measured(evidence: Evidence):
    lost = replace(evidence.results[-1], measurements=())
    found = judged(Evidence((*evidence.results[:-1], lost)))
    assert found["random X"].verdict == found["random X, node 4"].verdict == "not measured"
