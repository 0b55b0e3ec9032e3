"""The sentences of the answers, in measured numbers."""

from __future__ import annotations

import math

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.rotation import Recipe
from erlangen.experiments.rotation.claims import PEAKS
from erlangen.experiments.rotation.evidence import accuracy, arm, last_epoch, peak, right, table, untrained
from erlangen.experiments.rotation.tasks import angles
from erlangen.statistics.crossed import crossed_interval

UPRIGHT = slice(0, 1)
UNLEARNED = "The nets did not learn their images well enough to be judged."


def curve_sentence(recipe: Recipe, evidence: Evidence) -> str:
    """How far the accuracy of the plain net falls, and how large its peaks are, with corners and without."""
    plain, disk = arm(evidence, "plain"), arm(evidence, "disk")
    upright, rotated = (accuracy(plain, recipe.epochs, chosen).estimate for chosen in (UPRIGHT, slice(1, None)))
    heights = [height(recipe, plain, angle) for angle in PEAKS]
    if untrained(recipe, recipe.epochs, plain) or not math.isfinite(upright):
        return UNLEARNED
    first = f"A CNN trained on upright images is right on {upright:.0f} % of them, but on only {rotated:.0f} % once rotated"
    if min(heights) < 0:
        return f"{first}."
    first += f"; at 90°, 180° and 270° it does {min(heights):.0f} to {max(heights):.0f} points better than at the angles around"
    left = [height(recipe, disk, angle) for angle in PEAKS]
    if not all(map(math.isfinite, left)) or untrained(recipe, recipe.epochs, disk):
        return f"{first}."
    return f"{first}. With all corners hidden, that advantage is {left[0]:.0f}, {left[1]:.0f} and {left[2]:.0f} points.".replace(
        "-0", "0"
    )


def height(recipe: Recipe, net: Arm, angle: int) -> float:
    """The mean height of a peak in points; NaN where it was not measured."""
    return crossed_interval(table(lambda result: peak(recipe, right(result, recipe.epochs), angle), net)).estimate


def training_sentence(recipe: Recipe, evidence: Evidence) -> str:
    """At how many angles training on rotated images helps, and what it leaves upright, after both numbers of epochs."""
    plain, augmented, count = arm(evidence, "plain"), arm(evidence, "augmented"), len(angles(recipe.step))
    before, after = (
        [accuracy(net, recipe.epochs, slice(at, at + 1)).estimate for at in range(count)] for net in (plain, augmented)
    )
    if untrained(recipe, recipe.epochs, plain, augmented) or not math.isfinite(before[0] + after[0]):
        return UNLEARNED
    better = sum(ours > theirs for theirs, ours in zip(before, after, strict=True))
    sentence = (
        f"After {recipe.epochs} epochs, training on rotated images raises the accuracy at {better} of {count} angles and changes "
        f"that on upright images from {before[0]:.0f} % to {after[0]:.0f} %"
    )
    last = last_epoch(recipe, "augmented")
    later = accuracy(augmented, last, UPRIGHT).estimate
    return f"{sentence}." if last == recipe.epochs else f"{sentence}; after {last} epochs it is {later:.0f} %."
