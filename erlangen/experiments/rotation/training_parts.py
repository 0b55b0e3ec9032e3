"""C10: what training on rotated images brings and costs, after as many epochs and after more."""

from __future__ import annotations

import math

import numpy as np

from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, by_seed
from erlangen.experiments.kit.parts import AnyPart, Check, Part
from erlangen.experiments.rotation import Recipe
from erlangen.experiments.rotation.claims import is_cifar10, words
from erlangen.experiments.rotation.curve_effects import angles_above, largest_deviation
from erlangen.experiments.rotation.curve_parts import TOLERANCE
from erlangen.experiments.rotation.evidence import arm, over_both, right, slope, untrained
from erlangen.experiments.rotation.tasks import angles
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import at_most, between, exceeds

STATED_COST = 70.0 - 48.0  # points, in the report's words
STATED = 48.0  # percent upright after training on rotated images, in the report's words
LEAST, LEVEL = 10, 0.5  # epochs, and the share of the longer training, over which the slope is taken


def training_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """All parts of the claim for which the recipe has arms."""
    parts: list[AnyPart] = []
    if {"plain", "augmented"} <= set(recipe.arms):
        plain, augmented = arm(evidence, "plain"), arm(evidence, "augmented")
        parts += gain_parts(recipe, plain, augmented)
        if "augmented" in recipe.longer and recipe.long > recipe.epochs:
            parts += longer_parts(recipe, plain, augmented)
    return parts


def gain_parts(recipe: Recipe, plain: Arm, augmented: Arm) -> list[AnyPart]:
    """The angles that improve, and what upright images lose, after as many epochs."""
    short = untrained(recipe, recipe.epochs, plain, augmented)
    count = len(angles(recipe.step))

    def change(theirs: JobResult, ours: JobResult) -> np.ndarray:
        difference: np.ndarray = right(ours, recipe.epochs) - right(theirs, recipe.epochs)
        return difference

    parts: list[AnyPart] = [
        Part(
            **words("most angles"),
            effect=angles_above(0.0, change, plain, augmented),
            region=exceeds(count / 2, why=f"more than half of the {count} angles"),
            unit="angles", bounds=(0, count), untrained=short,
        ),
        Part(
            **words("upright cost"),
            effect=over_both(lambda theirs, ours: -change(theirs, ours)[0], plain, augmented),
            region=exceeds(recipe.cost, why=f"a cost of more than {recipe.cost:g} points"),
            unit="points", bounds=(-100, 100), untrained=short, published=STATED_COST if is_cifar10(recipe.data) else None,
        ),
    ]  # fmt: skip
    if is_cifar10(recipe.data):
        parts.append(
            Part(
                **words("0.48 upright"),
                effect=over_both(lambda ours: right(ours, recipe.epochs)[0], augmented),
                region=between(STATED - TOLERANCE, STATED + TOLERANCE, why=f"{STATED:g} %, as stated, to {TOLERANCE:g} points"),
                unit="%", published=STATED, untrained=short,
                corrected=lambda interval: f"After it, {interval.estimate:.0f} % of upright images are right.",
            )
        )  # fmt: skip
    return parts


def longer_parts(recipe: Recipe, plain: Arm, augmented: Arm) -> list[AnyPart]:
    """Whether the cost stays, shrinks, and whether the curve is flat after longer training."""
    short = untrained(recipe, recipe.long, augmented)
    cost = over_both(lambda theirs, ours: right(theirs, recipe.epochs)[0] - right(ours, recipe.long)[0], plain, augmented)
    first = over_both(lambda theirs, ours: right(theirs, recipe.epochs)[0] - right(ours, recipe.epochs)[0], plain, augmented)
    return [
        Part(
            **words("trade-off"), effect=cost,
            region=exceeds(recipe.cost, why=f"still more than {recipe.cost:g} points below training on upright images"),
            unit="points", bounds=(-100, 100), untrained=(*untrained(recipe, recipe.epochs, plain), *short),
            checks=leveled_off(recipe, augmented, cost),
            note=f"{recipe.long} epochs on rotated images against {recipe.epochs} on upright ones.",
        ),
        Part(
            **words("undertraining"),
            effect=over_both(lambda ours: right(ours, recipe.long)[0] - right(ours, recipe.epochs)[0], augmented),
            region=exceeds(recipe.gain, why=f"a gain of more than {recipe.gain:g} points upright"),
            unit="points", bounds=(-100, 100), untrained=short,
            checks=(Check(f"after {recipe.epochs} epochs, training on rotated images has a cost upright", above_zero(first)),),
        ),
        Part(
            **words("flat"),
            effect=largest_deviation(lambda ours: right(ours, recipe.long), augmented),
            region=at_most(recipe.flat, why=f"no angle is more than {recipe.flat:g} points from the mean of all"),
            unit="points", bounds=(0, 100), untrained=short,
            note=f"Trained and tested with the same interpolation ({recipe.interpolation}).",
        ),
    ]  # fmt: skip


def above_zero(effect: Effect) -> bool | None:
    """Whether an effect is surely above 0; None where its interval is unknown."""
    low = math.nan if effect.missing or effect.not_finite else effect.interval(0.95).low
    return None if math.isnan(low) else low > 0


def leveled_off(recipe: Recipe, augmented: Arm, cost: Effect) -> tuple[Check, ...]:
    """Whether upright accuracy neither rises nor falls any more; of no account where the cost is gone already."""
    if not (cost.missing or cost.not_finite) and not cost.interval(0.95).high > recipe.cost:
        return ()
    change = by_seed(lambda result: slope(last_epochs(recipe, result)), augmented).interval(0.95)
    slopes = f"{change.estimate:+.2f} points an epoch, from {change.low:+.2f} to {change.high:+.2f}; ±{recipe.slope:g} is allowed"
    level = None if math.isnan(change.high) else max(change.high, -change.low) < recipe.slope
    return (Check(f"upright validation accuracy has leveled off ({slopes})", level),)


def last_epochs(recipe: Recipe, result: JobResult) -> tuple[float, ...]:
    """Upright validation accuracy in the epochs over which the slope is taken."""
    curve = result.values("validation upright by epoch")
    return tuple(curve[-max(LEAST, round(LEVEL * len(curve))) :]) if len(curve) >= LEAST else ()
