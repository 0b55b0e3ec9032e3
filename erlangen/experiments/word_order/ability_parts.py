"""Word order: the parts about what a net without positions can do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

from erlangen.experiments.kit.evidence import Arm, Evidence, by_seed, group
from erlangen.experiments.kit.parts import AllOf, Part
from erlangen.experiments.kit.texts import text_title
from erlangen.experiments.kit.tuning import tuning_check
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.word_order import CLAIMS
from erlangen.experiments.word_order.bounds import bound
from erlangen.experiments.word_order.evidence import (
    best_unordered,
    on_puzzle,
    on_text,
    puzzle_score,
    still_learning,
    text_score,
)
from erlangen.experiments.word_order.recipe import Recipe
from erlangen.experiments.word_order.statements import ARMS, QUOTES, row_name, rows_of
from erlangen.experiments.word_order.tasks import PuzzleName
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import Region, at_most, within

said = partial(wording, CLAIMS, QUOTES)
UNIT = "of the way to rotary positions"


def measured_rows(recipe: Recipe, arm: str) -> list[tuple[str, int]]:
    """The tasks and layers of an arm that this recipe trains."""
    return [(task, depth) for task, depth in rows_of(arm) if depth in (recipe.text_depths if task == "text" else recipe.depths)]


def rows(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """A part for each task that each arm is trained on."""
    return [
        on_text_row(recipe, evidence, arm, depth) if task == "text" else on_puzzle_row(recipe, evidence, task, arm, depth)
        for arm in ARMS
        for task, depth in measured_rows(recipe, arm)
    ]


def any_task(recipe: Recipe, arm: str) -> AllOf:
    """All tasks of an arm together, as the report has it."""
    names = tuple(row_name(task, arm, depth) for task, depth in measured_rows(recipe, arm))
    return AllOf(
        **said(f"any task, {arm}"),
        parts=names,
        corrected="There are tasks that it learns.",
        note=f"Holds only if it does on each of {len(names)}: {'; '.join(names)}.",
    )


def poor(recipe: Recipe) -> Region:
    """Where the score of a net lies that performs very poorly."""
    share = f"{100 * recipe.poor:g} %"
    return at_most(recipe.poor, why=f"{share} of what order is worth, with rotary positions in the same net, is very poor")


def corrected(score: Interval) -> str:
    """What is true where it is not very poor."""
    return f"It gets {100 * score.estimate:.3g} % of the way to the same net with rotary positions."


def on_puzzle_row(recipe: Recipe, evidence: Evidence, task: str, arm: str, depth: int) -> Part:
    """How far from the exact bound a net without positions gets towards the same net with rotary positions."""
    puzzle, net = cast(PuzzleName, task), arm.split(",")[0]
    none, rotary = (on_puzzle(evidence, puzzle, net, depth, positions).arm for positions in ("none", "rotary"))
    effect = puzzle_score(puzzle, none, rotary)
    least = bound(puzzle)
    return Part(
        **said(row_name(task, arm, depth)),
        effect=effect,
        region=poor(recipe),
        unit=UNIT,
        untrained=(
            *rotary.below("right", least + recipe.fit),
            *while_poor(recipe, none, effect.interval(0.95), still_learning(none, "accuracy", recipe.plateau, "points")),
        ),
        corrected=corrected,
        note=f"The best predictor that sees no order is right in exactly {least:.1f} %. Score: mean probability of the right "
        "answer.",
    )


def on_text_row(recipe: Recipe, evidence: Evidence, arm: str, depth: int) -> Part:
    """The same on a text, where the best predictor that sees no order is trained."""
    none, rotary = (on_text(evidence, "causal", depth, positions).arm for positions in ("none", "rotary"))
    counts, least = on_text(evidence, "bag", 1, "none"), best_unordered(evidence, depth)
    effect = text_score(none, rotary, least.arm)
    return Part(
        **said(row_name("text", arm, depth)),
        effect=effect,
        region=poor(recipe),
        unit=UNIT,
        untrained=(
            *no_headroom(recipe, rotary, least.arm),
            *while_poor(recipe, none, effect.interval(0.95), still_learning(none, "loss", recipe.text_plateau, "nats")),
        ),
        checks=(tuning_check(counts),),
        corrected=corrected,
        note=f"{text_title(recipe.corpus)}. The best predictor that sees no order: {least.arm.name.removeprefix('text, ')}.",
    )


def while_poor(recipe: Recipe, none: Arm, score: Interval, rising: tuple[str, ...]) -> tuple[str, ...]:
    """Nets that are still learning, where that matters: it could only raise a score, so not where it is above the edge."""
    return () if score.low > recipe.poor else rising


def no_headroom(recipe: Recipe, rotary: Arm, unordered: Arm) -> tuple[str, ...]:
    """The seeds in which rotary positions gain too little on a predictor that sees no order."""
    least = unordered.values("test_loss")
    gains = {seed: least[seed] - loss for seed, loss in rotary.values("test_loss").items() if seed in least}
    return tuple(
        f"{rotary.name} seed {seed} ({gain:.2g} nats better than no order, needs {recipe.text_fit:g})"
        for seed, gain in gains.items()
        if not gain >= recipe.text_fit
    )


def bound_reached(recipe: Recipe, evidence: Evidence, puzzle: PuzzleName) -> Part:
    """The positive control of an exact bound: a trained predictor that sees no order comes as close to it as matters."""
    counts, least = on_puzzle(evidence, puzzle, "bag", 1, "none").arm, bound(puzzle)
    edge = recipe.poor * (100 - least)
    return Part(
        **said(f"bound, {puzzle}", of="control"),
        effect=by_seed(
            lambda result: result.value("test_accuracy") - least, counts, groups=[group(counts, "test_accuracy", "%")]
        ),
        region=within(edge, why=f"{100 * recipe.poor:g} % of the way from the bound to 100 %"),
        unit="points above the bound",
        bounds=(-least, 100 - least),
        corrected="It does not: train it for longer.",
    )


def bounds_reached(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """This control for each puzzle."""
    puzzles: Sequence[PuzzleName] = ("marks", "reverse") if recipe.depths else ()
    return [bound_reached(recipe, evidence, puzzle) for puzzle in puzzles]
