"""Receptive field: the verdicts in worlds whose answer is known, and what each seeded fault turns."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from support.figures import assert_drawn
from support.results import evidence_of

from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import read_task, task_name
from erlangen.experiments.receptive_field import PRESETS
from erlangen.experiments.receptive_field.effective_parts import attention_evenness, growth, trained_growth, widening
from erlangen.experiments.receptive_field.evidence import arm, best, counted, settings_of, tuning_check
from erlangen.experiments.receptive_field.extent_parts import extent_parts, predicted
from erlangen.experiments.receptive_field.figures import figures
from erlangen.experiments.receptive_field.judge import answers, verdicts
from erlangen.experiments.receptive_field.learning_parts import LEARNED, NOT_LEARNED, is_learned, not_learned, spread_start
from erlangen.experiments.receptive_field.plan import Cell
from erlangen.experiments.receptive_field.recipe import Recipe
from erlangen.experiments.receptive_field.statements import PARTS, QUOTES
from erlangen.experiments.receptive_field.tasks import Effect, Extent, Learn
from erlangen.records.runs import Answer, Job, Measurement, Verdict

MADE_UP = Recipe(rates=(5e-4, 1e-3, 2e-3), depths=(2, 8, 32))
NEVER = {Cell("plain", 10, 18): 0.5, Cell("plain", 10, 20): 0.0, Cell("residual", 10, 16): 0.0, Cell("plain", 16, 28): 0.0}
"""The share of trainings that learn a cell, where it is not all of those that see both marks."""

Measured = dict[str, float | tuple[float, ...]]
Task = Extent | Effect | Learn
Change = Callable[[Task, int, Measured], Measured | None]


def same(task: Task, seed: int, made: Measured) -> Measured:
    return made


@cache
def jobs_of(recipe: Recipe) -> tuple[Job, ...]:
    return tuple(planned_jobs("receptive-field", recipe))


def world(
    shares: Mapping[Cell, float] | None = None,
    *,
    exponent: float = 0.5,
    after: float = -0.3,
    wider: float = 1.5,
    even: float = 1.0,
    scatter: float = 1.0,
    draw: int = 0,
    recipe: Recipe = MADE_UP,
    change: Change = same,
    jobs: tuple[Job, ...] = (),
) -> Evidence:
    """As if CNNs learned what they see, but for NEVER or `shares`, and fields grew with the depth to the power `exponent`.

    after: what training on a near distance adds to the exponent; wider: by how much training widens a field; even: attention's
    evenness. change: the last word on what a job measured; None where it failed. jobs: by default all of the recipe's.
    """
    rng = np.random.default_rng(draw)
    scale = {"plain": 0.8, "residual": 0.7, "relative": 0.1}

    def noise(size: float) -> float:
        return math.exp(scatter * size * float(rng.normal()))

    def extent(task: Extent) -> Measured:
        depths = range(1, task.layers + 1)
        read = tuple(float(predicted(task.field, task.kernel, depth)) for depth in depths)
        zeros = (0.0,) * task.layers
        return {"read": read, "wrong": zeros, "wrong_if_smaller": (5.0,) * task.layers, "cases": (100.0,) * task.layers}

    def effect(task: Effect) -> Measured:
        near = task.net == "relative"
        return {
            "deviation": scale[task.net] * task.layers**exponent * noise(0.05), "evenness": even * noise(0.05) if near else 0.001,
            "own": 0.99 if near else 0.01, "side": 3, "map": (0.1,) * 4 + (0.2,) + (0.1,) * 4,
        }  # fmt: skip

    def learn(task: Learn) -> Measured:
        cell = Cell(task.net, task.layers, task.distance)
        blind = cell.outside or task.net == "unordered"
        likely = 0.0 if blind else (NEVER if shares is None else shares).get(cell, 1.0)
        learned = bool(rng.random() < likely)
        power = after * math.log(task.layers) if task.distance == 6 and task.net == "plain" else 0.0
        before = 0.8 * task.layers**exponent * noise(0.03)
        factor = wider * noise(0.1) if task.distance > 6 else math.exp(power) * noise(0.03)
        loss = 0.005 if learned else math.log(2)
        made: Measured = {
            "test_accuracy": 100.0 if learned else 50.0, "validation_loss": loss, "train_loss": loss, "late_loss": loss,
            "updates": 100.0 if learned else float(task.steps), "deviation_before": before, "deviation_after": before * factor,
            "columns_before": (0.2, 0.6, 0.2), "columns_after": (0.3, 0.4, 0.3), "logit_gap": 0.0 if blind else 0.5,
        }  # fmt: skip
        return made if cell.field is None else {**made, "differing": 0 if blind else 400, "features": 4096, "field": cell.field}

    def measure(job: Job) -> list[Measurement] | None:
        kind = next(kind for kind in (Extent, Effect, Learn) if job.params["task"] == task_name(kind))
        task = read_task(kind, job)
        made = change(task, job.seed, {Extent: extent, Effect: effect, Learn: learn}[kind](task))  # type: ignore[operator]
        return None if made is None else [Measurement(name, value) for name, value in made.items()]

    return evidence_of(jobs or jobs_of(recipe), measure)


def judged(evidence: Evidence, recipe: Recipe = MADE_UP) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes(evidence: Evidence, recipe: Recipe = MADE_UP) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(evidence, recipe).items()}


def answered(evidence: Evidence, recipe: Recipe = MADE_UP) -> Answer:
    (only,) = answers(recipe, evidence, verdicts(recipe, evidence))
    return only


def test_the_world_as_theory_and_known_trainings_have_it():
    found = outcomes(world(scatter=0.3))
    refuted = {"20 columns, 16 layers", "20 columns, dilated", "inside, 10 layers", "inside, 16 layers"}
    assert {part for part, outcome in found.items() if outcome == "refuted"} == refuted | {"spread start"} - {"spread start"}
    assert {part for part, outcome in found.items() if outcome != "supported"} == refuted
    answer = answered(world(scatter=0.3))
    assert answer.answer == "partly"
    assert "20 columns are learned in 0 of 16 trainings by a CNN of 10 layers, whose field has 21" in answer.sentence
    assert (
        "21, 16 of 16 by one of 16 layers, 16 of 16 by 6 dilated layers and 16 of 16 by one layer of attention."
        in answer.sentence
    )
    assert len(answer.sentence) < 400


def test_every_part_is_judged_once_and_says_whose_it_is():
    found = verdicts(MADE_UP, world())
    assert [verdict.part for verdict in found] == list(PARTS)
    assert {verdict.part: verdict.quote for verdict in found if verdict.of == "report"} == QUOTES
    assert all(verdict.statement == PARTS[verdict.part] for verdict in found)
    assert {verdict.part for verdict in found if verdict.of == "rival"} == {"effective field", "training widens it"}
    assert {verdict.part for verdict in found if verdict.of == "control"} == {"well inside", "outside", "without positions"}


def test_a_world_in_which_the_report_is_right_and_one_in_which_its_cause_is_not():
    weak = {cell: 0.0 for name, cell in NOT_LEARNED.items()}
    right = world({**NEVER, **weak})
    assert {outcomes(right)[part] for part in QUOTES} == {"supported"}
    assert answered(right).answer == "supported"
    useless = world({**NEVER, Cell("dilated", 6, 14): 0.0})
    assert outcomes(useless)["cause: the field"] == "inconclusive"  # a dilated CNN that learns nothing may be broken
    assert outcomes(useless)["14 columns, dilated"] == "inconclusive"


@pytest.mark.parametrize(("share", "outcome"), [(0.0, "supported"), (0.5, "inconclusive"), (1.0, "refuted")])
@pytest.mark.parametrize("part", sorted(NOT_LEARNED))
def test_struggling_has_an_edge(part: str, share: float, outcome: str):
    evidence = world({**NEVER, NOT_LEARNED[part]: share}, draw=1)
    assert decide([not_learned(MADE_UP, evidence, part, NOT_LEARNED[part])])[0].verdict == outcome


@pytest.mark.parametrize(("share", "outcome"), [(1.0, "supported"), (0.5, "inconclusive")])
@pytest.mark.parametrize("part", sorted(LEARNED))
def test_learning_has_an_edge(part: str, share: float, outcome: str):
    evidence = world({**NEVER, LEARNED[part]: share}, draw=1)
    assert decide([is_learned(MADE_UP, evidence, part, LEARNED[part])])[0].verdict == outcome


def test_a_relation_inside_the_field_that_is_not_learned_refutes_that_inside_is_enough():
    found = judged(world())
    assert found["inside, 10 layers"].verdict == "refuted"
    assert found["inside, 10 layers"].corrected == "It is learned in 0 % of the trainings."


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exponent": 1.0}, {"effective field": "refuted", "effective field, residual": "refuted"}),
        ({"exponent": 0.3}, {"effective field": "refuted", "effective field, residual": "refuted"}),
        ({"wider": 1.0}, {"training widens it": "refuted"}),
        ({"after": 0.0}, {"effective field, trained": "refuted"}),
        ({"even": 0.1}, {"attention, far and near": "refuted"}),
    ],
)
def test_other_worlds_refute_what_theory_has(changes: dict[str, float], expected: dict[str, str]):
    found = outcomes(world(**changes, scatter=0.3))  # type: ignore[arg-type]
    assert {part: found[part] for part in expected} == expected


# The choice of a setting


def test_a_half_of_the_seeds_has_no_part_in_the_choice_of_its_setting():
    """A rate at which only even seeds learn is the best for them, and is given to the odd ones, which do not learn at it."""
    cell = Cell("plain", 10, 20)

    def parity(task: Task, seed: int, made: Measured) -> Measured:
        if not isinstance(task, Learn) or (task.net, task.layers, task.distance) != ("plain", 10, 20):
            return made
        learns = {5e-4: seed % 2 == 0, 1e-3: seed % 2 == 1}.get(task.lr, False) and task.pool == "mean"
        return {**made, "test_accuracy": 100.0 if learns else 50.0, "validation_loss": 0.005 if learns else math.log(2)}

    evidence = world(change=parity)
    settings = settings_of(evidence, cell)
    assert best(settings, range(0, 16, 2)) == ("mean", 5e-4)
    assert best(settings, range(1, 16, 2)) == ("mean", 1e-3)
    trained = arm(evidence, cell)
    assert {seed: result.params["lr"] for seed, result in trained.results.items()} == {
        seed: 1e-3 if seed % 2 == 0 else 5e-4 for seed in range(16)
    }
    assert set(trained.values("test_accuracy").values()) == {50.0}


def test_of_settings_that_teach_as_many_the_quickest_is_best():
    def quick(task: Task, seed: int, made: Measured) -> Measured:
        return {**made, "updates": 40.0} if isinstance(task, Learn) and task.lr == 2e-3 and "updates" in made else made

    assert best(settings_of(world(change=quick), Cell("plain", 10, 16)), range(16)) == ("mean", 2e-3)


def at_rate(rate: float, pool: str, seeds: int) -> Change:
    """Ten layers learn 20 columns at this rate alone, in so many seeds."""

    def change(task: Task, seed: int, made: Measured) -> Measured:
        if not isinstance(task, Learn) or (task.net, task.layers, task.distance) != ("plain", 10, 20):
            return made
        learns = task.lr == rate and task.pool == pool and seed < seeds
        return {**made, "test_accuracy": 100.0, "validation_loss": 0.005} if learns else made

    return change


@pytest.mark.parametrize(
    ("rate", "pool", "passed"), [(5e-4, "mean", False), (1e-3, "mean", True), (2e-3, "mean", False), (1e-3, "max", False)]
)
def test_a_best_rate_at_the_end_of_those_tried_decides_nothing_of_what_is_not_learned(rate: float, pool: str, passed: bool):
    evidence = world(change=at_rate(rate, pool, 2))
    assert tuning_check(evidence, Cell("plain", 10, 20)).passed is passed
    verdict = judged(evidence)["20 columns, 10 layers"]
    assert verdict.verdict in (("supported", "inconclusive") if passed else ("inconclusive",))
    assert ("the best learning rate and pool" in verdict.next_step) is not passed
    many = judged(world(change=at_rate(rate, pool, 16)))["20 columns, 10 layers"]
    assert many.verdict == "refuted"  # a better rate could only teach it more


# Wrong verdicts on the edge, over many draws. The intervals of a claim hold together at 95 %: a part errs less often still

DRAWS = 200
ALLOWED = 12  # of 200: the 99.9 % quantile of a binomial with 2.5 %
LEAN = replace(MADE_UP, seeds=8, rates=(1e-3,))
ON_EDGE = {("plain", 10, distance) for distance in (14, 18, 20)} | {("spread", 10, 18), ("spread", 10, 20)}
ON_EDGE |= {("plain", layers, 6) for layers in (4, 6, 10, 16)}


@cache
def on_edge() -> tuple[Job, ...]:
    """The jobs behind the parts that the test below looks at."""
    net = [(job, tuple(job.params.get(name) for name in ("net", "layers", "distance"))) for job in jobs_of(LEAN)]
    return tuple(job for job, place in net if job.params["task"] == "effect" or place in ON_EDGE)


@pytest.mark.parametrize("side", [-1, 1])
def test_on_either_side_of_the_edge_wrong_verdicts_are_rare(side: int):
    """side: 1 where the true values lie just above every edge."""
    wrong: Counter[str] = Counter()
    far, middle, share, gain = Cell("plain", 10, 20), Cell("plain", 10, 14), 0.5 + side * 1e-3, LEAN.more * (1 + side * 1e-3) / 2
    shares = {far: share, middle: share, Cell("plain", 10, 18): 0.5}
    shares |= {Cell("spread", 10, 18): 0.5 + gain, Cell("spread", 10, 20): share + gain}
    for draw in range(DRAWS):
        made = world(
            shares, exponent=0.6 + side * 1e-3, after=-0.1 + side * 1e-3, even=0.5 * (1 + side * 1e-3), draw=draw, recipe=LEAN,
            jobs=on_edge(),
        )  # fmt: skip
        parts = [
            (growth(LEAN, made, "plain"), side < 0), (trained_growth(LEAN, made), side < 0),
            (attention_evenness(LEAN, made), side > 0), (not_learned(LEAN, made, "20 columns, 10 layers", far), side < 0),
            (is_learned(LEAN, made, "14 columns, 10 layers", middle), side > 0), (spread_start(LEAN, made), side > 0),
        ]  # fmt: skip
        found = decide([replace(part, untrained=(), checks=()) for part, _ in parts])  # guards could only hide an error
        for verdict, (_, holds) in zip(found, parts, strict=True):
            wrong[verdict.part] += verdict.verdict == ("refuted" if holds else "supported")
    assert max(wrong.values(), default=0) <= ALLOWED, wrong


@pytest.mark.parametrize("side", [-1, 1])
def test_on_either_side_of_a_ratio_that_matters_wrong_verdicts_are_rare(side: int):
    jobs = tuple(job for job in on_edge() if job.params.get("distance") == 14)
    found = Counter(
        decide([widening(LEAN, world(wider=1.1 * (1 + side * 1e-3), draw=draw, recipe=LEAN, jobs=jobs))])[0].verdict
        for draw in range(DRAWS)
    )
    assert found["refuted" if side > 0 else "supported"] <= ALLOWED


@pytest.mark.parametrize("level", [0.95, 0.9975])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_the_interval_of_a_share_covers_it(share: float, level: float):
    """The exact probability of a miss, summed over how many of 16 trainings may learn."""
    intervals = [counted([1.0] * learned + [0.0] * (16 - learned), level) for learned in range(17)]
    misses = [not interval.low <= share <= interval.high for interval in intervals]
    probability = [math.comb(16, learned) * share**learned * (1 - share) ** (16 - learned) for learned in range(17)]
    assert sum(p for p, miss in zip(probability, misses, strict=True) if miss) <= 1 - level


# Guards


def every_number(task: Task, seed: int, made: Measured) -> Measured:
    return {name: (math.nan,) * len(value) if isinstance(value, tuple) else math.nan for name, value in made.items()}


@pytest.mark.parametrize("recipe", [MADE_UP, replace(MADE_UP, seeds=1)])
def test_numbers_that_are_not_finite_decide_nothing(recipe: Recipe):
    found = outcomes(world(change=every_number, recipe=recipe), recipe)
    assert set(found.values()) <= {"inconclusive", "not measured"}


@pytest.mark.parametrize("name", ["test_accuracy", "validation_loss", "deviation_after", "deviation", "evenness", "wrong"])
def test_one_number_that_is_not_finite_decides_nothing_that_rests_on_it(name: str):
    def spoil(task: Task, seed: int, made: Measured) -> Measured:
        if name not in made or (isinstance(task, Learn) and seed != 1):
            return made
        return {**made, name: (math.nan,) * len(made[name]) if name == "wrong" else math.nan}  # type: ignore[arg-type]

    honest, found = outcomes(world()), outcomes(world(change=spoil))
    hurt = {part for part in found if found[part] != honest[part]}
    assert hurt
    assert {found[part] for part in hurt} <= {"inconclusive", "not measured"}


def test_one_seed_decides_nothing_but_what_is_counted():
    recipe = replace(MADE_UP, seeds=1)
    found = {part: verdict for part, verdict in judged(world(recipe=recipe), recipe).items() if verdict.kind == "statistical"}
    assert {verdict.verdict for verdict in found.values()} == {"inconclusive"}


def test_fields_of_no_spread_decide_nothing():
    flat = outcomes(world(scatter=0.0))
    for part in ("effective field", "effective field, trained", "training widens it", "attention, far and near"):
        assert flat[part] == "inconclusive", part


def test_missing_jobs_are_not_measured():
    def lose(task: Task, seed: int, made: Measured) -> Measured | None:
        lost = isinstance(task, Learn) and (task.net, task.layers) == ("plain", 10) and seed == 3 and task.pool == "max"
        return None if lost else made

    found = judged(world(change=lose))
    for part in ("20 columns, 10 layers", "14 columns, 10 layers", "training widens it", "16 columns, plain", "well inside"):
        assert found[part].verdict == "not measured", part
    assert "run the same command again" in found["20 columns, 10 layers"].next_step
    nothing = judged(Evidence((), jobs_of(MADE_UP)))
    assert {verdict.verdict for verdict in nothing.values()} == {"not measured"}
    assert answered(Evidence((), jobs_of(MADE_UP))).answer == "not measured"


def test_nets_at_chance_support_nothing_and_refute_nothing():
    """Nothing is learned at any distance: then what is not learned far away says nothing either."""

    def chance(task: Task, seed: int, made: Measured) -> Measured:
        return {**made, "test_accuracy": 50.0, "updates": 1200.0} if isinstance(task, Learn) else made

    found = judged(world(change=chance))
    learned_or_not = {*NOT_LEARNED, *LEARNED, "cause: the field", "14 columns, 6 layers", "outside", "identical features"}
    for part in (*learned_or_not, "attention, any distance", "training widens it", "effective field, trained"):
        assert found[part].verdict == "inconclusive", part
    assert found["well inside"].verdict == "refuted"
    assert "the same net learns 6 columns in every training" in found["20 columns, 10 layers"].next_step


def test_nets_that_are_still_learning_decide_nothing_where_few_have_learned():
    def falling(task: Task, seed: int, made: Measured) -> Measured:
        stuck = isinstance(task, Learn) and made["test_accuracy"] == 50.0 and task.net not in ("unordered",)
        return {**made, "late_loss": float(str(made["train_loss"])) + 0.03} if stuck else made

    found = judged(world(change=falling))
    assert found["20 columns, 10 layers"].verdict == "inconclusive"
    assert "still falling" in found["20 columns, 10 layers"].next_step
    assert found["20 columns, 16 layers"].verdict == "refuted"


def test_a_few_nets_that_have_not_learned_are_left_out_of_trained_fields_and_many_are_not():
    def some(seeds: int) -> Change:
        def change(task: Task, seed: int, made: Measured) -> Measured:
            short = isinstance(task, Learn) and (task.layers, task.distance) in ((10, 14), (10, 6)) and seed < seeds
            return {**made, "test_accuracy": 50.0, "deviation_after": 0.1} if short else made

        return change

    few, many = (judged(world(change=some(seeds), scatter=0.3)) for seeds in (3, 9))
    for part in ("training widens it", "effective field, trained"):
        assert (few[part].verdict, few[part].n) == ("supported", 13)
        assert many[part].verdict == "inconclusive"
        assert "not trained" in many[part].next_step


def test_images_that_give_the_distance_away_are_noticed():
    """A net that learns what it cannot see: then nothing that is learned counts."""

    def leak(task: Task, seed: int, made: Measured) -> Measured:
        seen = isinstance(task, Learn) and Cell(task.net, task.layers, task.distance).outside
        return {**made, "test_accuracy": 100.0, "validation_loss": 0.001, "differing": 3.0} if seen else made

    found = outcomes(world(change=leak))
    assert {found[part] for part in ("outside", "identical features", "14 columns, 6 layers", "cause: the field")} == {"refuted"}
    for part in ("14 columns, 10 layers", "14 columns, dilated", "attention, farthest", "16 columns, plain"):
        assert found[part] == "inconclusive", part
    assert found["well inside"] == "inconclusive"


def test_a_measure_that_finds_all_features_alike_supports_nothing():
    def alike(task: Task, seed: int, made: Measured) -> Measured:
        return {**made, "differing": 0.0} if "differing" in made else made

    verdict = judged(world(change=alike))["identical features"]
    assert verdict.verdict == "inconclusive"
    assert "features differ in every net that has learned" in verdict.next_step


def test_logits_that_are_always_alike_support_nothing_and_one_that_differs_refutes():
    def alike(task: Task, seed: int, made: Measured) -> Measured:
        return {**made, "logit_gap": 0.0} if "logit_gap" in made else made

    def apart(task: Task, seed: int, made: Measured) -> Measured:
        blind = isinstance(task, Learn) and task.net == "unordered" and seed == 2
        return {**made, "logit_gap": 1e-9} if blind else made

    assert outcomes(world(change=alike))["without positions"] == "inconclusive"
    assert outcomes(world(change=apart))["without positions"] == "refuted"


def test_a_net_that_is_right_everywhere_by_a_millionth_has_not_learned():
    """Half of the nets that learn nothing are right about all images of the torus, which are one image for each distance."""

    def lucky(task: Task, seed: int, made: Measured) -> Measured:
        if not isinstance(task, Learn) or (task.net, task.layers, task.distance) != ("plain", 10, 20):
            return made
        return {**made, "test_accuracy": 100.0 if seed % 2 else 0.0, "validation_loss": math.log(2) - 1e-6, "logit_gap": 1e-6}

    found = judged(world(change=lucky))["20 columns, 10 layers"]
    assert (found.verdict, found.effect) == ("supported", 0.0)


EXTENT_JOBS = tuple(job for job in jobs_of(MADE_UP) if job.params["task"] == "extent")


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("convolution", "CNN, each layer"), ("residual", "CNN, residual"), ("dilated", "CNN, stride or dilation"),
        ("strided", "CNN, stride or dilation"), ("full", "attention, one layer"), ("causal", "attention, causal"),
        ("window", "attention, window"),
    ],
)  # fmt: skip
def test_one_input_or_one_size_against_the_formula_refutes_it(field: str, part: str):
    def changed(name: str, value: float) -> Change:
        def change(task: Task, seed: int, made: Measured) -> Measured:
            if not isinstance(task, Extent) or task.field != field:
                return made
            return {**made, name: (*made[name][:-1], value)}  # type: ignore[index]

        return change

    def found(change: Change) -> dict[str, str]:
        return {verdict.part: verdict.verdict for verdict in decide(extent_parts(world(change=change, jobs=EXTENT_JOBS)))}

    for name, value in (("wrong", 1.0), ("read", 2.0)):
        outcome = found(changed(name, value))
        assert {other for other in outcome if outcome[other] != "supported"} == {part}
        assert outcome[part] == "refuted"
    assert found(changed("wrong_if_smaller", 0.0))[part] == "inconclusive"


# Presets, answers, figures


def test_quick_judges_the_cause_and_leaves_the_far_distances_out():
    quick = PRESETS["quick"]
    found = outcomes(world(recipe=quick, scatter=0.3), quick)
    assert found["cause: the field"] == found["14 columns, 10 layers"] == "supported"
    assert not {part for part in found if part.startswith(("20", "16", "inside", "spread"))}
    answer = answered(world(recipe=quick, scatter=0.3), quick)
    assert answer.answer == "partly"
    assert "14 columns are learned in 0 of 9 trainings by a CNN of 6 layers, whose field has 13" in answer.sentence


def test_without_distances_the_sentence_stays_whole():
    recipe = replace(MADE_UP, distances=())
    answer = answered(world(recipe=recipe), recipe)
    assert answer.sentence.endswith("and attention's is global from the first.")


def test_figures_of_a_whole_run_are_drawn():
    drawn = figures(MADE_UP, world())
    assert [figure.name for figure in drawn] == ["fields", "learned", "growth", "training", "settings", "extents"]
    assert_drawn(drawn)
    learned = next(figure for figure in drawn if figure.name == "learned")
    shares = {(row[0], row[2]): row[4] for row in learned.rows}
    assert shares["plain CNN, 10 layers", 20] == 0
    assert shares["attention, 1 layer", 28] == 100
    assert next(figure for figure in drawn if figure.name == "settings").rows
