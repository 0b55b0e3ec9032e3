"""Padding causes: the verdicts in worlds whose answer is known, and what each seeded fault turns."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import stats
from support.results import evidence_of, result

from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import read_task, task_name
from erlangen.experiments.padding_causes import PRESETS, Recipe
from erlangen.experiments.padding_causes.arms import ARMS
from erlangen.experiments.padding_causes.equal_fit import lead
from erlangen.experiments.padding_causes.evidence import MAPS
from erlangen.experiments.padding_causes.figures import figures
from erlangen.experiments.padding_causes.judge import answers, verdicts
from erlangen.experiments.padding_causes.map_parts import BORDERS, LARGER
from erlangen.experiments.padding_causes.ranks import spearman
from erlangen.experiments.padding_causes.reach import never_met
from erlangen.experiments.padding_causes.replicate_parts import MAGNIFIED
from erlangen.experiments.padding_causes.statements import CONTROLS, PARTS, QUOTES, RIVALS
from erlangen.experiments.padding_causes.tasks import Cause, Copies, Frame
from erlangen.records.runs import Answer, Job, Measurement, Verdict

STANDARD = PRESETS["standard"]
TOPS = (*range(3, 11), *range(19, 27))
SCORES = {
    "valid": 0.3, "valid 4x4": 8.0, "sconv": 6.5, "sconv 8x8": 80.0, "sconv 7x7": 2.7, "sconv center 6x6": 4.5,
    "sconv 5x5": 87.8, "fconv": 88.0, "fconv 12x12": 91.0, "fconv center 4x4": 6.4, "reflect": 0.0, "reflect rows": 0.0,
    "reflect columns": 99.0, "replicate": 94.0, "replicate rows": 61.0, "replicate columns": 98.0, "replicate x0.5": 92.0,
    "replicate x2": 85.0,
}  # fmt: skip
CUT = {name: never_met(border, TOPS) for name, border in ARMS.items()}
HEIGHT = {name: 0.9 - 0.9 * score / 100 for name, score in SCORES.items()}
COUNTS = {
    "images": 4000.0, "reflect_rows_pixels": 1900.0, "reflect_columns_pixels": 11000.0, "reflect_rows_opposite": 0.0,
    "reflect_columns_opposite": 0.0, "reflect_rows_images": 440.0, "reflect_columns_images": 1500.0,
    "reflect_rows_deep_images": 3700.0, "circular_columns_pixels": 5700.0, "circular_columns_opposite": 5700.0,
    "circular_reordered": 250.0, "replicate_reordered": 0.0, "replicate_larger": 380.0, "replicate_rows_images": 0.0,
}  # fmt: skip

Measured = dict[str, float | tuple[float, ...]]
Task = Cause | Frame | Copies
Change = Callable[[Task, int, Measured], Measured | None]


def same(task: Task, seed: int, made: Measured) -> Measured:
    return made


@cache
def jobs_of(recipe: Recipe) -> tuple[Job, ...]:
    return tuple(planned_jobs("padding-causes", recipe))


def world(
    scores: Mapping[str, float] | None = None,
    *,
    height: Mapping[str, float] | None = None,
    column: Mapping[str, float] | None = None,
    memorized: float = 0.0,
    few: float = 0.0,
    margins: Mapping[int, float] | None = None,
    far: float = 24.0,
    stopped: float = -6.0,
    scatter: float = 1.0,
    draw: int = 0,
    recipe: Recipe = STANDARD,
    change: Change = same,
) -> Evidence:
    """As if every arm scored so much once the heights are swapped, and held so much of the height, with noise over seeds.

    memorized: points that reflect nets lose on new images. few: what reflect scores from few images. margins: what it scores by
    margin. far: points that replicating the columns gains on boxes far apart. stopped: lead of replicate at fconv's validation
    accuracy. change: the last word on what a net measured; None where its job failed.
    """
    rng = np.random.default_rng(draw)
    accuracy, held = {**SCORES, **(scores or {})}, {**HEIGHT, **(height or {})}
    columns = {**dict.fromkeys(ARMS, 0.3), "replicate columns": 0.7, **(column or {})}
    by_margin = {margin: 0.0 if margin < 2 else 99.0 for margin in recipe.margins} | dict(margins or {})

    def noise(size: float) -> float:
        return scatter * size * float(rng.normal())

    def cause(task: Cause) -> Measured:
        test = (few if task.train < recipe.train and task.arm == "reflect" else accuracy[task.arm]) + noise(1.0)
        overfits = task.arm == "fconv" and task.train == recipe.control_images
        gap = 20.0 if overfits else memorized if task.arm == "reflect" else 2.0
        apart = (75.0 + far if task.arm == "replicate columns" else 75.0) + noise(1.5)
        made: Measured = {
            "validation_accuracy": 95.0 + noise(0.5), "train_accuracy": 99.0 + noise(0.2), "test_accuracy": test,
            "unseen_validation_accuracy": 99.0 - gap + noise(0.3), "unseen_test_accuracy": 0.8 * test + 0.2 * apart,
            "near_accuracy": test, "far_accuracy": apart,
            "cells": ARMS[task.arm].cells(), "never_met": CUT[task.arm], "shuffled_r2": -0.06 + noise(0.02),
            "shuffled_r2_untrained": -0.06 + noise(0.02), "place_r2": held[task.arm] + noise(0.02),
            "place_r2_untrained": held[task.arm] - 0.1 + noise(0.02), "column_r2": columns[task.arm] + noise(0.02),
            "order_r2": 0.5,
        }  # fmt: skip
        if task.curve:
            made["validation_accuracy"] = (89.0 if task.arm == "fconv" else 98.0) + noise(0.2)
            at = accuracy["fconv"] + stopped + noise(1.0)
            made |= {"validation_accuracy_by_epoch": (60.0, 89.0, 98.0), "test_accuracy_by_epoch": (60.0, at, test)}
        return {**made, **border(ARMS[task.arm].mode != "zeros", 600.0)}

    def border(copying: bool, away: float) -> Measured:
        made = {"near": 1000.0 - away, "near_changed": 0.95 * (1000 - away), "away": away, "away_changed": 0.0}
        return {f"border_{name}": value for name, value in made.items()} if copying else {}

    def frame(task: Frame) -> Measured:
        score = by_margin[task.margin] if task.arm == "reflect" else 99.5
        made: Measured = {"validation_accuracy": 99.8 + noise(0.1), "test_accuracy": score + noise(0.3)}
        return {**made, **border(task.arm == "reflect", 1000.0 if task.margin == 9 else 100.0)}

    def measure(job: Job) -> list[Measurement] | None:
        kind = next(kind for kind in (Cause, Frame, Copies) if job.params["task"] == task_name(kind))
        task: Task = read_task(kind, job)
        made: Measured | None = (
            cause(task) if isinstance(task, Cause) else frame(task) if isinstance(task, Frame) else dict(COUNTS)
        )
        made = change(task, job.seed, made or {})
        return None if made is None else [Measurement(name, value) for name, value in made.items()]

    return evidence_of(jobs_of(recipe), measure)


def judged(evidence: Evidence, recipe: Recipe = STANDARD) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes(evidence: Evidence, recipe: Recipe = STANDARD) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(evidence, recipe).items()}


def answered(evidence: Evidence, recipe: Recipe = STANDARD) -> dict[str, Answer]:
    return {answer.claim: answer for answer in answers(recipe, evidence, verdicts(recipe, evidence))}


REFUTED = {
    "larger maps", *LARGER, "spatial information", "information kept", "information and accuracy", "opposite sides", "overfit",
    "overfit: new images", "overfit: columns", "overfit: more images", "magnifies", "magnifies: rows", "magnifies: more",
}  # fmt: skip
EVERY = {part for parts in PARTS.values() for part in parts}
COUNTED = {"opposite sides", "shuffled heights", "without reordering", "zeros in a margin of 9", "zeros away from the border"}
TOGETHER = {"larger maps", "spatial information", "border", "overfit", "magnifies"}
STATISTICAL = EVERY - COUNTED - TOGETHER


def test_the_world_as_it_was_seen_once():
    found = outcomes(world())
    assert found == {part: "refuted" if part in REFUTED else "supported" for part in EVERY}
    said = answered(world())
    assert {claim: answer.answer for claim, answer in said.items()} == {"C5": "refuted", "C6": "partly", "C7": "partly"}
    assert all(len(answer.sentence) < 330 for answer in said.values())
    assert "not the size of the map" in said["C5"].sentence
    assert "no pattern is overfitted, but the mirrored rows give the height away" in said["C6"].sentence
    assert "but not because boxes are magnified" in said["C7"].sentence


def test_every_part_says_whose_it_is_and_quotes_the_report():
    found = verdicts(STANDARD, world())
    assert {verdict.part: verdict.quote for verdict in found if verdict.of == "report"} == QUOTES
    assert {verdict.part for verdict in found if verdict.of == "rival"} == set(RIVALS)
    assert {verdict.part for verdict in found if verdict.of == "control"} == set(CONTROLS)
    assert all(verdict.statement == PARTS[verdict.claim][verdict.part] for verdict in found)
    assert len(found) == len(EVERY)


def test_a_world_in_which_the_report_is_right():
    """Accuracy follows the cells and the height; reflection overfits on either axis; what is magnified helps."""
    scores = {name: min(5 + 18 * (math.isqrt(ARMS[name].cells()) - 2), 100.0) for name in MAPS}
    height = {name: 0.2 + score / 150 for name, score in scores.items()}
    scores |= {"reflect": 30.0, "reflect columns": 20.0, "reflect rows": 20.0}
    more = {"replicate": 12.0, "replicate rows": 12.0, "replicate columns": 12.0, "replicate x2": 21.0}
    scores |= {name: scores["fconv"] + lead for name, lead in more.items()}

    def across(task: Task, seed: int, made: Measured) -> Measured:
        return {**made, "reflect_columns_opposite": 11000.0} if isinstance(task, Copies) else made

    right = world(scores, height=height, memorized=20.0, change=across)
    found = outcomes(right)
    assert {part: found[part] for part in QUOTES} == dict.fromkeys(QUOTES, "supported")
    assert found["border"] == found["sconv 5x5 over 7x7"] == "refuted"
    said = answered(right)
    assert {answer.answer for answer in said.values()} == {"supported"}
    assert not any(" not " in answer.sentence or "no pattern" in answer.sentence for answer in said.values())


# Edges: where the truth lies on one, no more than 2.5 % of the verdicts may be wrong on either side

DRAWS = 200
ALLOWED = 12  # of 200: the 99.9 % quantile of a binomial with 2.5 %
STEP, READS = STANDARD.step, STANDARD.reads
NEEDED = {
    *(name for pairs in (LARGER, MAGNIFIED) for pair in pairs.values() for name in pair), "reflect", "reflect rows",
    "reflect columns", "fconv",
}  # fmt: skip
LEAN = replace(
    STANDARD, seeds=4, report_seeds=4, arms=tuple(name for name in ARMS if name in NEEDED), sizes=(250,), margins=(0, 9)
)


def shifted(side: float) -> Callable[[int], Evidence]:
    """A world in which every effect is on its edge, moved up by `side` thousandths of a point."""
    up = side * 1e-3
    base = dict.fromkeys(ARMS, 50.0)
    for part, (more, less) in LARGER.items():
        if part != "sconv 7x7 over 5x5":
            base[more] = base[less] + STEP + up
    base["sconv 5x5"] = base["sconv 7x7"] - STEP - up  # so that it is on the edge of that pair, too
    base |= {"reflect": base["fconv"] + up, "reflect columns": 50 - STEP + up, "reflect rows": 50 - STEP + up}
    base |= {"replicate": 50 + up, "replicate x2": 50 + 2 * up, "replicate rows": 50 + up, "replicate columns": 50 + up}
    height = dict.fromkeys(ARMS, 0.5) | {"fconv": 0.5 + READS + up, "replicate rows": 0.5 + 2 * READS + 2 * up}
    height |= {"reflect rows": 0.5 + READS + up}
    return lambda draw: world(
        base, height=height, column={"replicate columns": 0.3 + READS + up}, memorized=STANDARD.overfit + up, draw=draw,
        few=base["reflect"] - STEP - up, far=STANDARD.far + up, stopped=up, margins={0: 50.0, 9: 50.0 + STEP + up}, recipe=LEAN,
    )  # fmt: skip


RISING = {
    *LARGER, "information kept", "overfit: new images", "overfit: more images", "height at the border", "margin",
    "replicate > fconv", *MAGNIFIED, "column at the border", "far boxes", "rows give the height away",
}  # fmt: skip
FALLING = {"reflect < fconv", "overfit: columns", "rows", "equal fit"}


@pytest.mark.parametrize("side", [-1, 1])
def test_on_either_side_of_the_edge_wrong_verdicts_are_rare(side: int):
    wrong: Counter[str] = Counter()
    make = shifted(side)
    for draw in range(DRAWS):
        found = outcomes(make(draw), LEAN)
        for part in RISING | FALLING:
            holds = (side > 0) == (part in RISING)
            wrong[part] += found[part] == ("refuted" if holds else "supported")
    assert max(wrong.values()) <= ALLOWED, wrong
    assert len(wrong) == len(RISING | FALLING)


def test_every_statistical_part_is_tested_on_its_edge_or_by_ranks():
    ranks = {"information and accuracy", "weights and accuracy", "height before training"}
    assert {*RISING, *FALLING, *ranks, *BORDERS} == STATISTICAL


def test_accuracies_of_0_and_100_in_every_seed_are_decided_by_the_images():
    def flat(task: Task, seed: int, made: Measured) -> Measured:
        if not isinstance(task, Cause) or not task.arm.startswith("reflect"):
            return made
        score = 100.0 if task.arm == "reflect columns" else 0.0
        return {**made, "train_accuracy": 100.0, "unseen_validation_accuracy": 100.0, "test_accuracy": score}

    found = outcomes(world(change=flat))
    assert {part: found[part] for part in found if part.startswith("overfit")} == {
        "overfit": "refuted", "overfit: new images": "refuted", "overfit: columns": "refuted", "overfit: more images": "refuted",
    }  # fmt: skip
    assert found["reflect < fconv"] == found["rows"] == "supported"


def test_rank_correlations_are_scipys_and_need_numbers_that_vary():
    pairs = [(1.0, 2.0), (2.0, 1.0), (3.0, 3.0), (3.0, 5.0), (5.0, 4.0), (6.0, 6.0)]
    assert spearman(pairs) == stats.spearmanr(*zip(*pairs, strict=True)).statistic
    assert math.isnan(spearman([(1.0, float(k)) for k in range(10)]))
    assert math.isnan(spearman([*pairs, (math.nan, 1.0)]))


@pytest.mark.parametrize(("order", "outcome"), [(1, "refuted"), (0, "inconclusive"), (-1, "supported")])
def test_ranks_follow_what_orders_the_nets(order: int, outcome: str):
    """The accuracy follows the share of cut paths, upwards or downwards, or neither."""
    cut = {name: 50 + order * 60 * (CUT[name] - 0.2) for name in MAPS}
    assert outcomes(world(cut))["weights and accuracy"] == outcome


def test_at_equal_fit_the_epoch_nearest_to_the_fit_of_the_other_net_counts():
    job = jobs_of(STANDARD)[0]
    curves = {"validation_accuracy_by_epoch": (50.0, 87.0, 88.6, 99.0), "test_accuracy_by_epoch": (50.0, 80.0, 85.0, 97.0)}
    replicate = result(job, [Measurement(name, value) for name, value in curves.items()])
    fconv = result(job, [Measurement("validation_accuracy", 88.0), Measurement("test_accuracy", 86.0)])
    assert lead(replicate, fconv) == 85.0 - 86.0
    assert math.isnan(lead(fconv, fconv))


# Guards


def test_nets_at_chance_decide_nothing():
    def chance(task: Task, seed: int, made: Measured) -> Measured:
        return made if isinstance(task, Copies) else {**made, "validation_accuracy": 50.0 + seed}

    found = judged(world(change=chance))
    assert {found[part].verdict for part in STATISTICAL} == {"inconclusive"}
    assert {found[part].verdict for part in TOGETHER} == {"inconclusive"}
    assert "not trained" in found["sconv 5x5 over 7x7"].next_step


@pytest.mark.parametrize("arm", ["sconv 7x7", "reflect columns", "replicate rows"])
def test_one_net_that_was_not_trained_decides_nothing_of_its_arm(arm: str):
    def chance(task: Task, seed: int, made: Measured) -> Measured:
        return {**made, "validation_accuracy": 70.0} if isinstance(task, Cause) and task.arm == arm and seed == 1 else made

    honest, found = outcomes(world()), outcomes(world(change=chance))
    hurt = {part for part in found if found[part] != honest[part]}
    assert {found[part] for part in hurt} == {"inconclusive"}
    assert {part for part, arms in {**LARGER, **BORDERS, **MAGNIFIED}.items() if arm in arms} <= hurt


@pytest.mark.parametrize(
    "name",
    [
        "test_accuracy",
        "place_r2",
        "column_r2",
        "far_accuracy",
        "train_accuracy",
        "never_met",
        "shuffled_r2",
        "border_away_changed",
    ],
)
def test_numbers_that_are_not_finite_decide_nothing(name: str):
    def spoil(task: Task, seed: int, made: Measured) -> Measured:
        return {**made, name: math.nan} if seed == 1 and name in made else made

    honest, found = outcomes(world()), outcomes(world(change=spoil))
    hurt = {part for part in found if found[part] != honest[part]}
    assert hurt
    assert {found[part] for part in hurt} <= {"inconclusive", "not measured"}


def test_missing_jobs_are_not_measured():
    def lose(task: Task, seed: int, made: Measured) -> Measured | None:
        return None if isinstance(task, Copies) or seed == 3 else made

    found = outcomes(world(change=lose))
    assert {found[part] for part in EVERY - {"shuffled heights"}} == {"not measured"}
    assert set(outcomes(Evidence(())).values()) == {"not measured"}
    assert {answer.answer for answer in answered(Evidence(())).values()} == {"not measured"}


def test_one_seed_and_no_spread_support_and_refute_no_probe():
    one = replace(STANDARD, seeds=1, report_seeds=1)
    ranks = {"information and accuracy", "weights and accuracy", "height before training"}
    found = outcomes(world(recipe=one), one)
    assert {found[part] for part in STATISTICAL - ranks} == {"inconclusive"}
    still = outcomes(world(scatter=0.0))
    probes = {"information kept", "height at the border", "column at the border", "rows give the height away"}
    assert {still[part] for part in probes} == {"inconclusive"}


# Controls that can fail, and faults


def faulty(fault: str) -> Change:
    """What a fault of the measurement would leave in the results."""

    def change(task: Task, seed: int, made: Measured) -> Measured:
        if fault == "circular copies are counted beside the box" and isinstance(task, Copies):
            return {**made, "circular_columns_opposite": 0.0}
        if fault == "no reordering is ever seen" and isinstance(task, Copies):
            return {**made, "circular_reordered": 0.0}
        if fault == "copies are always zero" and "border_near_changed" in made:
            return {**made, "border_near_changed": 0.0}
        if fault == "borders are padded by another function" and "border_away" in made:
            return {**made, "border_away_changed": 3.0}
        if fault == "new images are training images" and isinstance(task, Cause):
            return {**made, "unseen_validation_accuracy": float(str(made["train_accuracy"])) - 0.1 * seed}
        if fault == "the probe reads its own labels" and isinstance(task, Cause):
            return {**made, "shuffled_r2": 0.9}
        if fault == "the probe reads nothing" and isinstance(task, Cause):
            return {**made, "place_r2": 0.01 * seed, "place_r2_untrained": 0.0}
        if fault == "the test is not swapped" and isinstance(task, Cause):
            return {**made, "test_accuracy": 97.0 + 0.3 * seed}
        if fault == "the margin is ignored" and isinstance(task, Frame):
            return {**made, "test_accuracy": 0.1 * seed}
        return made

    return change


@pytest.mark.parametrize(
    ("fault", "turned"),
    [
        ("circular copies are counted beside the box", {"opposite sides": "inconclusive"}),
        ("no reordering is ever seen", {"without reordering": "inconclusive"}),
        ("copies are always zero", {part: "inconclusive" for part in CONTROLS if part.startswith("zeros")}),
        ("borders are padded by another function", {part: "refuted" for part in CONTROLS if part.startswith("zeros")}),
        ("new images are training images", {"overfit: new images": "inconclusive"}),
        ("the probe reads its own labels", {"shuffled heights": "refuted"}),
        ("the probe reads nothing", {
            "information kept": "inconclusive", "shuffled heights": "inconclusive", "height at the border": "inconclusive",
        }),
        ("the test is not swapped", {
            "border": "refuted", "fconv over its center": "refuted", "rows": "refuted", "reflect < fconv": "refuted",
        }),
        ("the margin is ignored", {"margin": "inconclusive"}),
    ],
)  # fmt: skip
def test_each_fault_turns_a_verdict_or_a_control(fault: str, turned: dict[str, str]):
    found = outcomes(world(change=faulty(fault)))
    assert {part: found[part] for part in turned} == turned


# Presets and figures


@pytest.mark.parametrize("preset", PRESETS)
def test_figures_are_drawn_and_answers_point_to_them(preset: str):
    recipe = PRESETS[preset]
    made = world(recipe=recipe)
    names = [figure.name for figure in figures(recipe, made)]
    assert names[0] == "causes"
    said = answers(recipe, made, verdicts(recipe, made))
    assert {answer.figure for answer in said if answer.answer != "not measured"} <= set(names)
    assert len(set(names)) == len(names)
    assert figures(recipe, Evidence(())) == []


def test_the_quick_preset_refutes_that_the_size_of_the_map_decides():
    quick = PRESETS["quick"]
    found = outcomes(world(recipe=quick), quick)
    assert found["sconv 7x7 over 5x5"] == "refuted"
    assert found["sconv 5x5 over 7x7"] == found["margin"] == "supported"
    said = answered(world(recipe=quick), quick)
    assert [said[claim].answer for claim in ("C5", "C6", "C7")] == ["refuted", "not measured", "not measured"]
    assert "needs the arms reflect" in said["C6"].sentence
