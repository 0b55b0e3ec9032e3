"""One graph convolution, three forms: verdicts of made-up results. Every one of them is seen to turn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from erlangen.experiments.convolution_forms import CLAIMS, Recipe
from erlangen.experiments.convolution_forms.judge import findings, verdicts
from erlangen.records.runs import JobResult, Measurement, Verdict
from erlangen.statistics.intervals import mean_interval

SEEDS = 20
RECIPE = Recipe(seeds=SEEDS, graphs=2, past_float32=True)
GRAPHS = (1e-16, 0.0)
KINDS = (1.0, 1.0, 1.0, 1.0, 0.0)
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
        **{f"{name}_rows": (1.0, 2.0, 3.0) for name in ("sum", "mean", "median", "midpoint", "max", "sum of |h|")},
        "sum_violations": (0.0, 0.0, 0.0), "mean_violations": (0.0, 0.0, 0.0), "median_violations": (0.0, 18.0, 216.0),
        "midpoint_violations": (0.0, 0.0, 216.0), "max_violations": (0.0, 18.0, 240.0),
        "sum of |h|_violations": (2.0, 32.0, 386.0),
        "median_counterexample": (0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        "midpoint_counterexample": (0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
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
        "aggregation": GRAPHS, "edge": GRAPHS, "update": GRAPHS, "nowhere": (1.0, 0.0), "kinds": KINDS, "crowded": 1.0,
    },
    "matrix": {
        "float32 matrix form, dense matrices": GRAPHS, "float32 matrix form, dense matrices, by quantity": GRAPHS,
        "float64 matrix form, dense matrices": GRAPHS, "float64 matrix form, dense matrices, by quantity": GRAPHS, "kinds": KINDS,
    },
    "direction": {"symmetric": (2.0, 0.0), "directed": (1.0, 1.0), "directed with multi-edges": (1.0, 1.0)},
    "transposes": {"W": (2.0, 2.0), "B": (2.0, 2.0), "W and B": (2.0, 2.0), "symmetric W and B": (2.0, 0.0)},
    "selection": {"cases": 6.0, "wrong": 0.0, "moved": 4.0, "wrong_elsewhere": 4.0},
    "pyg": {
        "float32 index form, SAGEConv": GRAPHS, "float32 index form, SAGEConv, by quantity": GRAPHS,
        "float64 index form, SAGEConv": GRAPHS, "float64 index form, SAGEConv, by quantity": GRAPHS, "kinds": KINDS,
    },
    "residual": {
        f"{graph}_{how}_{arm}": 1e-30 if how == "mean" else 0.2
        for graph in ("karate", "directed")
        for how in ("mean", "median", "midpoint", "max")
        for arm in ("matrix", "matrix and offset", "from_mean")
    },
}  # fmt: skip
ASKING = ("pyg", "faults", "past-float32")


def result(task: str, seed: int, numbers: Numbers) -> JobResult:
    params = {"task": task, **({"torch_geometric": "2.8.1"} if task in ASKING else {})}
    wobble = 1 + 0.01 * (seed % 3 - 1) if task == "residual" else 1
    measurements = tuple(
        Measurement(name, value if isinstance(value, tuple) else value * wobble) for name, value in numbers.items()
    )
    return JobResult(
        key=f"{task}{seed}", experiment="convolution-forms", params=params, seed=seed, precision="float32", device="cpu",
        measurements=measurements,
    )  # fmt: skip


RESULTS = [
    *(result(task, 0, numbers) for task, numbers in ONCE.items()),
    *(result(task, seed, numbers) for seed in range(SEEDS) for task, numbers in DRAWN.items()),
]


def spoiled(
    task: str, name: str, value: float | tuple[float, ...] | None, seeds: Sequence[int] = range(SEEDS)
) -> list[JobResult]:
    """The results with one measurement changed; None leaves it out."""

    def changed(found: JobResult) -> JobResult:
        assert name in {m.name for m in found.measurements}
        kept = tuple(m for m in found.measurements if m.name != name)
        return replace(found, measurements=kept if value is None else (*kept, Measurement(name, value)))

    return [changed(found) if found.params["task"] == task and found.seed in seeds else found for found in RESULTS]


def judged(results: Sequence[JobResult], recipe: Recipe = RECIPE) -> dict[str, Verdict]:
    found = verdicts(recipe, results)
    assert findings(recipe, results, found).found
    return {f"{verdict.claim}/{verdict.part}": verdict for verdict in found}


EXPECTED = {
    "G4/mpnn": "supported", "G4/edge-free": "refuted", "G4/degree": "refuted", "G5/matrix": "supported",
    "G5/direction": "supported", "G5/visibility": "refuted", "G5/transposes": "refuted", "G5/pyg": "supported",
    "G6/additivity": "supported", "G6/degrees-1-2": "refuted", "G6/residual": "supported", "G6/selection": "supported",
    "G6/reason": "refuted", "G6/library": "supported",
}  # fmt: skip
TASKS_OF = {
    "G4/mpnn": {"message"}, "G4/edge-free": {"pair"}, "G4/degree": {"message"}, "G5/matrix": {"matrix"},
    "G5/direction": {"every-graph", "direction"}, "G5/visibility": {"every-graph", "direction"},
    "G5/transposes": {"transposes"}, "G5/pyg": {"pyg"}, "G6/additivity": {"additivity"}, "G6/degrees-1-2": {"additivity"},
    "G6/residual": {"residual"}, "G6/selection": {"selection"}, "G6/reason": {"additivity"},
    "G6/library": {"faults", "past-float32"},
}  # fmt: skip


def test_made_up_results_are_judged():
    found = judged(RESULTS)
    assert {part: verdict.verdict for part, verdict in found.items()} == EXPECTED
    assert set(found) == {f"{claim.id}/{part}" for claim in CLAIMS for part in claim.parts}
    for verdict in found.values():
        assert (verdict.corrected is not None) == (verdict.verdict == "refuted")
        assert verdict.kind == ("statistical" if verdict.part == "residual" else "exact")
        assert verdict.kind == "statistical" or verdict.interval == (verdict.effect, verdict.effect)
        assert verdict.n > 0


@pytest.mark.parametrize(
    ("task", "name", "value", "part", "outcome", "words"),
    [
        ("message", "float32 index form, by hand", (1e-5, 0.0), "G4/mpnn", "refuted", "differ"),
        ("message", "float64 index form, by hand", (1e-11, 0.0), "G4/mpnn", "refuted", "differ"),
        ("message", "float32 index form, by hand", (1e-11, 0.0), "G4/mpnn", "supported", ""),
        ("message", "kinds", (1.0, 1.0, 0.0, 1.0, 1.0), "G4/mpnn", "not measured", "none of these has self-loops"),
        ("pair", "contradictions", 0.0, "G4/edge-free", "supported", ""),
        ("message", "update", (0.1, 0.0), "G4/degree", "supported", ""),
        ("message", "edge", (0.1, 0.0), "G4/degree", "refuted", "not always equal"),
        ("message", "nowhere", (0.0, 0.0), "G4/degree", "not measured", ""),
        ("matrix", "float64 matrix form, dense matrices", (0.1, 0.1), "G5/matrix", "refuted", "differ"),
        ("matrix", "kinds", (0.0, 1.0, 1.0, 0.0, 1.0), "G5/matrix", "not measured", "isolated nodes or multi-edges"),
        ("every-graph", "symmetric", (10.0, 1.0), "G5/direction", "refuted", "seen on 1 of 50 symmetric"),
        ("every-graph", "directed with multi-edges", (10.0, 10.0), "G5/visibility", "supported", ""),
        ("every-graph", "directed", (10.0, 4.0), "G5/visibility", "refuted", "24 of 30 directed graphs without"),
        ("transposes", "W and B", (2.0, 0.0), "G5/transposes", "supported", ""),
        ("pyg", "float32 index form, SAGEConv", (1e-3, 0.0), "G5/pyg", "refuted", "differ"),
        ("additivity", "median_violations", (0.0, 18.0, 0.0), "G6/additivity", "refuted", "no pair"),
        ("additivity", "median_violations", (0.0, 0.0, 216.0), "G6/degrees-1-2", "supported", ""),
        ("additivity", "median_violations", (1.0, 0.0, 216.0), "G6/degrees-1-2", "refuted", "additive: the lower median at 1."),
        ("residual", "karate_midpoint_matrix and offset", 1e-4, "G6/residual", "refuted", "least residual is 0.0001"),
        ("residual", "directed_mean_matrix", 0.1, "G6/residual", "refuted", "at most 1e-01"),
        ("selection", "wrong", 1.0, "G6/selection", "refuted", "for 20 of 120"),
        ("faults", "median, no edges", (20.0, 0.0, 0.0, 0.0), "G6/library", "refuted", "Not found: median, no edges; ours"),
        ("faults", "median, no edges", (20.0, 20.0, 0.0, 2.0), "G6/library", "refuted", "Not found: none; ours fail in 2"),
        ("past-float32", "median, past 2²⁴ edges", (1.0, 0.0, 0.0, 0.0), "G6/library", "refuted", "past 2²⁴"),
    ],
)  # fmt: skip
def test_another_number_turns_the_verdict(task, name, value, part, outcome, words):
    verdict = judged(spoiled(task, name, value))[part]
    assert verdict.verdict == outcome
    assert words in f"{verdict.corrected} {verdict.next_step}"
    assert (verdict.corrected is not None) == (outcome == "refuted")


def test_comparing_is_the_reason_where_it_goes_with_having_no_matrix():
    other = {"midpoint_violations": (0.0, 1.0, 1.0), "sum of |h|_violations": (0.0,) * 3}
    turned = [
        replace(found, measurements=tuple(Measurement(m.name, other.get(m.name, m.value)) for m in found.measurements))
        for found in RESULTS
    ]
    assert judged(turned)["G6/reason"].verdict == "supported"
    as_it_is = judged(RESULTS)["G6/reason"]
    assert as_it_is.effect == 4
    assert "midpoint of 2" in str(as_it_is.corrected)
    assert "sum of |h| of 1, 2, 3" in str(as_it_is.corrected)
    assert "sum of 2, 3, mean of 2, 3 and midpoint of 2" in str(as_it_is.corrected)


def test_nothing_seen_anywhere_says_nothing_of_directions():
    blind = [
        replace(found, measurements=tuple(
            Measurement(m.name, (m.value[0], 0.0)) if m.name.startswith("directed") and isinstance(m.value, tuple) else m
            for m in found.measurements
        ))
        for found in RESULTS
    ]  # fmt: skip
    found = judged(blind)
    assert found["G5/direction"].verdict == "not measured"
    assert found["G5/visibility"].verdict == "refuted"


def test_a_residual_around_what_counts_is_inconclusive():
    values = [0.01 * (1 + (-1) ** seed) for seed in range(SEEDS)]
    around = RESULTS
    for seed, value in enumerate(values):
        changed = spoiled("residual", "directed_max_matrix and offset", value, [seed])
        around = [
            new if new.seed == seed and new.params["task"] == "residual" else old
            for new, old in zip(changed, around, strict=True)
        ]
    verdict = judged(around)["G6/residual"]
    assert verdict.verdict == "inconclusive"
    assert verdict.next_step == "more seeds"
    assert verdict.interval[0] < 0.01 < verdict.interval[1]


def test_six_residuals_share_the_level():
    """Their interval is wider than one alone at 95 % would be."""
    verdict = judged(RESULTS)["G6/residual"]
    alone = mean_interval([0.2 * (1 + 0.01 * (seed % 3 - 1)) for seed in range(SEEDS)])
    assert verdict.interval[0] < alone.low < alone.high < verdict.interval[1]
    assert verdict.effect == pytest.approx(alone.estimate)


@pytest.mark.parametrize("part", EXPECTED)
def test_a_part_without_one_of_its_jobs_is_not_measured_and_the_others_are(part: str):
    for task in TASKS_OF[part]:
        last = max(found.seed for found in RESULTS if found.params["task"] == task)
        found = judged([found for found in RESULTS if (found.params["task"], found.seed) != (task, last)])
        missing = {other for other, tasks in TASKS_OF.items() if task in tasks}
        assert {other for other, verdict in found.items() if verdict.verdict == "not measured"} == missing
        assert "failed" in found[part].next_step


def test_without_results_nothing_is_measured():
    assert {verdict.verdict for verdict in judged([]).values()} == {"not measured"}
    assert len(judged([])) == 14


def test_one_seed_leaves_the_residual_inconclusive():
    found = judged([found for found in RESULTS if found.seed == 0], replace(RECIPE, seeds=1))
    assert found["G6/residual"].verdict == "inconclusive"
    assert found["G6/residual"].interval is None
    assert {part: v.verdict for part, v in found.items() if part != "G6/residual"} == {
        part: outcome for part, outcome in EXPECTED.items() if part != "G6/residual"
    }


@pytest.mark.parametrize(
    ("task", "name", "part"),
    [
        ("message", "float32 index form, by hand", "G4/mpnn"),
        ("message", "update", "G4/degree"),
        ("pair", "contradictions", "G4/edge-free"),
        ("pair", "cases", "G4/edge-free"),
        ("matrix", "float64 matrix form, dense matrices", "G5/matrix"),
        ("direction", "symmetric", "G5/direction"),
        ("direction", "directed", "G5/visibility"),
        ("transposes", "W and B", "G5/transposes"),
        ("pyg", "float64 index form, SAGEConv", "G5/pyg"),
        ("additivity", "median_violations", "G6/additivity"),
        ("additivity", "median_violations", "G6/degrees-1-2"),
        ("residual", "karate_max_matrix and offset", "G6/residual"),
        ("residual", "karate_mean_matrix", "G6/residual"),
        ("selection", "wrong", "G6/selection"),
        ("additivity", "sum of |h|_violations", "G6/reason"),
        ("faults", "gradient of max at 0", "G6/library"),
    ],
)
def test_what_is_no_number_is_not_measured(task: str, name: str, part: str):
    """As it is read back from a file: NaN alone or in a tuple."""
    (value,) = {m.value for found in RESULTS for m in found.measurements if found.params["task"] == task and m.name == name
                and found.seed == 0}  # fmt: skip
    nan = (math.nan,) * len(value) if isinstance(value, tuple) else math.nan
    assert judged(spoiled(task, name, nan, [0]))[part].verdict == "not measured"


def test_a_count_that_a_job_lacks_is_not_0():
    found = judged(spoiled("direction", "symmetric", None, [0]))
    assert found["G5/direction"].verdict == "not measured"
    assert judged(spoiled("selection", "wrong", None, [0]))["G6/selection"].verdict == "not measured"


def test_without_torch_geometric_it_says_how_to_install_it():
    def bare(found: JobResult) -> JobResult:
        return replace(found, params={**found.params, "torch_geometric": None}, measurements=())

    found = judged([bare(found) if found.params["task"] in ASKING else found for found in RESULTS])
    for part in ("G5/pyg", "G6/library"):
        assert found[part].verdict == "not measured"
        assert 'pip install "erlangen[graph]"' in found[part].next_step
    assert {part: verdict.verdict for part, verdict in found.items() if part not in ("G5/pyg", "G6/library")} == {
        part: outcome for part, outcome in EXPECTED.items() if part not in ("G5/pyg", "G6/library")
    }


def test_the_quick_preset_says_nothing_of_many_edges():
    quick = replace(RECIPE, past_float32=False)
    verdict = judged([found for found in RESULTS if found.params["task"] != "past-float32"], quick)["G6/library"]
    assert verdict.verdict == "supported"
    assert "float32" not in verdict.statement
    assert "--preset standard" in verdict.test
    assert "float32" in judged(RESULTS)["G6/library"].statement


@pytest.mark.parametrize("tasks", [[], ["pair"], ["matrix"], ["residual"], ["additivity"], ["every-graph"], [*ONCE, *DRAWN]])
def test_figures_are_made_of_whatever_there_is(tasks: list[str]):
    kept = [found for found in RESULTS if found.params["task"] in tasks]
    shown = findings(RECIPE, kept, verdicts(RECIPE, kept)).figures
    assert all(len(row) == len(figure.columns) for figure in shown for row in figure.rows)
    assert len(shown) == (6 if len(tasks) > 1 else len(tasks))
