"""The verdicts of `attention-scale` in worlds whose answer is known, and with faults that are put in on purpose."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from support.figures import assert_drawn
from support.results import evidence_of

from erlangen.claims import catalog
from erlangen.experiments import planned_jobs
from erlangen.experiments.attention_scale import PRESETS, Recipe, copying, products, run as running, scores, start
from erlangen.experiments.attention_scale.evidence import at
from erlangen.experiments.attention_scale.extremes import absolute, extreme
from erlangen.experiments.attention_scale.figures import figures
from erlangen.experiments.attention_scale.judge import answers, verdicts
from erlangen.experiments.attention_scale.tasks import ARMS, DISTRIBUTIONS, MEANS, PLANTED, SPREADS
from erlangen.experiments.attention_scale.variance_parts import noticed
from erlangen.experiments.kit import Evidence
from erlangen.experiments.kit.tasks import job
from erlangen.records.runs import Job, JobResult, Measurement, Verdict
from erlangen.statistics.intervals import Interval, mean_interval

SMALL = Recipe(
    widths=(16, 64), draws=10, trained=(32, 64), contexts=(16,), seeds=8, optimizers=("adam",), adam_rates=(1e-3, 1e-2, 1e-1),
    layers=1, heads=2,
)  # fmt: skip
GUESSING = math.log(SMALL.vocabulary)
FALSE = 0.025  # how often a wrong verdict may be reached, on each side
TRIES = 200

# The world in which every statement holds; what a test changes is named. Losses are those at the best rate.
TRUE: dict[str, Any] = {
    "variance": 1.0, "shifted variance": 1.0, "shifted mean": 0.0, "scaled variance": 1.0, "planted": PLANTED,
    "centered mean": 0.0, "entropy without": 0.3, "entropy with": 0.9, "square": 0.1, "median": 0.02, "closed": 1.0,
    "loss scaled": 0.01, "loss unscaled": 1.0, "loss matched": 0.01, "best rate": 1e-2, "other rates": 0.4,
    "other rates matched": 2.0, "rise unscaled": 1.0,
    "start scaled": 1.0, "start unscaled": 1.0, "start matched": 1.0,
    "gpt loss": 2.0, "gpt mean": 0.5, "gpt ratio": 5.0, "gpt ratio before": 1.1, "gpt share": 0.5, "noise": 1.0,
}  # fmt: skip


def spread(rng: np.random.Generator, scale: float, world: dict[str, Any]) -> float:
    return float(rng.normal(0, scale * world["noise"]))


def of_products(world: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Moments that follow their formulas, times what the world says; shifted mean: E[q · k] over d μ² is 1 + this."""
    found: dict[str, Any] = {}
    cases = [(kind, *pair) for kind in DISTRIBUTIONS for pair in (*((sigma, 0.0) for sigma in SPREADS), *MEANS)]
    for kind, sigma, mu in cases:
        variance = sigma**4 + 2 * mu**2 * sigma**2
        factor = world["shifted variance" if mu else "variance"]
        name = f"{kind} {sigma:g} {mu:g}"
        found[f"{name} variance"] = [d * variance * factor * (1 + spread(rng, 0.01, world)) for d in SMALL.widths]
        found[f"{name} scaled variance"] = [
            variance * world["scaled variance"] * (1 + spread(rng, 0.01, world)) for _ in SMALL.widths
        ]
        found[f"{name} mean"] = [
            d * mu**2 * (1 + world["shifted mean"])
            + sigma**2 * math.sqrt(d) * ((0.0 if mu else world["centered mean"]) + spread(rng, 0.01, world))
            for d in SMALL.widths
        ]
    found["planted variance"] = [d * world["planted"] * (1 + spread(rng, 0.01, world)) for d in SMALL.widths]
    return found


def of_start(world: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    def column(value: float) -> list[float]:
        return [value * math.exp(spread(rng, 0.02, world)) for _ in SMALL.widths]

    most = math.log(SMALL.keys)
    return {
        "scaled entropy": column(most * world["entropy with"]), "unscaled entropy": column(most * world["entropy without"]),
        "scaled mean square of queries": column(2.0), "unscaled mean square of queries": column(2.0 * world["square"] ** 2),
        "scaled median of queries": column(1.0), "unscaled median of queries": column(0.3),
        "scaled median of scores": column(1.0), "unscaled median of scores": column(world["median"]),
        "scaled mean square of scores": column(2.0), "unscaled mean square of scores": column(2.0 * world["closed"]),
        "unscaled expected mean square of scores": [2.0] * len(SMALL.widths),
        "unscaled half": column(0.05), "unscaled small": column(0.1),
    }  # fmt: skip


def of_copy(world: dict[str, Any], rng: np.random.Generator, params: Any) -> dict[str, Any]:
    arm = params["arm"]
    loss = world[f"loss {arm}"] + (
        0.0 if params["lr"] == world["best rate"] else world["other rates matched" if arm == "matched" else "other rates"]
    )
    loss += spread(rng, {"scaled": 0.0005, "matched": 0.002}.get(arm, 0.02 if world["loss unscaled"] > 0.5 else 0.002), world)
    expected = params["width"] if arm == "unscaled" else 1.0
    rise = world["rise unscaled"] if arm == "unscaled" else 0.1
    return {
        "validation_loss": loss, "test_loss": loss + spread(rng, 1e-4, world), "start_variance": expected * world[f"start {arm}"],
        "largest_rise": rise + spread(rng, 0.02, world), "steps_to_learn": 60, "start_entropy": 2.0, "end_entropy": 0.1,
        "end_weight": 0.9,
    }  # fmt: skip


def of_gpt(world: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    def column(value: float) -> list[float]:
        return [value * math.exp(spread(rng, 0.05, world)) for _ in range(SMALL.layers * SMALL.heads)]

    found: dict[str, Any] = {"validation_loss": world["gpt loss"]}
    for when, ratio, mean, share in (
        ("before", world["gpt ratio before"], 0.03, 0.1), ("after", world["gpt ratio"], world["gpt mean"], world["gpt share"]),
    ):  # fmt: skip
        found[f"{when} variance"] = [4.0 * ratio for _ in column(1.0)]
        found[f"{when} mean"] = [2.0 * math.sqrt(ratio) * entry for entry in column(mean)]
        found[f"{when} independent"] = [4.0 / entry * 1.0 for entry in column(1.0)]
        found[f"{when} from means"] = column(share)
    return found


@cache
def plan(recipe: Recipe) -> tuple[Job, ...]:
    return tuple(planned_jobs("attention-scale", recipe))


def world(seed: int = 0, recipe: Recipe = SMALL, missing: Callable[[Job], bool] = lambda one: False, **changes: Any) -> Evidence:
    settings = {**TRUE, **{name.replace("_", " "): value for name, value in changes.items()}}
    rng = np.random.default_rng(seed)

    def measure(one: Job) -> list[Measurement] | None:
        if missing(one):
            return None
        kind = one.params["task"]
        if kind == "copy":
            found = of_copy(settings, rng, one.params)
        else:
            found = {"products": of_products, "start": of_start, "language": of_gpt}[str(kind)](settings, rng)
        return [Measurement(name, tuple(value) if isinstance(value, list) else value) for name, value in found.items()]

    return evidence_of(plan(recipe), measure)


def judged(evidence: Evidence, recipe: Recipe = SMALL) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes(evidence: Evidence, recipe: Recipe = SMALL) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(evidence, recipe).items()}


def without(evidence: Evidence, task: str, name: str, value: Any) -> Evidence:
    """The same results with one measurement of a task replaced."""

    def changed(result: JobResult) -> JobResult:
        if result.params["task"] != task:
            return result
        kept = [replace(one, value=value) if one.name == name else one for one in result.measurements]
        return replace(result, measurements=tuple(kept))

    return replace(evidence, results=tuple(changed(result) for result in evidence.results))


GPT = [f"GPT, {name}" for name in ("no positions", "rotary positions")]


def test_iid_entries_of_mean_0_alone_would_support_that_the_mean_is_0():
    assert outcomes(world(shifted_mean=-1.0))["mean"] == "supported"


def test_where_all_statements_hold_all_are_supported_but_that_the_mean_is_0():
    found = outcomes(world())
    # E[q · k] = 0 cannot hold beside entries that have a mean
    assert {part: outcome for part, outcome in found.items() if outcome != "supported"} == {"mean": "refuted"}


def test_effects_are_what_the_world_says():
    found = judged(world())
    expected = {
        "gradients": TRUE["square"], "typical gradient": TRUE["median"], "saturation": 100 * TRUE["entropy without"],
        "loss, widest, Adam": 0.99, "jumps, Adam": 0.9, "planted shift": PLANTED - 1,
        f"{GPT[0]}: mean": TRUE["gpt mean"], f"{GPT[0]}: variance": TRUE["gpt ratio"], f"{GPT[1]}: share of the means": 0.5,
    }  # fmt: skip
    assert {part: found[part].effect for part in expected} == pytest.approx(expected, rel=0.1)
    assert found["loss, widest, Adam"].note.startswith("d = 64, 16 keys.")
    assert found["loss, narrowest, Adam"].note.startswith("d = 32, 16 keys.")


def test_a_loss_that_no_job_measured_is_not_a_divergence():
    def unmeasured(result: JobResult) -> JobResult:
        if result.params.get("arm") != "unscaled" or result.params["lr"] == 1e-2:
            return result
        return replace(result, measurements=tuple(one for one in result.measurements if one.name != "test_loss"))

    made = world()
    found = outcomes(replace(made, results=tuple(unmeasured(result) for result in made.results)))
    assert found["instability, Adam"] == "not measured"


FLIPPED: list[tuple[str, dict[str, Any]]] = [
    ("variance", {"variance": 1.12}),
    ("scaled variance", {"scaled_variance": 8.0}),
    ("variance with a mean", {"shifted_variance": 1 / 3}),
    ("mean, formula", {"shifted_mean": -0.5}),
    ("planted shift", {"planted": 1.0}),
    ("saturation", {"entropy_without": 0.7}),
    ("no saturation", {"entropy_with": 0.4}),
    ("gradients", {"square": 20.0}),
    ("typical gradient", {"median": 0.9}),
    ("gradients, closed form", {"closed": 1.3}),
    ("instability", {"loss_unscaled": 0.012}),
    ("instability, Adam", {"loss_unscaled": 0.012}),
    ("loss, widest, Adam", {"loss_unscaled": 0.012}),
    ("loss, narrowest, Adam", {"loss_unscaled": 0.012}),
    ("cause, Adam", {"loss_matched": 1.0}),
    ("instability from the same start, Adam", {"other_rates_matched": 0.4}),
    ("jumps, Adam", {"rise_unscaled": 0.11}),
    *((f"{name}: mean", {"gpt_mean": 0.01}) for name in GPT),
    *((f"{name}: variance", {"gpt_ratio": 1.1}) for name in GPT),
    *((f"{name}: share of the means", {"gpt_share": 0.05}) for name in GPT),
]


@pytest.mark.parametrize(("part", "changes"), FLIPPED, ids=[part for part, _ in FLIPPED])
def test_each_part_can_be_refuted(part: str, changes: dict[str, Any]):
    assert outcomes(world(**changes))[part] == "refuted"


def test_every_part_has_a_world_in_which_it_falls():
    assert {part for part, _ in FLIPPED} | {"mean"} == set(judged(world()))


def rates(**changes: Any) -> dict[str, Counter[str]]:
    """How often each part is decided how, over TRIES worlds."""
    counts: dict[str, Counter[str]] = {}
    for seed in range(TRIES):
        for part, outcome in outcomes(world(seed, **changes)).items():
            counts.setdefault(part, Counter())[outcome] += 1
    return counts


def test_wrong_verdicts_are_rare_on_the_edge_and_beside_it():
    """True effects on the edges: neither verdict more often than 2.5 % of the time, with 3.5 standard errors of 200 worlds."""
    most = TRIES * (FALSE + 3.5 * math.sqrt(FALSE * (1 - FALSE) / TRIES))
    edge = rates(
        variance=1.05, scaled_variance=0.95, shifted_variance=1.05, shifted_mean=0.05, planted=1.05, entropy_without=0.5,
        entropy_with=0.5, square=0.5, median=0.5, closed=1.1, loss_unscaled=0.06, loss_matched=0.06,
        other_rates_matched=1.711, rise_unscaled=0.4, gpt_mean=0.1, gpt_ratio=2.0, gpt_share=0.2, noise=2.0,
    )  # fmt: skip
    for part, counts in edge.items():
        assert counts["supported"] <= most, (part, counts)
        if part != "mean" and not part.startswith("instability"):  # which are far from their edges in this world
            assert counts["refuted"] <= most, (part, counts)


@pytest.mark.slow
@pytest.mark.parametrize("holds", [True, False])
def test_in_clear_worlds_no_wrong_verdict_is_reached(holds: bool):
    changes: dict[str, Any] = {} if holds else {key: value for _, fields in FLIPPED for key, value in fields.items()}
    changes.pop("planted", None)  # it is the control of the variances
    wrong = "refuted" if holds else "supported"
    counts = rates(**changes, noise=3.0)
    for part, found in counts.items():
        if part != "planted shift" and not (holds and part == "mean"):
            assert found[wrong] <= TRIES * FALSE, (part, found)


def test_nets_at_chance_show_nothing():
    found = judged(world(loss_scaled=GUESSING, loss_unscaled=GUESSING, loss_matched=GUESSING, other_rates=0.0, gpt_loss=2.9))
    for part, verdict in found.items():
        if part.startswith(("loss", "cause", "instability", "jumps", "GPT")):
            assert verdict.verdict == "inconclusive", part
            assert "not trained" in verdict.next_step or part == "instability"


@pytest.mark.parametrize(("task", "name"), [("copy", "test_loss"), ("copy", "start_variance"), ("language", "validation_loss")])
def test_what_is_no_number_decides_nothing(task: str, name: str):
    found = outcomes(without(world(), task, name, None))
    of = ("GPT",) if task == "language" else ("loss", "cause", "instability", "jumps")
    assert {found[part] for part in found if part.startswith(of)} <= {"inconclusive", "not measured"}


@pytest.mark.parametrize(
    ("task", "name", "parts"),
    [
        ("products", "normal 1 0 variance", {"variance"}),
        ("products", "normal 1 0 scaled variance", {"scaled variance"}),
        ("products", "normal 1 1 mean", {"mean", "mean, formula"}),
        ("products", "planted variance", {"planted shift"}),
        ("start", "unscaled entropy", {"saturation"}),
        ("start", "unscaled mean square of queries", {"gradients"}),
        ("start", "unscaled median of scores", {"typical gradient"}),
        ("language", "after from means", {f"{name}: share of the means" for name in GPT}),
    ],
)
def test_entries_that_are_no_numbers_are_not_measured(task: str, name: str, parts: set[str]):
    found = outcomes(without(world(), task, name, (math.nan, math.nan)))
    assert {found[part] for part in parts} == {"not measured"}


def test_missing_jobs_are_not_measured():
    assert set(outcomes(Evidence((), tuple(planned_jobs("attention-scale", SMALL)))).values()) == {"not measured"}
    assert set(outcomes(Evidence(())).values()) <= {"not measured", "inconclusive"}
    lost = outcomes(world(missing=lambda one: (one.params.get("arm"), one.params.get("lr"), one.seed) == ("unscaled", 1e-3, 3)))
    assert {lost[part] for part in lost if part.startswith(("loss", "jumps", "instability, "))} == {"not measured"}


def test_one_seed_and_one_draw_decide_nothing():
    one = replace(SMALL, seeds=1, draws=1)
    assert set(outcomes(world(recipe=one), one).values()) == {"inconclusive"}


def test_without_any_spread_nothing_is_decided():
    assert set(outcomes(world(noise=0.0)).values()) == {"inconclusive"}


def test_a_net_that_diverged_counts_as_guessing_in_the_average_over_rates_only():
    lost = world(loss_unscaled=0.012)

    def diverge(result: JobResult) -> JobResult:
        if result.params.get("arm") != "unscaled" or result.params["lr"] == 1e-2:
            return result
        kept = [replace(one, value=None) if one.name.endswith("_loss") else one for one in result.measurements]
        return replace(result, measurements=tuple(kept))

    found = judged(replace(lost, results=tuple(diverge(result) for result in lost.results)))
    assert found["instability, Adam"].verdict == "supported"
    assert found["instability, Adam"].effect == pytest.approx(2 * (GUESSING - 0.4) / 3, abs=0.05)
    assert found["loss, widest, Adam"].verdict == "refuted"


def test_a_best_rate_at_the_end_of_the_grid_decides_nothing():
    found = judged(world(best_rate=1e-1))
    for part in ("loss, widest, Adam", "loss, narrowest, Adam", "cause, Adam"):
        assert found[part].verdict == "inconclusive"
        assert "outermost" in found[part].next_step


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"planted": 1.04}, {"variance", "scaled variance", "variance with a mean", "mean, formula"}),
        ({"centered_mean": 0.3}, {"mean"}),
        ({"entropy_with": 0.4}, {"saturation"}),
        ({"entropy_without": 0.7}, {"no saturation"}),
        ({"median": 0.9}, {"gradients"}),
        ({"start_scaled": 64.0}, {"loss, widest, Adam", "cause, Adam", "instability, Adam", "instability"}),
        ({"start_matched": 8.0}, {"cause, Adam"}),
        ({"start_unscaled": 1 / 64}, {"loss, widest, Adam", "cause, Adam", "instability, Adam"}),
        ({"loss_unscaled": 0.012}, {"cause, Adam"}),
        ({"gpt_ratio_before": 3.0}, {f"{name}: variance" for name in GPT}),
    ],
    ids=lambda value: " ".join(map(str, value if isinstance(value, dict) else sorted(value))),
)
def test_a_check_that_fails_leaves_what_rests_on_it_open(changes: dict[str, Any], parts: set[str]):
    found = judged(world(**changes))
    for part in parts:
        assert found[part].verdict == "inconclusive", part
        assert "a check failed" in found[part].next_step or part == "instability", part


def test_the_largest_of_many_means_takes_account_of_their_number():
    arm = world().arm(running.Products)

    def deviation(result: JobResult) -> float:
        return at(result, "normal 1 0 variance", 0) - 16.0

    one = absolute(mean_interval([*arm.values(deviation).values()], 0.95))
    assert extreme(arm, [deviation], max).interval(0.95) == one
    many = extreme(arm, [deviation] * 30, max).interval(0.95)
    assert (
        many == extreme(arm, [deviation], max, family=30).interval(0.95) == extreme(arm, [deviation], max).interval(1 - 0.05 / 30)
    )
    assert many.high > one.high
    larger = extreme(arm, [deviation, lambda result: 3.0 + deviation(result)], max).interval(0.9)
    assert larger.estimate == pytest.approx(3.0, abs=0.3)
    assert extreme(arm, [deviation, lambda result: 3.0 + deviation(result)], min).interval(0.9).estimate == one.estimate


@pytest.mark.parametrize(("low", "high", "expected"), [(-0.2, 0.1, (0.0, 0.2)), (-0.3, -0.1, (0.1, 0.3)), (0.1, 0.3, (0.1, 0.3))])
def test_the_interval_of_an_absolute_value(low: float, high: float, expected: tuple[float, float]):
    found = absolute(Interval((low + high) / 2, low, high, 5))
    assert (found.low, found.high) == expected
    assert found.estimate == abs((low + high) / 2)


@pytest.mark.parametrize("preset", ["quick", "standard"])
def test_a_planted_shift_of_10_percent_is_seen_in_nine_runs_of_ten(preset: str):
    """Estimated variances scatter as those of products of normal entries do: Var(s²) = σ⁴ (2 + 6/d) / pairs."""
    recipe, rng = PRESETS[preset], np.random.default_rng(1)
    planned = [one for one in planned_jobs("attention-scale", recipe) if one.params["task"] == "products"]
    pairs = [recipe.pairs * min(products.MORE, recipe.widths[-1] // d) for d in recipe.widths]
    errors = [math.sqrt((2 + 6 / d) / n) for d, n in zip(recipe.widths, pairs, strict=True)]

    def seen(factor: float) -> bool:
        def measure(one: Job) -> list[Measurement]:
            values = [d * factor * (1 + rng.normal(0, error)) for d, error in zip(recipe.widths, errors, strict=True)]
            return [Measurement("planted variance", tuple(values))]

        evidence = evidence_of(planned, measure)
        return noticed(recipe, evidence.arm(running.Products)).passed is True

    assert np.mean([seen(PLANTED) for _ in range(60)]) >= 0.9
    assert not any(seen(1.0) for _ in range(20))


# ---- faults in the code that measures


FAULTY = replace(
    SMALL,
    widths=(16, 64),
    draws=12,
    pairs=1500,
    keys=32,
    repeats=4,
    trained=(32, 64),
    contexts=(8,),
    seeds=2,
    steps=20,
    tokens=64,
)


def remeasured(task: str, recipe: Recipe = FAULTY) -> dict[str, Verdict]:
    """The verdicts where the jobs of one task are really run, and the rest is as in the world where all holds."""
    made = world(recipe=recipe)
    fresh = {one.key(""): one for one in planned_jobs("attention-scale", recipe) if one.params["task"] == task}
    results = [
        replace(result, measurements=tuple(running.run(fresh[result.key]))) if result.key in fresh else result
        for result in made.results
    ]
    return {verdict.part: verdict for verdict in verdicts(recipe, Evidence(tuple(results)))}


def test_a_missing_scale_turns_verdicts_and_checks(monkeypatch: pytest.MonkeyPatch):
    assert remeasured("start")["no saturation"].verdict == "supported"
    assert remeasured("products")["scaled variance"].verdict != "refuted"
    monkeypatch.setattr(scores, "factor", lambda arm, width: 1.0)
    assert remeasured("products")["scaled variance"].verdict == "refuted"
    found = remeasured("start")
    assert found["no saturation"].verdict != "supported"
    assert "a check failed" in found["saturation"].next_step
    assert "a check failed" in found["gradients"].next_step or found["typical gradient"].verdict == "refuted"


def started(arm: str) -> float:
    """The variance of the scores of a net before training, over what the arm should have."""
    task = copying.Copy(
        arm=arm,
        optimizer="adam",
        width=64,
        keys=16,
        lr=1e-3,
        steps=20,
        batch=4,
        vocabulary=8,
        learned=0.1,  # type: ignore[arg-type]
    )
    found = {one.name: one.value for one in running.run(job(task))}
    return float(found["start_variance"]) / (64.0 if arm == "unscaled" else 1.0)  # type: ignore[arg-type]


def test_a_missing_scale_or_a_wrong_start_is_seen_before_training(monkeypatch: pytest.MonkeyPatch):
    assert [started(arm) for arm in ARMS] == pytest.approx([1, 1, 1], abs=0.25)
    with monkeypatch.context() as patched:
        patched.setattr(scores, "factor", lambda arm, width: 1.0)
        assert started("scaled") > 20
        assert "scores start with variance" in judged(world(start_scaled=started("scaled")))["loss, widest, Adam"].next_step
    with monkeypatch.context() as patched:
        patched.setattr(scores, "factor", lambda arm, width: 1 / math.sqrt(width))
        assert started("unscaled") < 0.1
        assert "scores start with variance" in judged(world(start_unscaled=started("unscaled")))["cause, Adam"].next_step


def test_a_wrong_gradient_turns_the_closed_form(monkeypatch: pytest.MonkeyPatch):
    assert remeasured("start")["gradients, closed form"].verdict != "refuted"
    plain = start.gradients

    def wrong(*tensors: Any) -> Any:
        weights, of_queries, of_scores = plain(*tensors)
        return weights, of_queries, 1.5 * of_scores

    monkeypatch.setattr(start, "gradients", wrong)
    assert remeasured("start")["gradients, closed form"].verdict == "refuted"


# ---- what is said


def test_whose_sentence_each_part_is():
    found = judged(world())
    assert {fragment for verdict in found.values() if verdict.quote for fragment in verdict.quote.split(" … ")} == set(
        catalog()["T3"].quotes
    )
    assert {part for part, verdict in found.items() if verdict.of == "report"} == {
        "variance", "scaled variance", "mean", "saturation", "gradients", "instability",
    }  # fmt: skip
    assert {part for part, verdict in found.items() if verdict.of == "rival"} == {"typical gradient"}
    assert {part for part, verdict in found.items() if verdict.of == "control"} == {"planted shift", "gradients, closed form"}
    assert all(verdict.edge for verdict in found.values())


@pytest.mark.parametrize("changes", [{}, {"loss_matched": 1.0}])
def test_the_answer_is_made_of_what_was_measured(changes: dict[str, Any]):
    evidence = world(**changes)
    (found,) = answers(SMALL, evidence, verdicts(SMALL, evidence))
    assert found.answer == "partly"
    assert "nan" not in found.sentence
    assert ("the start does the harm" in found.sentence) == (not changes)
    assert found.figure == figures(SMALL, evidence)[0].name


def test_without_results_the_answer_says_so():
    (found,) = answers(SMALL, Evidence(()), verdicts(SMALL, Evidence((), tuple(planned_jobs("attention-scale", SMALL)))))
    assert found.answer == "not measured"


def test_figures_are_drawn_of_whatever_there_is():
    assert_drawn(figures(SMALL, world()))
    assert figures(SMALL, Evidence(())) == []
    for task in ("products", "start", "copy", "language"):
        assert_drawn(figures(SMALL, world(missing=lambda one, task=task: one.params["task"] == task)))  # type: ignore[misc]
