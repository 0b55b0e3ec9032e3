"""Padding causes: the arms of a run, and what of two arms is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, Quantity, difference
from erlangen.experiments.kit.wording import Wording, wording
from erlangen.experiments.padding_causes import CLAIMS
from erlangen.experiments.padding_causes.recipe import Recipe
from erlangen.experiments.padding_causes.shared_images import difference_over_images
from erlangen.experiments.padding_causes.statements import CONTROLS, QUOTES, RIVALS
from erlangen.experiments.padding_causes.tasks import Cause, Frame
from erlangen.records.runs import Of
from erlangen.statistics.intervals import Interval

MAPS = (
    "valid", "valid 4x4", "sconv", "sconv 8x8", "sconv 7x7", "sconv center 6x6", "sconv 5x5", "fconv", "fconv 12x12",
    "fconv center 4x4",
)  # fmt: skip
"""The nets padded by zeros, or not at all: their maps and borders differ, and what is copied does not, since nothing is."""
MATTERS = "a fifth of the way from 0 to 100 %, as for the other causes"
PAIRED = "interval over seeds, of paired differences, and over the images that they share"
POINTS = "points of test accuracy, paired by seed"


def said(part: str) -> Wording:
    """The wording of a part, and whose it is."""
    of: Of = "rival" if part in RIVALS else "control" if part in CONTROLS else "extension"
    return wording(CLAIMS, QUOTES, part, of)


def arm_of(recipe: Recipe, evidence: Evidence, name: str) -> Arm:
    """The nets of an arm on the report's images."""
    found = evidence.arm(Cause, arm=name, train=recipe.train, epochs=recipe.epochs, curve=False)
    return replace(found, name=name)


def pair_of(recipe: Recipe, evidence: Evidence, left: str, right: str) -> tuple[Arm, Arm]:
    """Two arms that are compared."""
    return arm_of(recipe, evidence, left), arm_of(recipe, evidence, right)


def arms_of(recipe: Recipe, evidence: Evidence, names: Sequence[str]) -> dict[str, Arm]:
    """Those arms that the recipe has."""
    return {name: arm_of(recipe, evidence, name) for name in names if name in recipe.arms}


def report_arm(recipe: Recipe, evidence: Evidence, name: str) -> Arm:
    """The nets of fconv or replicate that were trained as long as the report's."""
    found = evidence.arm(Cause, arm=name, epochs=recipe.report_epochs, curve=True)
    return replace(found, name=f"{name}, {recipe.report_epochs} epochs")


def sized_arm(evidence: Evidence, name: str, size: int) -> Arm:
    """The nets of an arm that saw so many training images."""
    return replace(evidence.arm(Cause, arm=name, train=size, curve=False), name=f"{name}, {size} images")


def framed_arm(evidence: Evidence, name: str, margin: int) -> Arm:
    """The nets on images whose boxes keep a margin."""
    return replace(evidence.arm(Frame, arm=name, margin=margin), name=f"{name}, margin {margin}")


def untrained(recipe: Recipe, *arms: Arm) -> tuple[str, ...]:
    """The nets below the recipe's fit."""
    return tuple(name for arm in arms for name in arm.below("validation_accuracy", recipe.fit))


def moved(gain: Interval) -> str:
    """'The test accuracy falls by 77.7 points.'"""
    if abs(gain.estimate) < 0.05:
        return "The test accuracy stays the same."
    return f"The test accuracy {'rises' if gain.estimate > 0 else 'falls'} by {abs(gain.estimate):.1f} points."


def gained(left: Arm, right: Arm, quantity: Quantity, images: float) -> Effect:
    """left - right of an accuracy in percent, paired by seed, over seeds and the images that they share."""
    ours, theirs = left.values(quantity), right.values(quantity)
    seeds = sorted(ours.keys() & theirs.keys())

    def interval(level: float) -> Interval:
        return difference_over_images([ours[seed] for seed in seeds], [theirs[seed] for seed in seeds], images, level)

    return replace(difference(left, right, quantity, unit="%"), interval=interval, test=PAIRED)
