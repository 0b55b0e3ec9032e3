"""Word order: the verdicts in worlds whose answer is known, and what each seeded fault turns."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from support.results import evidence_of

from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Part
from erlangen.experiments.kit.tasks import read_task, task_name
from erlangen.experiments.word_order.ability_parts import bound_reached, rows
from erlangen.experiments.word_order.bounds import bound
from erlangen.experiments.word_order.judge import answers, verdicts
from erlangen.experiments.word_order.reading_parts import apart_sentences, learns_order
from erlangen.experiments.word_order.recipe import Recipe
from erlangen.experiments.word_order.statements import ARMS, DEEPER, PARTS, QUOTES, row_name, rows_of
from erlangen.experiments.word_order.tasks import Puzzle, Sentences, Text
from erlangen.records.runs import Answer, Job, JobResult, Measurement, Verdict

MADE_UP = Recipe(rates=(3e-3,))
BAGS = ("encoder", "causal, 1 layer")
ROWS = {
    row_name(task, arm, depth): (task, arm, depth) for arm in ARMS for task, depth in rows_of(arm) if (task, depth) != ("text", 6)
}
POOR = {name for name, (_, arm, _) in ROWS.items() if arm in BAGS}
TOLD = ("two sentences, causal, 2 layers", "two sentences, causal, 6 layers")
ROTARY, WORST, BEST = 99.0, 2.1, 1.5  # right in percent; nats without order and with rotary positions

Measured = dict[str, float | tuple[float, ...]]
Change = Callable[[Sentences | Puzzle | Text, int, Measured], Measured | None]


def same(task: Sentences | Puzzle | Text, seed: int, made: Measured) -> Measured:
    return made


def blind(task: Sentences | Puzzle | Text) -> bool:
    """Whether the words are a bag to the net."""
    return task.positions == "none" and (task.net == "encoder" or task.depth == 1)


@cache
def jobs_of(recipe: Recipe) -> tuple[Job, ...]:
    return tuple(planned_jobs("word-order", recipe))


def world(
    scores: Mapping[str, float] | None = None,
    *,
    stop: float = 0.6,
    gap: float = 0.98,
    above: float = 0.0,
    scatter: float = 1.0,
    draw: int = 0,
    recipe: Recipe = MADE_UP,
    change: Change = same,
) -> Evidence:
    """As if every net without positions got so far to rotary positions: nothing where it is blind, 0.98 elsewhere.

    stop: error / spread of the two sentences to nets that are not blind; gap: of their probabilities once trained. above: points
    by which counts alone are above the bound. change: the last word on what a net measured; None where its job failed.
    """
    rng = np.random.default_rng(draw)

    def noise(size: float) -> float:
        return scatter * size * float(rng.normal())

    def read(task: Sentences | Puzzle | Text) -> Measured:
        error = 1e-15 if blind(task) else 0.4
        made: Measured = {}
        for when in ("random", "trained"):
            made |= {f"{when}_errors": (error,) * 4, f"{when}_leak_errors": (max(error, 0.003),) * 4, f"{when}_size": 2.0}
        return made

    def sentences(task: Sentences) -> Measured:
        apart = 0.0 if blind(task) else (gap if task.positions == "none" else 0.97) + noise(0.01)
        far = 1e-15 if blind(task) else (stop if task.positions == "none" else 0.6) * (1 + noise(0.05))
        return {
            **read(task), "random_stop": far, "trained_stop": far, "random_last_word": 1.5,
            "first_taken_for_first": 0.5 + apart / 2, "second_taken_for_first": 0.5 - apart / 2,
        }  # fmt: skip

    def score(task: Puzzle | Text, name: str) -> float:
        return (
            {part: 0.0 if part in POOR else 0.98 for part in ROWS}[name] if scores is None or name not in scores else scores[name]
        )

    def puzzle(task: Puzzle) -> Measured:
        least = bound(task.puzzle)
        if task.net == "bag":
            loss = 1.0 + abs(math.log(task.lr / recipe.bag_rates[1]))
            return {"test_accuracy": least + above + noise(0.8), "right": least, "validation_loss": loss}
        right = ROTARY
        if task.positions == "none":
            right = least + (ROTARY - least) * score(task, row_name(task.puzzle, arm_of(task), task.depth))
        right += noise(0.5)
        return {
            **read(task), "right": right, "test_accuracy": right, "validation_accuracy": right, "late_accuracy": right - 0.5,
            "validation_loss": 1.0,
        }  # fmt: skip

    def text(task: Text) -> Measured:
        if task.net == "bag":
            tuned = 0.1 * abs(math.log(task.lr / recipe.bag_rates[1]))
            loss = WORST + noise(0.003) + tuned
            return {"test_loss": loss, "validation_loss": WORST + tuned, "late_loss": loss + 0.03}
        loss = BEST
        if task.positions == "none":
            loss = WORST + (BEST - WORST) * score(task, row_name("text", arm_of(task), task.depth))
        loss += noise(0.003)
        return {**read(task), "test_loss": loss, "validation_loss": loss + 0.005, "late_loss": loss + 0.01}

    def measure(job: Job) -> list[Measurement] | None:
        kind = next(kind for kind in (Sentences, Puzzle, Text) if job.params["task"] == task_name(kind))
        task = read_task(kind, job)
        made = {Sentences: sentences, Puzzle: puzzle, Text: text}[kind](task)  # type: ignore[operator]
        made = change(task, job.seed, made)
        return None if made is None else [Measurement(name, value) for name, value in made.items()]

    return evidence_of(jobs_of(recipe), measure)


def arm_of(task: Puzzle | Text) -> str:
    return "encoder" if task.net == "encoder" else f"causal, {task.depth} layer{'s' * (task.depth > 1)}"


def judged(evidence: Evidence, recipe: Recipe = MADE_UP) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes(evidence: Evidence, recipe: Recipe = MADE_UP) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(evidence, recipe).items()}


def answered(evidence: Evidence, recipe: Recipe = MADE_UP) -> Answer:
    (only,) = answers(recipe, evidence, verdicts(recipe, evidence))
    return only


def test_the_world_as_theory_has_it():
    found = judged(world())
    for arm in ARMS:
        expected = "supported" if arm in BAGS else "refuted"
        assert found[f"two sentences, {arm}"].verdict == expected, arm
        assert found[f"any task, {arm}"].verdict == expected, arm
    assert {found[f"any order, {arm}"].verdict for arm in BAGS} == {"supported"}
    assert {found[f"learns order, {arm}"].verdict for arm in DEEPER} == {"supported"}
    assert {name: found[name].verdict for name in ROWS} == {name: "supported" if name in POOR else "refuted" for name in ROWS}
    assert {found[part].verdict for part in ("position leak", "bound, marks", "bound, reverse")} == {"supported"}
    assert answered(world()).answer == "partly"


def test_every_part_is_judged_once_and_says_whose_it_is():
    found = verdicts(MADE_UP, world())
    assert Counter(verdict.part for verdict in found) == Counter(part for part in PARTS if part != "text, causal, 6 layers")
    assert {verdict.part: verdict.quote for verdict in found if verdict.of == "report"} == QUOTES
    assert all(verdict.statement == PARTS[verdict.part] for verdict in found)
    assert {verdict.part for verdict in found if verdict.of == "rival"} == {f"learns order, {arm}" for arm in DEEPER}
    assert {verdict.part for verdict in found if verdict.of == "control"} == {"position leak", "bound, marks", "bound, reverse"}


def test_a_world_in_which_the_report_is_right_and_one_in_which_no_net_is_a_bag():
    bag = dict.fromkeys(ROWS, 0.0)
    right = outcomes(world(bag, stop=1e-5, gap=0.0))
    assert {right[part] for part in (*QUOTES, *ROWS)} == {"supported"}
    assert {right[f"learns order, {arm}"] for arm in DEEPER} == {"refuted"}
    assert answered(world(bag, stop=1e-5, gap=0.0)).answer == "supported"

    def seeing(task: Sentences | Puzzle | Text, seed: int, made: Measured) -> Measured:
        if task.net == "bag":
            return made
        return {**made, **{name: (0.4,) * 4 for name in made if name.endswith("errors")}, "random_stop": 0.5, "trained_stop": 0.5}

    none = outcomes(world(dict.fromkeys(ROWS, 0.9), change=seeing))
    assert {none[f"two sentences, {arm}"] for arm in BAGS} == {"refuted"}
    assert {none[f"any order, {arm}"] for arm in BAGS} == {"refuted"}
    assert {none[f"any task, {arm}"] for arm in ARMS} == {"refuted"}


@pytest.mark.parametrize(
    ("score", "outcome"), [(-2.0, "supported"), (0.05, "supported"), (0.1, "inconclusive"), (0.2, "refuted")]
)
@pytest.mark.parametrize("row", sorted(ROWS))
def test_very_poorly_has_an_edge(row: str, score: float, outcome: str):
    assert outcomes(world({row: score}))[row] == outcome


@pytest.mark.parametrize("row", sorted(ROWS))
def test_one_task_that_is_learned_refutes_any_task_and_no_other_arm(row: str):
    _, arm, _ = ROWS[row]
    found = judged(world({**dict.fromkeys(ROWS, 0.0), row: 0.98}))
    assert {other for other in ARMS if found[f"any task, {other}"].verdict == "refuted"} == {arm}
    assert row in found[f"any task, {arm}"].next_step


# Wrong verdicts on the edge, over many draws. The intervals of a claim hold together at 95 %: a part errs less often still

DRAWS = 200
ALLOWED = 12  # of 200: the 99.9 % quantile of a binomial with 2.5 %
LEAN = replace(MADE_UP, depths=(2,), text_depths=(2,))
STATISTICAL = (*TOLD, *(f"learns order, {arm}" for arm in DEEPER), *(row for row, (_, _, depth) in ROWS.items() if depth == 2))


def statistical_parts(evidence: Evidence) -> list[Part]:
    sentences = [part for arm in DEEPER for part in (apart_sentences(LEAN, evidence, arm), learns_order(evidence, arm))]
    return [*sentences, *rows(LEAN, evidence), bound_reached(LEAN, evidence, "marks")]


@pytest.mark.parametrize("side", [-1, 1])
def test_on_either_side_of_the_edge_wrong_verdicts_are_rare(side: int):
    """side: 1 where the true values lie just above every edge."""
    wrong: Counter[str] = Counter()
    scores = dict.fromkeys(ROWS, LEAN.poor + side * 1e-4)
    for draw in range(DRAWS):
        made = world(
            scores, stop=LEAN.seen * (1 + side * 1e-3), gap=0.5 + side * 1e-4, above=5.0 + side * 0.001, draw=draw, recipe=LEAN
        )
        found = {verdict.part: verdict.verdict for verdict in decide(statistical_parts(made))}
        for part in (*STATISTICAL, "bound, marks"):
            holds = side > 0 if part.startswith("learns order") else side < 0
            wrong[part] += found[part] == ("refuted" if holds else "supported")
    assert max(wrong.values()) <= ALLOWED, wrong


# Guards


@pytest.mark.parametrize(("row", "other"), [("marks, causal, 2 layers", "reverse, causal, 2 layers")])
@pytest.mark.parametrize("level", [50.0, 69.0, 20.0, 34.0])
def test_rotary_positions_at_chance_decide_nothing(row: str, other: str, level: float):
    def chance(task: Sentences | Puzzle | Text, seed: int, made: Measured) -> Measured:
        if isinstance(task, Puzzle) and task.puzzle == "marks" and task.positions == "rotary":
            return {**made, "right": level, "test_accuracy": level}
        return made

    for scores in ({row: 0.0}, {row: 0.98}, None):
        found = judged(world(scores, change=chance))
        for name, (task, _, _) in ROWS.items():
            assert task != "marks" or found[name].verdict == "inconclusive", name
        assert "rotary positions seed 0" in found[row].next_step
        assert "needs 70" in found[row].next_step
        assert found[other].verdict == "refuted"


def test_a_text_on_which_order_gains_too_little_decides_nothing():
    def flat(task: Sentences | Puzzle | Text, seed: int, made: Measured) -> Measured:
        return {**made, "test_loss": WORST - 0.09} if isinstance(task, Text) and task.positions == "rotary" else made

    found = judged(world(change=flat))
    assert {found[f"text, causal, {depth}"].verdict for depth in ("1 layer", "2 layers")} == {"inconclusive"}
    assert "nats better than no order, needs 0.1" in found["text, causal, 2 layers"].next_step


def still_rising(task: Sentences | Puzzle | Text, seed: int, made: Measured) -> Measured:
    """One net of each arm gained much in the last third of its training."""
    if task.net == "bag" or task.positions == "rotary" or seed != 2:
        return made
    if isinstance(task, Puzzle):
        return {**made, "late_accuracy": float(str(made["validation_accuracy"])) - 2.5}
    return {**made, "late_loss": float(str(made["validation_loss"])) + 0.03} if isinstance(task, Text) else made


def test_a_poor_net_that_is_still_learning_decides_nothing_unless_it_is_blind():
    poor = world(dict.fromkeys(ROWS, 0.0), change=still_rising)
    found = judged(poor)
    assert {name for name in ROWS if found[name].verdict == "inconclusive"} == set(ROWS) - POOR
    assert {found[name].verdict for name in POOR} == {"supported"}  # whatever it gains, the bound is above it
    assert "seed 2 (still gaining: 2.5 points)" in found["marks, causal, 2 layers"].next_step
    assert "seed 2 (still gaining: 0.03 nats)" in found["text, causal, 2 layers"].next_step
    good = outcomes(world(change=still_rising))
    assert {good[name] for name in set(ROWS) - POOR} == {"refuted"}  # more training would only refute it more


@pytest.mark.parametrize("name", ["right", "test_loss", "random_stop", "first_taken_for_first", "trained_errors", "random_size"])
def test_numbers_that_are_not_finite_decide_nothing(name: str):
    def spoil(task: Sentences | Puzzle | Text, seed: int, made: Measured) -> Measured:
        broken = (math.nan,) * 4 if name.endswith("errors") else math.nan
        return {**made, name: broken} if seed == 1 and name in made else made

    honest, found = judged(world()), judged(world(change=spoil))
    hurt = {part for part in found if found[part].verdict != honest[part].verdict}
    assert hurt
    assert {found[part].verdict for part in hurt} <= {"inconclusive", "not measured"}
    concerned = {"right": set(ROWS) - {row for row in ROWS if row.startswith("text")}, "random_stop": set(TOLD)}
    assert concerned.get(name, set()) <= hurt


def test_missing_jobs_are_not_measured():
    def lose(task: Sentences | Puzzle | Text, seed: int, made: Measured) -> Measured | None:
        return None if seed == 3 and (task.net, task.depth, task.positions) == ("causal", 2, "none") else made

    found = judged(world(change=lose))
    for part in (*TOLD[:1], "learns order, causal, 2 layers", *(row for row in ROWS if row.endswith("causal, 2 layers"))):
        assert found[part].verdict == "not measured", part
        assert "run the same command again" in found[part].next_step
    assert found["any task, causal, 2 layers"].verdict == "not measured"
    assert found["any task, causal, 6 layers"].verdict == "refuted"
    assert set(outcomes(Evidence(())).values()) == {"not measured"}
    assert answered(Evidence(())).answer == "not measured"


def test_a_missing_net_at_any_rate_or_of_the_bound_is_not_measured():
    def lose(task: Sentences | Puzzle | Text, seed: int, made: Measured) -> Measured | None:
        return None if task.net == "bag" and seed == 0 and task.lr == MADE_UP.bag_rates[0] else made

    found = outcomes(world(change=lose))
    assert {part for part, verdict in found.items() if verdict == "not measured"} >= {
        "text, causal, 1 layer", "bound, marks", "bound, reverse",
    }  # fmt: skip


def test_one_seed_and_no_spread_decide_no_statistical_part():
    one = replace(MADE_UP, seeds=1)
    found = outcomes(world(recipe=one), one)
    still = outcomes(world(scatter=0.0))
    for part in (*STATISTICAL, *ROWS, "bound, marks", "bound, reverse"):
        assert found[part] == "inconclusive", part
        assert still[part] == "inconclusive", part


# Controls that can fail


def test_a_bag_tuned_at_an_end_of_its_rates_bounds_nothing():
    def lowest(task: Sentences | Puzzle | Text, seed: int, made: Measured) -> Measured:
        return {**made, "validation_loss": task.lr} if isinstance(task, Text) and task.net == "bag" else made

    found = judged(world(change=lowest))
    assert found["text, causal, 2 layers"].verdict == "inconclusive"
    assert "counts alone at 0.002 is an outermost one" in found["text, causal, 2 layers"].next_step


def test_on_a_text_deeper_nets_are_held_against_the_better_of_two_that_see_no_order():
    strong = judged(world({"text, causal, 1 layer": 0.5, "text, causal, 2 layers": 0.5}))
    assert strong["text, causal, 1 layer"].verdict == "refuted"
    assert strong["text, causal, 2 layers"].verdict == "supported"  # no better than one layer, which sees no order
    assert "causal, 1 layer, no positions" in strong["text, causal, 2 layers"].note
    assert "counts alone" in judged(world())["text, causal, 2 layers"].note


def faulty(fault: str) -> Change:
    """What a fault of the measurement would leave in the results."""

    def change(task: Sentences | Puzzle | Text, seed: int, made: Measured) -> Measured:
        if task.net == "bag":
            return made
        if fault == "positions leak at 1 %" and blind(task):
            return {
                **made, "random_errors": (0.003,) * 4, "trained_errors": (0.003,) * 4,
                **({"random_stop": 0.003, "trained_stop": 0.003} if isinstance(task, Sentences) else {}),
            }  # fmt: skip
        if fault == "the measure sees nothing":
            return {
                name: (0.0,) * 4 if name.endswith("errors") else 0.0 if name.endswith("stop") else value
                for name, value in made.items()
            }
        if fault == "the last token moves, too" and isinstance(task, Sentences):
            return {**made, "random_stop": 1.5, "trained_stop": 1.5}
        if fault == "nets are not trained" and isinstance(task, Sentences):
            return {**made, "first_taken_for_first": 0.5 + 0.01 * seed, "second_taken_for_first": 0.5}
        if fault == "rotary positions are never handed on" and task.positions == "rotary":
            return {**made, "right": 50.0, "test_loss": WORST, "first_taken_for_first": 0.5, "second_taken_for_first": 0.5}
        return made

    return change


@pytest.mark.parametrize(
    ("fault", "turned"),
    [
        ("positions leak at 1 %", {
            **{f"two sentences, {arm}": "refuted" for arm in BAGS}, **{f"any order, {arm}": "refuted" for arm in BAGS},
            **dict.fromkeys(TOLD, "inconclusive"),
        }),
        ("the measure sees nothing", {
            **{f"two sentences, {arm}": "inconclusive" for arm in BAGS}, **{f"any order, {arm}": "inconclusive" for arm in BAGS},
            "position leak": "refuted",
        }),
        ("the last token moves, too", {
            **{f"two sentences, {arm}": "refuted" for arm in BAGS}, **dict.fromkeys(TOLD, "inconclusive"),
        }),
        ("nets are not trained", {
            **{f"two sentences, {arm}": "inconclusive" for arm in BAGS},
            **{f"learns order, {arm}": "inconclusive" for arm in DEEPER},
        }),
        ("rotary positions are never handed on", {
            **{f"two sentences, {arm}": "inconclusive" for arm in BAGS}, **dict.fromkeys(ROWS, "inconclusive"),
            **{f"any task, {arm}": "inconclusive" for arm in ARMS},
        }),
    ],
)  # fmt: skip
def test_each_fault_turns_a_verdict_or_a_control(fault: str, turned: dict[str, str]):
    found = outcomes(world(change=faulty(fault)))
    assert {part: found[part] for part in turned} == turned


def test_rounding_is_of_the_outputs_where_they_hardly_vary():
    def collapsed(size: float) -> Change:
        def change(task: Sentences | Puzzle | Text, seed: int, made: Measured) -> Measured:
            if not blind(task) or task.net == "bag":
                return made
            return {**made, "trained_errors": (9e-10,) * 4, "trained_size": size, "trained_leak_errors": (1e-4,) * 4}

        return change

    assert outcomes(world(change=collapsed(1e3)))["any order, encoder"] == "supported"
    assert outcomes(world(change=collapsed(8e2)))["any order, encoder"] == "refuted"


# The answer


def test_the_answer_is_made_of_numbers():
    made = answered(world())
    assert (made.claim, made.figure, made.beyond) == ("T6", "sentences", "")
    assert made.sentence.startswith(
        "Without positions the report's two sentences are one bag of words to an encoder and a causal net of 1 layer, and are "
        "two different inputs to a causal net of 2 layers and a causal net of 6 layers. Trained to tell them apart, one causal "
        "layer gives the right sentence a probability of 50.0 %, and two layers 9"
    )
    assert " Without positions, 1, 2 and 6 causal layers say which of two marks came first in " in made.sentence
    assert made.sentence.endswith(" % (at best 34.0 % without order).")
    report = answered(world(dict.fromkeys(ROWS, 0.0), stop=1e-5, gap=0.0)).sentence  # nothing of it is fixed but the words
    assert "one bag of words to an encoder, a causal net of 1 layer, a causal net of 2 layers and a causal net of 6" in report
    assert "two different inputs" not in report
    without = replace(MADE_UP, depths=())
    assert "marks" not in answered(world(recipe=without), without).sentence


def test_a_text_of_the_users_own_is_said(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("text") / "book.txt"
    path.write_text("It was a dark night. " * 99, encoding="utf-8")
    own = replace(MADE_UP, corpus=str(path))
    made = answered(world(recipe=own), own)
    assert made.beyond == "on your text (book.txt): does not judge the report's statement"
    assert "book.txt" in judged(world(recipe=own), own)["text, causal, 2 layers"].note


def test_results_that_lack_a_measurement_are_not_measured():
    def empty(result: JobResult) -> JobResult:
        return replace(result, measurements=())

    bare = Evidence(tuple(map(empty, world().results)))
    assert set(outcomes(bare).values()) == {"not measured"}
