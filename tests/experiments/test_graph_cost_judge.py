"""What attention costs on a graph: the verdicts in worlds whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from support.figures import assert_drawn
from support.results import evidence_of

from erlangen.experiments import planned_jobs
from erlangen.experiments.graph_cost import CLAIMS, QUOTES, Recipe
from erlangen.experiments.graph_cost.clock_parts import GROWTH, clock_parts
from erlangen.experiments.graph_cost.figures import figures
from erlangen.experiments.graph_cost.judge import answers, verdicts
from erlangen.experiments.graph_cost.laws import Law, Row, law_of, off_law
from erlangen.experiments.graph_cost.tasks import Count, Layer, Time
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import job, read_task
from erlangen.records.runs import Job, JobResult, Measurement, Verdict

RECIPE = Recipe(nodes=(64, 128, 256), tokens=(32, 64, 128), degree=4, filled=24, degrees=(8, 16, 24), features=8)
EXPONENTS: dict[Layer, float] = {"gat": 1.0, "plain": 2.0, "fused": 2.0}
COUNTED = [part for part in CLAIMS[0].parts if part.startswith(("cost", "storage"))]
CLOCKS = [*GROWTH, "time, complete graph"]
QUANTITIES = ("products forward", "products both", "entries forward", "entries both", "stored")
DRAWS = 200
CHANCE = 0.025 + 3 * math.sqrt(0.025 * 0.975 / DRAWS)  # with Monte Carlo error
Counts = Callable[[str, str, int, int], float]  # layer, quantity, nodes, degree -> count


def as_expected(layer: str, quantity: str, n: int, degree: int) -> float:
    pairs = n * degree if layer in ("gat", "dot") else n * n
    if layer == "fused" and not quantity.startswith("products"):
        return 7 + 5 * n
    return 7 + 100 * n + 3 * pairs


def world(
    counts: Counts = as_expected,
    exponents: dict[Layer, float] | None = None,
    full: float = 3.0,
    scatter: float = 0.02,
    faults: float = 0.0,
    returned: float = 1e5,
    recipe: Recipe = RECIPE,
    failed: Sequence[tuple[str, int]] = (),
    rng: np.random.Generator | None = None,
    only: str = "",
) -> Evidence:
    """As if layers counted so, and times grew with these exponents; GAT takes `full` times as long on the complete graph.

    faults: page faults of a step where pages are kept; returned: where they are not. failed: times, by layer and seed.
    only: the jobs of one task.
    """
    powers, rng = EXPONENTS | (exponents or {}), rng or np.random.default_rng(0)

    def measure(job: Job) -> list[Measurement] | None:
        if job.params["task"] == "count":
            count = read_task(Count, job)
            return [
                Measurement(name, tuple(counts(count.layer, name, *graph) for graph in count.graphs())) for name in QUANTITIES
            ]
        task = read_task(Time, job)
        if (task.layer, job.seed) in failed:
            return None
        seconds = [float(n) ** powers[task.layer] * math.exp(scatter * rng.normal()) for n in task.sizes]
        if task.complete:
            seconds.append((full if task.layer == "gat" else 1.0) * math.exp(scatter * rng.normal()))
        fault = faults if task.kept else returned
        return [Measurement("seconds", tuple(seconds)), Measurement("faults", (fault,) * len(seconds))]

    return evidence_of([job for job in planned(recipe) if only in str(job.params["task"])], measure)


@cache
def planned(recipe: Recipe) -> list[Job]:
    return planned_jobs("graph-cost", recipe)


def judged(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(evidence, recipe).items()}


def test_costs_as_expected_support_everything():
    found = judged(world())
    assert {part: verdict.verdict for part, verdict in found.items()} == dict.fromkeys(CLAIMS[0].parts, "supported")
    assert (
        {part for part, verdict in found.items() if verdict.of == "report"} == {"cost, GAT", "cost, Transformer"} == set(QUOTES)
    )
    assert {part for part, verdict in found.items() if verdict.of == "control"} == {"page faults"}
    assert {verdict.kind for part, verdict in found.items() if verdict.of == "report"} == {"exact"}
    assert "100 multiply-adds per node and 3 per edge" in found["cost, GAT"].note


def test_a_law_is_found_in_fractions_and_one_count_off_it_is_seen():
    graphs = [(2, 6), (4, 12), (4, 16), (9, 30), (9, 81)]
    rows = [Row(n, e, 5 + 10 * n + 3 * e) for n, e in graphs]
    assert law_of(rows, "edges") == Law(Fraction(5), Fraction(10), Fraction(3))
    assert off_law(rows, "edges") == 0
    assert off_law([*rows[:4], rows[4]._replace(counted=rows[4].counted + 1)], "edges") == 1
    assert off_law(rows, "all") > 0
    assert off_law([row._replace(counted=5 + 10 * row.nodes) for row in rows], "edges") == 5  # it must grow with the pairs
    assert off_law([row._replace(counted=5 + 10 * row.nodes) for row in rows], "edges", grows=False) == 0
    assert law_of([Row(n, 3 * n, n) for n in (2, 4, 8, 16)], "edges") is None  # graphs on one line determine nothing
    assert law_of(rows[:3], "edges") is None  # nothing is left to check it


def one_off(layer: str, quantity: str, n: int, degree: int) -> float:
    """One multiply-add too many on one graph of GAT."""
    return as_expected(layer, quantity, n, degree) + (layer == "gat" and quantity == "products forward" and n == 128)


def all_pairs(layer: str, quantity: str, n: int, degree: int) -> float:
    """GAT computes all pairs, entry by entry."""
    return as_expected("plain" if layer == "gat" and quantity.startswith("entries") else layer, quantity, n, degree)


def along_edges(layer: str, quantity: str, n: int, degree: int) -> float:
    """The Transformer follows the edges."""
    return as_expected("gat" if layer == "plain" else layer, quantity, n, degree)


def steeper(layer: str, quantity: str, n: int, degree: int) -> float:
    """The Transformer costs N log N more than N², the fused one stores pairs."""
    extra = int(n * math.log2(n)) if layer == "plain" else n * n if quantity == "stored" and layer == "fused" else 0
    return as_expected(layer, quantity, n, degree) + extra


@pytest.mark.parametrize(
    ("counts", "refuted"),
    [
        (one_off, {"cost, GAT"}),
        (all_pairs, {"cost, GAT"}),
        (along_edges, {"cost, Transformer", "storage, unfused attention"}),
        (steeper, {"cost, Transformer", "storage, unfused attention", "storage, fused attention"}),
    ],
)
def test_other_counts_refute_the_parts_about_them(counts: Counts, refuted: set[str]):
    found = judged(world(counts))
    assert {part for part, verdict in found.items() if verdict.verdict == "refuted"} == refuted
    for part in refuted:
        assert found[part].corrected


def test_few_multiply_adds_per_node_are_said_to_be_few():
    def cheap(layer: str, quantity: str, n: int, degree: int) -> float:
        return as_expected(layer, quantity, n, degree) - 95 * n

    found = judged(world(cheap))["cost per node, GAT"]  # 5 per node, 3 per edge, 4 neighbors
    assert (found.verdict, found.effect) == ("refuted", pytest.approx(100 * 5 / 17))
    assert judged(world())["cost per node, GAT"].effect == pytest.approx(100 * 100 / 112)


def test_counts_that_cannot_tell_edges_from_all_pairs_support_nothing():
    """On complete graphs alone both layers attend to the same pairs."""
    tasks = [
        Count(layer=layer, over="neighbors", sizes=(n,), fixed=n, features=8)
        for layer in ("gat", "plain", "fused")
        for n in (8, 16, 32, 64)
    ]

    def measure(job: Job) -> list[Measurement]:
        n = read_task(Count, job).fixed
        return [Measurement(name, (float(as_expected("plain", name, n, n)),)) for name in QUANTITIES]

    found = judged(evidence_of(map(job, tasks), measure))
    for part in ("cost, GAT", "cost, Transformer", "storage, GAT"):
        assert found[part].verdict == "inconclusive"
        assert "tells edges from all pairs" in found[part].next_step


@pytest.mark.parametrize("value", [math.nan, math.inf, 10.5])
def test_a_count_that_is_not_a_whole_number_is_not_measured(value: float):
    found = outcomes(world(lambda layer, name, n, k: value if n == 64 else as_expected(layer, name, n, k)))
    assert {found[part] for part in COUNTED} == {"not measured"}
    assert {found[part] for part in CLOCKS} == {"supported"}


@pytest.mark.parametrize("exponent", [0.5, 3.0])
def test_no_clock_decides_the_claim(exponent: float):
    evidence = world(exponents=dict.fromkeys(EXPONENTS, exponent))
    (found,) = answers(RECIPE, evidence, verdicts(RECIPE, evidence))
    assert "refuted" in outcomes(evidence).values()
    assert found.answer == "supported"


def drawn(part: str, draws: int = DRAWS, **fields: object) -> dict[str, float]:
    """The share of each outcome of a part over worlds that differ in their scatter."""
    rng, seen = np.random.default_rng(1), dict.fromkeys(("supported", "refuted", "inconclusive", "not measured"), 0.0)
    for _ in range(draws):
        evidence = world(scatter=0.03, rng=rng, only="time", **fields)  # type: ignore[arg-type]
        seen[next(v.verdict for v in decide(clock_parts(RECIPE, evidence)) if v.part == part)] += 1 / draws
    return seen


@pytest.mark.parametrize(
    ("part", "layer", "edges"), [("time, GAT", "gat", (0.8, 1.2)), ("time, unfused attention", "plain", (1.8, 2.2))]
)
def test_exponents_are_wrong_no_more_often_than_is_said(part: str, layer: Layer, edges: tuple[float, float]):
    """On the edge, just outside and just inside; far from it on either side, decided."""
    on_edge = drawn(part, exponents={layer: edges[0]})
    assert max(on_edge["supported"], on_edge["refuted"]) <= CHANCE
    outside, inside = (drawn(part, exponents={layer: edges[1] + shift}) for shift in (0.02, -0.02))
    assert outside["supported"] <= CHANCE
    assert inside["refuted"] <= CHANCE
    far, center = (drawn(part, draws=20, exponents={layer: exponent}) for exponent in (edges[1] + 0.5, sum(edges) / 2))
    assert far["refuted"] > 0.9
    assert center["supported"] > 0.7


def test_the_ratio_of_times_is_wrong_no_more_often_than_is_said():
    on_edge = drawn("time, complete graph", full=1.0)
    assert max(on_edge["supported"], on_edge["refuted"]) <= CHANCE
    assert drawn("time, complete graph", draws=20, full=2.0)["supported"] > 0.9
    assert drawn("time, complete graph", draws=20, full=0.5)["refuted"] > 0.9


def test_times_with_page_faults_decide_nothing():
    found = judged(world(faults=5000.0))
    assert {found[part].verdict for part in CLOCKS} == {"inconclusive"}
    assert "1,000 page faults" in found["time, GAT"].next_step
    assert found["page faults"].verdict == "refuted"
    blind = judged(world(returned=0.0))
    assert blind["page faults"].verdict == "refuted"
    assert {blind[part].verdict for part in COUNTED} == {"supported"}


def test_one_seed_and_no_spread_are_inconclusive():
    one = replace(RECIPE, seeds=1)
    for found in (outcomes(world(recipe=one), one), outcomes(world(scatter=0.0))):
        assert {found[part] for part in CLOCKS} == {"inconclusive"}
        assert {found[part] for part in COUNTED} == {"supported"}


def test_what_a_failed_job_leaves_out_is_not_measured():
    assert set(outcomes(Evidence(())).values()) == {"not measured"}
    found = judged(world(failed=[("gat", 2)]))
    lacking = {"time, GAT", "time, complete graph", "page faults"}
    assert {part for part, verdict in found.items() if verdict.verdict == "not measured"} == lacking
    assert "seed 2" in found["time, GAT"].next_step
    uncounted = world()
    kept = tuple(found for found in uncounted.results if found.params != uncounted.results[0].params)
    lost = [job for job in planned(RECIPE) if job.params == uncounted.results[0].params]
    found = judged(Evidence(kept, tuple(lost)))
    assert {part for part, verdict in found.items() if verdict.verdict == "not measured"} == {
        "cost, GAT", "storage, GAT", "cost per node, GAT",
    }  # fmt: skip


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_a_time_that_is_not_positive_is_not_measured(value: float):
    evidence = world()
    broken = [
        replace(found, measurements=(Measurement("seconds", (value,) * 4), Measurement("faults", (0.0,) * 4)))
        if found.params["task"] == "time"
        else found
        for found in evidence.results
    ]
    found = judged(Evidence(tuple(broken)))
    assert {found[part].verdict for part in CLOCKS} == {"not measured"}
    assert "quiet machine" in found["time, GAT"].next_step


@pytest.mark.parametrize("kept", [0, 1, 3, 8, 24])
def test_answers_and_figures_are_made_of_whatever_there_is(kept: int):
    evidence = Evidence(world().results[:kept])
    (found,) = answers(RECIPE, evidence, verdicts(RECIPE, evidence))
    shown = figures(RECIPE, evidence)
    assert_drawn(shown)
    assert [figure.name for figure in shown] == (["cost", "density"] if kept > 4 else ["cost"] if kept else [])
    assert found.answer == ("supported" if kept > 7 else "not measured")
    if kept == 24:
        assert (
            "takes 100 multiply-adds per node and 3 per edge in GAT, 100 multiply-adds per node and 3 per pair" in found.sentence
        )
        assert "with the exponent 1.0" in found.sentence
        assert "and 2.0" in found.sentence


def test_an_answer_says_where_a_law_is_broken():
    evidence = world(all_pairs)
    (found,) = answers(RECIPE, evidence, verdicts(RECIPE, evidence))
    assert found.answer == "partly"
    assert found.sentence.startswith("It is not true that what a GAT layer computes is a fixed number of operations per node and")
    assert "Transformer" not in found.sentence  # whose law holds


@pytest.mark.parametrize(("per_node", "per_pair"), [(0.5, 3), (100, 0.5)])
def test_a_law_has_whole_numbers(per_node: float, per_pair: float):
    """Every count is a whole number, but not of operations per node or per edge."""
    found = outcomes(world(lambda layer, name, n, k: per_node * n + per_pair * (n * k if layer in ("gat", "dot") else n * n)))
    assert found["cost, GAT"] == found["cost, Transformer"] == "refuted"


def test_what_is_stored_per_node_alone_does_not_fall_with_the_pairs_either():
    rows = [Row(n, 4 * n, 10**6 + 10 * n - n * n) for n in (8, 16, 32, 64)]
    assert off_law(rows, "all", grows=False) == 4


def spoiled_faults(layer: str, place: int) -> Evidence:
    """Page faults of a layer on one of its graphs, with one seed."""

    def spoil(found: JobResult) -> JobResult:
        faults = list(found.values("faults"))
        if found.params.get("layer") != layer or found.seed != 1 or not faults:
            return found
        faults[place] = 9000.0
        return replace(
            found, measurements=tuple(replace(m, value=tuple(faults)) if m.name == "faults" else m for m in found.measurements)
        )

    return Evidence(tuple(map(spoil, world().results)))


@pytest.mark.parametrize(
    ("layer", "place", "spoils"),
    [("gat", 0, set()), ("gat", 1, {"time, GAT"}), ("gat", 2, {"time, GAT"}), ("gat", -1, {"time, complete graph"}),
     ("plain", -1, {"time, complete graph"}), ("plain", 2, {"time, unfused attention"}),
     ("fused", -1, {"time, fused attention"})],
)  # fmt: skip
def test_page_faults_spoil_the_times_that_they_are_in_and_no_answer_quotes_them(layer: str, place: int, spoils: set[str]):
    evidence = spoiled_faults(layer, place)
    found = judged(evidence)
    assert {part for part in CLOCKS if found[part].verdict == "inconclusive"} == spoils
    (answer,) = answers(RECIPE, evidence, list(found.values()))
    for part in GROWTH:
        assert (f"for {part.removeprefix('time, ')}" in answer.sentence) == (part not in spoils)
