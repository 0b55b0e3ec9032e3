"""Receptive field: the parts about which distances a net learns."""

from __future__ import annotations

from functools import partial

from erlangen.experiments.kit.evidence import Arm, Evidence, by_seed, read
from erlangen.experiments.kit.parts import AllOf, Check, Part
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.receptive_field import CLAIMS
from erlangen.experiments.receptive_field.counted_parts import nothing_unseen, unlearned_near
from erlangen.experiments.receptive_field.evidence import arm, learned, share, still_learning, tuning_check
from erlangen.experiments.receptive_field.plan import DEEP, DEEPEST, FAR, FARTHEST, MIDDLE, SHALLOW, Cell
from erlangen.experiments.receptive_field.recipe import Recipe
from erlangen.experiments.receptive_field.statements import QUOTES
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import Region, at_most, exceeds

said = partial(wording, CLAIMS, QUOTES)

NOT_LEARNED = {  # what struggles, by the report
    "20 columns, 10 layers": Cell("plain", DEEP, FAR),
    "20 columns, 16 layers": Cell("plain", DEEPEST, FAR),
    "20 columns, dilated": Cell("dilated", SHALLOW, FAR),
    "16 columns, residual": Cell("residual", DEEP, 16),
}
LEARNED = {
    "14 columns, dilated": Cell("dilated", SHALLOW, MIDDLE),
    "14 columns, 10 layers": Cell("plain", DEEP, MIDDLE),
    "16 columns, plain": Cell("plain", DEEP, 16),
    "inside, 10 layers": Cell("plain", DEEP, FAR),
    "inside, 16 layers": Cell("plain", DEEPEST, FARTHEST),
}
SPREAD = (18, FAR)  # distances at which a plain CNN of 10 layers is at its limit


def learning_parts(recipe: Recipe, evidence: Evidence) -> list[Part | AllOf]:
    """What struggles, what is learned, and why; what of it the recipe trains."""
    parts: list[Part | AllOf] = [
        not_learned(recipe, evidence, name, cell) for name, cell in NOT_LEARNED.items() if cell.distance in recipe.distances
    ]
    parts += [is_learned(recipe, evidence, name, cell) for name, cell in LEARNED.items() if cell.distance in recipe.distances]
    if recipe.distances:
        parts += attention_parts(recipe, evidence)
    if set(SPREAD) <= set(recipe.distances):
        parts.append(spread_start(recipe, evidence))
    if MIDDLE in recipe.distances:
        parts.append(
            AllOf(**said("cause: the field"), parts=("14 columns, 6 layers", "14 columns, dilated"), corrected=OTHERWISE)
        )
    if 16 in recipe.distances:
        parts.append(AllOf(**said("residual, 16 columns"), parts=("16 columns, plain", "16 columns, residual")))
    return parts


OTHERWISE = "The net with the narrow field learns it too, or the one with the wide field does not."


def not_learned(recipe: Recipe, evidence: Evidence, name: str, cell: Cell) -> Part:
    """At most so many trainings learn the distance: nothing is concluded from nets that learn nothing else either."""
    region = at_most(recipe.most, why="a net that learns it in half of the trainings or fewer struggles")
    return share_part(recipe, evidence, name, cell, region)


def is_learned(recipe: Recipe, evidence: Evidence, name: str, cell: Cell) -> Part:
    """More than so many trainings learn it."""
    return share_part(recipe, evidence, name, cell, exceeds(recipe.most, why="more than half of the trainings"))


def share_part(recipe: Recipe, evidence: Evidence, name: str, cell: Cell, region: Region) -> Part:
    """The share of trainings that learn the distance, against a region."""
    trained = arm(evidence, cell)
    return Part(
        **said(name),
        effect=share(trained),
        region=region,
        unit="share of trainings that learn it",
        bounds=(0.0, 1.0),
        untrained=unfinished(recipe, trained),
        checks=checks(recipe, evidence, cell, trained),
        corrected=lambda interval: f"It is learned in {100 * interval.estimate:.0f} % of the trainings.",
        note=f"At most {recipe.steps:,} updates. {of_field(cell)}",
    )


def stuck(recipe: Recipe, trained: Arm) -> bool:
    """Whether so few have learned that one has to ask whether they could have."""
    return share(trained).interval(0.95).estimate <= recipe.most


def unfinished(recipe: Recipe, trained: Arm) -> tuple[str, ...]:
    """Nets that were still learning, where few have learned: more training could only raise the share."""
    return still_learning(trained, recipe.plateau) if stuck(recipe, trained) else ()


def checks(recipe: Recipe, evidence: Evidence, cell: Cell, trained: Arm) -> tuple[Check, ...]:
    """Where few learn: that they can learn something, and were tuned. Where many do: that no net learns what it cannot see."""
    if stuck(recipe, trained):
        return tuning_check(evidence, cell), trainable(evidence, cell)
    return (nothing_unseen(evidence),)


def of_field(cell: Cell) -> str:
    """'Field: 21 columns; 20 columns and 22 must be told apart.'"""
    told = f"{cell.distance} columns and {cell.distance + 2} must be told apart."
    return told if cell.field is None else f"Field: {cell.field} columns; {told}"


def trainable(evidence: Evidence, cell: Cell) -> Check:
    """The positive control of a net that does not learn: the same net learns a nearer distance in every training."""
    near = {"dilated": MIDDLE}.get(cell.net, 6)
    short = unlearned_near(evidence, Cell(cell.net, cell.layers, near))
    return Check(f"the same net learns {near} columns in every training", None if short is None else short == 0)


def attention_parts(recipe: Recipe, evidence: Evidence) -> list[Part | AllOf]:
    """One layer of attention at the nearest distance of the recipe and at the farthest."""
    names = {"attention, nearest": recipe.distances[0], "attention, farthest": recipe.distances[-1]}
    cells = {name: Cell("relative", 1, distance) for name, distance in names.items()}
    parts: list[Part | AllOf] = [is_learned(recipe, evidence, name, cell) for name, cell in cells.items()]
    return [*parts, AllOf(**said("attention, any distance"), parts=tuple(names))]


def spread_start(recipe: Recipe, evidence: Evidence) -> Part:
    """How many of the two far distances a spread start learns, less those of He's start, seed by seed."""
    arms = [arm(evidence, Cell(net, DEEP, distance)) for net in ("spread", "plain") for distance in SPREAD]

    def gain(*results: JobResult) -> float:
        wide, narrow = (sum(read(result, learned) for result in some) for some in (results[:2], results[2:]))
        return wide - narrow

    return Part(
        **said("spread start"),
        effect=by_seed(gain, *arms, test="t interval over seeds of paired differences"),
        region=exceeds(recipe.more, why="a quarter of a distance, of two, is one seed in four"),
        unit="distances learned, of two",
        bounds=(-2.0, 2.0),
        checks=(nothing_unseen(evidence),),
        corrected="A wider start does not help.",
        note=f"Plain CNNs of {DEEP} layers at {SPREAD[0]} and {SPREAD[1]} columns; field: {2 * DEEP + 1} columns in either case.",
    )
