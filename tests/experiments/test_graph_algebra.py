"""Graphs as matrices: the jobs against other ways to count, the verdicts against made-up results."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import networkx
import pytest

from erlangen.experiments.graph_algebra import PRESETS, Recipe, jobs
from erlangen.experiments.graph_algebra.judge import findings, published, verdicts
from erlangen.experiments.graph_algebra.run import GRAPHS, listed_walks, run
from erlangen.records.runs import JobResult, Measurement, Verdict

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "published.json"
SMALL = Recipe(length=4, seeds=20, draws=2000)


@pytest.fixture(scope="module")
def results() -> list[JobResult]:
    return [
        JobResult(
            key=str(number), experiment=job.experiment, params=job.params, seed=job.seed, precision="float32", device="cpu",
            measurements=tuple(run(job)),
        )
        for number, job in enumerate(jobs(SMALL))
    ]  # fmt: skip


def judged(results: list[JobResult], recipe: Recipe = SMALL) -> dict[str, Verdict]:
    return {f"{verdict.claim}/{verdict.part}": verdict for verdict in verdicts(recipe, results)}


def spoiled(results: list[JobResult], name: str, value: float | tuple[float, ...]) -> list[JobResult]:
    """The results with one measurement changed."""
    return [
        replace(result, measurements=tuple(Measurement(m.name, value) if m.name == name else m for m in result.measurements))
        for result in results
    ]


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


def test_the_statements_are_judged_as_they_are(results: list[JobResult]):
    found = {part: verdict.verdict for part, verdict in judged(results).items()}
    assert found == {
        "G1/adjacency": "supported",
        "G1/walks": "supported",
        "G1/paths": "refuted",
        "G2/laplacian": "supported",
        "G2/nodes": "refuted",
        "G2/smooth": "refuted",
        "G2/white": "supported",
    }
    assert "2, 4 and 5" in str(judged(results)["G2/nodes"].corrected)


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("left_adjacency_squared", (0.0,) * 25, "G1/adjacency"),
        ("right_laplacian", (0.0,) * 36, "G2/laplacian"),
        ("entries_that_are_not_walks", 1.0, "G1/walks"),
        ("change", (2.0, 12.0, 6.0, 12.0, 12.0, 6.5), "G2/white"),
    ],
)
def test_a_wrong_number_refutes(results: list[JobResult], name: str, value: float | tuple[float, ...], part: str):
    assert judged(results)[part].verdict == "supported"
    assert judged(spoiled(results, name, value))[part].verdict == "refuted"


@pytest.mark.parametrize(("name", "value", "part"), [("cases", 0.0, "G1/walks"), ("change", (math.nan, *(1.0,) * 5), "G2/white")])
def test_what_is_no_number_or_no_case_is_not_measured(results: list[JobResult], name: str, value: object, part: str):
    assert judged(spoiled(results, name, value))[part].verdict == "not measured"


def test_what_is_refuted_here_would_be_supported_by_other_numbers(results: list[JobResult]):
    assert judged(spoiled(results, "entries_that_are_not_paths", 0.0))["G1/paths"].verdict == "supported"
    degree_decides = (2.0, 12.0, 6.0, 12.0, 12.0, 6.0)
    assert judged(spoiled(results, "smooth_change", degree_decides))["G2/smooth"].verdict == "supported"
    as_stated = (2.0, 12.0, 12.0, 6.0, 12.0, 6.0)
    assert judged(spoiled(results, "white_change", as_stated))["G2/nodes"].verdict == "supported"


def test_one_seed_is_inconclusive_and_none_not_measured(results: list[JobResult]):
    one = [result for result in results if result.params["task"] != "white" or result.seed == 0]
    assert judged(one, replace(SMALL, seeds=1))["G2/white"].verdict == "inconclusive"
    assert {verdict.verdict for verdict in judged([]).values()} == {"not measured"}
    assert len(judged([])) == 7


def test_simulation_covers_the_closed_form(results: list[JobResult]):
    """Six nodes' relative errors over 40 000 draws: the variance of (LX)v² is 2 (d² + d)²."""
    drawn = [result.values("change") for result in results if result.params["task"] == "white"]
    for degree, values in zip((1, 3, 2, 3, 3, 2), zip(*drawn, strict=True), strict=True):
        expected = degree**2 + degree
        assert sum(values) / len(values) == pytest.approx(expected, rel=5 * math.sqrt(2 / (SMALL.draws * SMALL.seeds)))


@pytest.mark.parametrize("kept", [0, 1, 3, 23])
def test_figures_are_made_of_whatever_there_is(results: list[JobResult], kept: int):
    shown = findings(SMALL, results[:kept], verdicts(SMALL, results[:kept]))
    assert all(len(row) == len(figure.columns) for figure in shown.figures for row in figure.rows)
    if kept == 23:
        assert [figure.name for figure in shown.figures] == ["graph", "white", "walks"]


def test_presets_differ_in_size_alone():
    assert PRESETS["quick"].draws < PRESETS["standard"].draws
    assert {job.params["task"] for job in jobs(PRESETS["quick"])} == {"matrices", "walks", "white", "smooth"}
