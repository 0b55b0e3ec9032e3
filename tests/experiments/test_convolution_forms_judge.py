"""One graph convolution, three forms: verdicts of made-up results. Every one of them is seen to turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from support.figures import assert_drawn
from support.results import result

from erlangen.experiments import convolution_forms, planned_jobs
from erlangen.experiments.convolution_forms import CLAIMS, QUOTES, Recipe
from erlangen.experiments.convolution_forms.figures import figures
from erlangen.experiments.convolution_forms.judge import answers, verdicts
from erlangen.experiments.convolution_forms.median_parts import median_parts
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import JobResult, Measurement, Verdict
from erlangen.statistics.intervals import mean_interval

SEEDS = 20
RECIPE = Recipe(seeds=SEEDS, graphs=2, past_float32=True)
GRAPHS = (1e-16, 0.0)
KINDS = (1.0, 1.0, 1.0, 1.0, 0.0)
RULES = ("sum", "mean", "median", "midpoint", "max", "sum of |h|")
Numbers = dict[str, float | tuple[float, ...]]

ONCE: dict[str, Numbers] = {
    "pair": {
        "weights": (2.0, 1.0, 1.0), "cases": 10.0, "contradictions": 10.0,
        "outputs_1": (3.0, 1.0), "summed_1": (3.0, 1.0), "message_1": 1.0,
        "outputs_2": (3.0, 1.0, 1.0, 1.0), "summed_2": (7.0, 1.0, 1.0, 1.0), "message_2": 1 / 3,
    },
    "every-graph": {
        "symmetric": (10.0, 0.0), "directed": (10.0, 10.0), "directed with multi-edges": (10.0, 9.0),
        "hidden": (0.0, 1.0, 1.0, 1.0, 0.0, 0.0),
    },
    "additivity": {
        "pairs": (9.0, 81.0, 729.0),
        **{f"{name}_rows": (1.0, 2.0, 3.0) for name in RULES},
        **{f"{name}_not_associative": count for name, count in zip(RULES, (0.0, 22.0, 15.0, 22.0, 0.0, 0.0), strict=True)},
        "sum_violations": (0.0, 0.0, 0.0), "mean_violations": (0.0, 0.0, 0.0), "median_violations": (0.0, 18.0, 216.0),
        "midpoint_violations": (0.0, 0.0, 216.0), "max_violations": (0.0, 18.0, 240.0),
        "sum of |h|_violations": (2.0, 32.0, 386.0),
        "median_counterexample": (0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    },
    "faults": {
        "median, no edges": (20.0, 20.0, 0.0, 0.0), "median, module in bfloat16": (4.0, 1.0, 3.0, 0.0),
        "gradient of max at 0": (8.0, 0.0, 8.0, 0.0),
    },
    "past-float32": {"median, past 2²⁴ edges": (1.0, 0.0, 1.0, 0.0)},
}  # fmt: skip

DRAWN: dict[str, Numbers] = {
    "message": {
        "float32 index form, by hand": GRAPHS, "float32 index form, by hand, by quantity": GRAPHS,
        "float64 index form, by hand": GRAPHS, "float64 index form, by hand, by quantity": GRAPHS,
        "aggregation": GRAPHS, "edge": GRAPHS, "update": GRAPHS, "nowhere": (1.0, 0.0), "planted": (1e-5, 0.0), "kinds": KINDS,
    },
    "matrix": {
        "float32 matrix form, dense matrices": GRAPHS, "float32 matrix form, dense matrices, by quantity": GRAPHS,
        "float64 matrix form, dense matrices": GRAPHS, "float64 matrix form, dense matrices, by quantity": GRAPHS,
        "planted": (1e-5, 0.0), "kinds": KINDS, "row sums": (10.0, 3.0, 7.0, 0.0), "inverses": (1.0, 0.0, 1.0, 1.0),
    },
    "direction": {"symmetric": (2.0, 0.0), "directed": (1.0, 1.0), "directed with multi-edges": (1.0, 1.0)},
    "transposes": {"W": (2.0, 2.0), "B": (2.0, 2.0), "W and B": (2.0, 2.0), "symmetric W and B": (2.0, 0.0)},
    "selection": {"cases": 6.0, "wrong": 0.0, "moved": 4.0, "wrong_elsewhere": 4.0},
    "pyg": {
        "float32 index form, SAGEConv": GRAPHS, "float32 index form, SAGEConv, by quantity": GRAPHS,
        "float64 index form, SAGEConv": GRAPHS, "float64 index form, SAGEConv, by quantity": GRAPHS,
        "planted": (1e-5, 0.0), "kinds": KINDS,
    },
    "residual": {
        f"{graph}_{how}_{arm}": 1e-30 if how == "mean" else 0.2
        for graph in ("karate", "directed")
        for how in ("mean", "median", "midpoint", "max")
        for arm in ("matrix", "matrix and offset", "from_mean")
    },
}  # fmt: skip
RESIDUALS = [part for part in CLAIMS[2].parts if part.startswith("fixed matrix, ")]
LIBRARY = ("torch_geometric", "torch_geometric's median and max", "our median and max")
REFUTED = {"row-normalized", "non-associative"}
EXPECTED = {part: "refuted" if part in REFUTED else "supported" for claim in CLAIMS for part in claim.parts}
TASKS_OF = {
    "message form": {"message"}, "sum of messages": {"pair"}, "place of the degree": {"message"}, "matrix form": {"matrix"},
    "row-normalized": {"matrix"}, "inverse of D": {"matrix"},
    "row-normalized, reached nodes": {"matrix"}, "transposes": {"transposes"},
    **{f"reversed edges, {on}": {"every-graph", "direction"} for on in ("symmetric graphs", "directed graphs", "multi-edges")},
    "torch_geometric": {"pyg"}, "no matrix": {"additivity"}, "nonlinear": {"additivity", "residual"},
    "non-associative": {"additivity"}, "in-degrees 1 and 2": {"additivity"}, "selection matrix": {"selection"},
    **{part: {"residual"} for part in ("fixed matrix", *RESIDUALS)},
    "torch_geometric's median and max": {"faults", "past-float32"}, "our median and max": {"faults", "past-float32"},
}  # fmt: skip


def world(recipe: Recipe = RECIPE) -> Evidence:
    """Results of every job as they should be; residuals scatter by 1 %."""
    numbers = ONCE | DRAWN

    def measured(task: str, seed: int) -> list[Measurement]:
        wobble = 1 + 0.01 * (seed % 3 - 1) if task == "residual" else 1
        return [Measurement(name, n if isinstance(n, tuple) else n * wobble) for name, n in numbers[task].items()]

    jobs = planned_jobs("convolution-forms", recipe)
    return Evidence(tuple(result(job, measured(str(job.params["task"]), job.seed)) for job in jobs))


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch):
    """As if torch_geometric were installed."""
    monkeypatch.setattr(convolution_forms, "library", lambda: "2.8.1")


def changed(evidence: Evidence, change: Callable[[JobResult], JobResult]) -> Evidence:
    return Evidence(tuple(map(change, evidence.results)), evidence.missing)


def spoiled(
    task: str,
    name: str,
    value: float | tuple[float, ...] | None,
    seeds: Sequence[int] = range(SEEDS),
    evidence: Evidence | None = None,
) -> Evidence:
    """The world with one measurement changed; None leaves it out."""

    def change(found: JobResult) -> JobResult:
        if found.params["task"] != task or found.seed not in seeds:
            return found
        assert name in {m.name for m in found.measurements}
        kept = tuple(m for m in found.measurements if m.name != name)
        return replace(found, measurements=kept if value is None else (*kept, Measurement(name, value)))

    return changed(evidence or world(), change)


def judged(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, Verdict]:
    found = verdicts(recipe, evidence)
    assert len(answers(recipe, evidence, found)) == 3
    return {verdict.part: verdict for verdict in found}


def outcomes(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(evidence, recipe).items()}


def test_made_up_results_are_judged():
    found = judged(world())
    assert {part: verdict.verdict for part, verdict in found.items()} == EXPECTED
    for verdict in found.values():
        assert (verdict.corrected is not None) == (verdict.verdict == "refuted")
        assert verdict.kind == ("statistical" if verdict.part.startswith("fixed matrix") else "exact")
        assert verdict.of == "report" or verdict.verdict == "supported"  # nothing that nobody said is refuted
        assert verdict.n > 0
    assert {part for part, verdict in found.items() if verdict.of == "report"} == set(QUOTES)


@pytest.mark.parametrize(
    ("task", "name", "value", "part", "outcome", "words"),
    [
        ("message", "float32 index form, by hand", (1e-5, 0.0), "message form", "refuted", "differ"),
        ("message", "float64 index form, by hand", (1e-11, 0.0), "message form", "refuted", "differ"),
        ("message", "float32 index form, by hand", (1e-11, 0.0), "message form", "supported", ""),
        ("message", "kinds", (1.0, 1.0, 0.0, 1.0, 1.0), "message form", "inconclusive", "some graphs have self-loops"),
        ("message", "planted", (1e-7, 0.0), "message form", "inconclusive", "a weight that is off"),
        ("pair", "contradictions", 9.0, "sum of messages", "refuted", ""),
        ("pair", "outputs_1", (2.0, 1.0), "sum of messages", "inconclusive", "the same output"),
        ("message", "update", (0.1, 0.0), "place of the degree", "refuted", "update 20"),
        ("message", "edge", (0.1, 0.0), "place of the degree", "refuted", "edge 20"),
        ("message", "nowhere", (0.0, 0.0), "place of the degree", "inconclusive", "without 1/|N(v)|"),
        ("matrix", "float64 matrix form, dense matrices", (0.1, 0.1), "matrix form", "refuted", "differ"),
        ("matrix", "kinds", (0.0, 1.0, 1.0, 0.0, 1.0), "matrix form", "inconclusive", "isolated nodes, some graphs have multi"),
        ("matrix", "planted", (0.0, 0.0), "matrix form", "inconclusive", "a weight that is off"),
        ("matrix", "row sums", (10.0, 0.0, 7.0, 0.0), "row-normalized", "supported", ""),
        ("matrix", "row sums", (10.0, 0.0, 10.0, 0.0), "row-normalized, reached nodes", "inconclusive", "are seen"),
        ("matrix", "row sums", (10.0, 4.0, 7.0, 1.0), "row-normalized, reached nodes", "refuted", ""),
        ("matrix", "inverses", (1.0, 1.0, 1.0, 1.0), "inverse of D", "refuted", ""),
        ("matrix", "inverses", (1.0, 0.0, 1.0, 0.0), "inverse of D", "inconclusive", "is seen to have one"),
        ("matrix", "inverses", (0.0, 0.0, 1.0, 1.0), "inverse of D", "not measured", ""),
        ("transposes", "W and B", (2.0, 0.0), "transposes", "refuted", ""),
        ("transposes", "symmetric W and B", (2.0, 1.0), "transposes", "inconclusive", "symmetric W and B are seen"),
        ("every-graph", "symmetric", (10.0, 1.0), "reversed edges, symmetric graphs", "refuted", ""),
        ("every-graph", "directed", (10.0, 4.0), "reversed edges, directed graphs", "refuted", ""),
        ("every-graph", "directed with multi-edges", (10.0, 10.0), "reversed edges, multi-edges", "refuted", ""),
        ("pyg", "float32 index form, SAGEConv", (1e-3, 0.0), "torch_geometric", "refuted", "differ"),
        ("pyg", "planted", (0.0, 0.0), "torch_geometric", "inconclusive", "a weight that is off"),
        ("additivity", "median_violations", (0.0, 18.0, 0.0), "no matrix", "refuted", "no pair"),
        ("additivity", "mean_violations", (0.0, 18.0, 1.0), "no matrix", "inconclusive", "sum and mean"),
        ("additivity", "max_violations", (0.0, 0.0, 0.0), "nonlinear", "refuted", ""),
        ("residual", "karate_midpoint_matrix and offset", 1e-12, "nonlinear", "supported", ""),
        ("residual", "directed_mean_matrix and offset", 0.1, "nonlinear", "inconclusive", "but not all"),
        ("additivity", "mean_not_associative", 0.0, "non-associative", "refuted", "with a matrix: none"),
        ("additivity", "median_violations", (0.0, 0.0, 216.0), "in-degrees 1 and 2", "inconclusive", "the lower median of two"),
        ("additivity", "median_violations", (1.0, 18.0, 216.0), "in-degrees 1 and 2", "refuted", ""),
        ("additivity", "midpoint_violations", (0.0, 1.0, 216.0), "in-degrees 1 and 2", "refuted", ""),
        ("residual", "karate_midpoint_matrix and offset", 1e-4, "fixed matrix, midpoint, karate club", "refuted", "0.0001"),
        ("residual", "karate_midpoint_matrix and offset", 1e-4, "fixed matrix", "refuted", ""),
        ("residual", "directed_mean_matrix and offset", 0.1, "fixed matrix", "inconclusive", ""),
        ("selection", "wrong", 1.0, "selection matrix", "refuted", ""),
        ("selection", "wrong_elsewhere", 0.0, "selection matrix", "inconclusive", "another feature"),
        ("faults", "median, no edges", (20.0, 0.0, 0.0, 0.0), "torch_geometric's median and max", "refuted", "on: median"),
        ("faults", "median, no edges", (20.0, 20.0, 0.0, 2.0), "our median and max", "refuted", ""),
        ("past-float32", "median, past 2²⁴ edges", (1.0, 0.0, 0.0, 0.0), LIBRARY[1], "refuted", "past 2²⁴"),
    ],
)  # fmt: skip
def test_another_number_turns_the_verdict(task, name, value, part, outcome, words):
    steady = changed(spoiled(task, name, value), lambda found: found)
    verdict = judged(scattered(steady, task, name))[part]
    assert verdict.verdict == outcome
    assert words in f"{verdict.corrected} {verdict.next_step}"
    assert verdict.corrected is None or outcome == "refuted"


def scattered(evidence: Evidence, task: str, name: str) -> Evidence:
    """A residual that was set for all seeds scatters a little again: without spread nothing is decided."""
    if task != "residual":
        return evidence
    for seed in range(SEEDS):
        value = next(m.value for found in evidence.results for m in found.measurements if m.name == name and found.seed == seed)
        evidence = spoiled(task, name, float(value) * (1 + 0.01 * (seed % 3 - 1)), [seed], evidence)
    return evidence


def test_associativity_is_the_reason_where_it_goes_with_having_no_matrix():
    evidence = world()
    for rule, count in zip(RULES, (0.0, 0.0, 1.0, 1.0, 1.0, 1.0), strict=True):
        evidence = spoiled("additivity", f"{rule}_not_associative", count, [0], evidence)
    assert outcomes(evidence)["non-associative"] == "supported"
    as_it_is = judged(world())["non-associative"]
    assert as_it_is.effect == 3
    assert "with a matrix: mean;" in str(as_it_is.corrected)
    assert "without one: max, sum of |h|" in str(as_it_is.corrected)


def test_nothing_seen_anywhere_says_nothing_of_directions():
    evidence = world()
    for task in ("every-graph", "direction"):
        for kind in ("directed", "directed with multi-edges"):
            evidence = spoiled(task, kind, (5.0, 0.0), evidence=evidence)
    found = outcomes(evidence)
    assert found["reversed edges, symmetric graphs"] == "inconclusive"
    assert found["reversed edges, directed graphs"] == "refuted"


def test_a_residual_around_what_counts_is_inconclusive():
    evidence = world()
    for seed in range(SEEDS):
        evidence = spoiled("residual", "directed_max_matrix and offset", 0.01 * (1 + (-1) ** seed), [seed], evidence)
    found = judged(evidence)
    verdict = found["fixed matrix, max, random directed graph"]
    assert verdict.verdict == found["fixed matrix"].verdict == "inconclusive"
    assert verdict.interval[0] < 0.01 < verdict.interval[1]
    assert found["fixed matrix, max, karate club"].verdict == "supported"


@pytest.mark.parametrize(("left", "wrong"), [(0.01, ("supported", "refuted")), (0.009, ("supported",)), (0.011, ("refuted",))])
def test_residuals_are_wrong_no_more_often_than_is_said(left: float, wrong: tuple[str, ...]):
    """On the edge of 1 % of the variance, just outside and just inside, over draws that scatter."""
    rng, draws, part = np.random.default_rng(0), 200, RESIDUALS[0]
    fitted = next(found for found in world().results if found.params["task"] == "residual")
    seen = dict.fromkeys(("supported", "refuted", "inconclusive"), 0.0)
    for _ in range(draws):
        residuals = left + 0.005 * rng.normal(size=8)
        results = [
            replace(
                fitted,
                seed=seed,
                measurements=(Measurement("karate_median_matrix and offset", float(value)), *fitted.measurements),
            )
            for seed, value in enumerate(residuals)
        ]
        parts = median_parts(RECIPE, Evidence(tuple(results)))
        seen[next(v.verdict for v in decide(parts) if v.part == part)] += 1 / draws
    assert max(seen[outcome] for outcome in wrong) <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / draws)


def test_six_residuals_share_the_level():
    """Their intervals are wider than one alone at 95 % would be."""
    verdict = judged(world())[RESIDUALS[0]]
    alone = mean_interval([0.2 * (1 + 0.01 * (seed % 3 - 1)) for seed in range(SEEDS)])
    assert verdict.interval[0] < alone.low < alone.high < verdict.interval[1]
    assert verdict.effect == pytest.approx(alone.estimate)


@pytest.mark.parametrize("task", [*ONCE, *DRAWN])
def test_parts_of_a_failed_job_are_not_measured_and_the_others_are(task: str):
    whole = world()
    last = max(found.seed for found in whole.results if found.params["task"] == task)
    failed = [job for job in planned_jobs("convolution-forms", RECIPE) if (job.params["task"], job.seed) == (task, last)]
    kept = [found for found in whole.results if (found.params["task"], found.seed) != (task, last)]
    found = judged(Evidence(tuple(kept), tuple(failed)))
    missing = {part for part, tasks in TASKS_OF.items() if task in tasks}
    assert {part for part, verdict in found.items() if verdict.verdict == "not measured"} == missing
    assert all(f"convolution-forms {task}" in found[part].next_step for part in missing - {"fixed matrix"})


def test_without_results_nothing_is_measured():
    assert set(outcomes(Evidence(())).values()) == {"not measured"}
    assert set(TASKS_OF) == set(EXPECTED)


@pytest.mark.parametrize("seeds", [1, SEEDS])
def test_one_seed_and_no_spread_leave_the_residuals_inconclusive(seeds: int):
    recipe = replace(RECIPE, seeds=seeds)
    evidence = world(recipe)
    for graph in ("karate", "directed"):
        for how in ("median", "midpoint", "max"):
            evidence = spoiled("residual", f"{graph}_{how}_matrix and offset", 0.2, evidence=evidence)
    for part, outcome in outcomes(evidence, recipe).items():
        assert outcome == ("inconclusive" if part.startswith("fixed matrix") else EXPECTED[part])


@pytest.mark.parametrize(
    ("task", "name", "part"),
    [
        ("message", "float32 index form, by hand", "message form"),
        ("message", "update", "place of the degree"),
        ("pair", "contradictions", "sum of messages"),
        ("pair", "cases", "sum of messages"),
        ("matrix", "float64 matrix form, dense matrices", "matrix form"),
        ("matrix", "row sums", "row-normalized"),
        ("matrix", "inverses", "inverse of D"),
        ("direction", "symmetric", "reversed edges, symmetric graphs"),
        ("direction", "directed", "reversed edges, directed graphs"),
        ("every-graph", "directed with multi-edges", "reversed edges, multi-edges"),
        ("transposes", "W and B", "transposes"),
        ("pyg", "float64 index form, SAGEConv", "torch_geometric"),
        ("additivity", "median_violations", "no matrix"),
        ("additivity", "mean_not_associative", "non-associative"),
        ("additivity", "midpoint_violations", "in-degrees 1 and 2"),
        ("residual", "karate_max_matrix and offset", "fixed matrix, max, karate club"),
        ("residual", "karate_mean_matrix and offset", "fixed matrix, max, karate club"),
        ("residual", "karate_max_matrix and offset", "nonlinear"),
        ("selection", "wrong", "selection matrix"),
        ("faults", "gradient of max at 0", "our median and max"),
        ("faults", "gradient of max at 0", "torch_geometric's median and max"),
    ],
)
def test_what_is_not_a_number_is_not_measured(task: str, name: str, part: str):
    """As it is read back from a file: NaN alone or in a tuple."""
    value = (ONCE | DRAWN)[task][name]
    nan = (math.nan,) * len(value) if isinstance(value, tuple) else math.nan
    assert outcomes(spoiled(task, name, nan, [0]))[part] == "not measured"


def test_a_count_that_a_job_lacks_is_not_0():
    assert outcomes(spoiled("direction", "symmetric", None, [0]))["reversed edges, symmetric graphs"] == "not measured"
    assert outcomes(spoiled("selection", "wrong", None, [0]))["selection matrix"] == "not measured"


def test_without_torch_geometric_it_says_how_to_install_it():
    def bare(found: JobResult) -> JobResult:
        if "torch_geometric" not in found.params:
            return found
        return replace(found, params={**found.params, "torch_geometric": None}, measurements=())

    found = judged(changed(world(), bare))
    for part in LIBRARY:
        assert found[part].verdict == "not measured"
        assert "pip install torch_geometric" in found[part].next_step
    others = {part: outcome for part, outcome in EXPECTED.items() if part not in LIBRARY}
    assert {part: verdict.verdict for part, verdict in found.items() if part not in LIBRARY} == others


def test_the_quick_preset_says_nothing_of_many_edges():
    quick = replace(RECIPE, past_float32=False)
    verdict = judged(world(quick), quick)["torch_geometric's median and max"]
    assert verdict.verdict == "supported"
    assert "2²⁴ edges are tried by --preset standard" in verdict.note
    assert "past 2²⁴" in judged(world())["torch_geometric's median and max"].note


@pytest.mark.parametrize("tasks", [[], ["message"], ["matrix"], ["residual"], ["additivity"], ["every-graph"], [*ONCE, *DRAWN]])
def test_answers_and_figures_are_made_of_whatever_there_is(tasks: list[str]):
    kept = Evidence(tuple(found for found in world().results if found.params["task"] in tasks))
    found = answers(RECIPE, kept, verdicts(RECIPE, kept))
    shown = figures(RECIPE, kept)
    assert_drawn(shown)
    assert len(shown) == (6 if len(tasks) > 1 else len(tasks))
    if len(tasks) > 1:
        assert [answer.answer for answer in found] == ["supported", "partly", "partly"]
        assert "0 of 40 comparisons" in found[0].sentence or "0 of 80 comparisons" in found[0].sentence
        assert "60 of 200 do not add up to 1" in found[1].sentence
        assert "at least 20 %" in found[2].sentence
        assert {answer.figure for answer in found} <= {figure.name for figure in shown}


def test_graphs_on_which_every_node_is_reached_do_not_support_row_normalization():
    """There every row adds up to 1: what the sentence leaves out was not tried."""
    found = judged(spoiled("matrix", "row sums", (50.0, 0.0, 50.0, 0.0)))["row-normalized"]
    assert (found.verdict, found.next_step) == ("inconclusive", "a check failed: some nodes are reached by no edge")


def test_the_answer_gives_no_reason_that_is_not_supported():
    """The fits say that a fixed matrix gives every aggregator, the mean too: no control, no reason."""
    fits = [
        f"{graph}_{how}_matrix and offset" for graph in ("karate", "directed") for how in ("mean", "median", "midpoint", "max")
    ]
    evidence = world()
    for name in fits:
        evidence = spoiled("residual", name, 0.2, evidence=evidence)
    assert judged(evidence)["nonlinear"].verdict != "supported"
    assert "because it is not linear" not in answers(RECIPE, evidence, verdicts(RECIPE, evidence))[2].sentence
    assert "because it is not linear" in answers(RECIPE, world(), verdicts(RECIPE, world()))[2].sentence
