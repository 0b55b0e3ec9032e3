"""Padding causes: what would follow if a net under reflect padding overfitted a pattern, as the report has it."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, by_seed, group
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.padding_causes.counts import copy_count
from erlangen.experiments.padding_causes.evidence import (
    MATTERS,
    PAIRED,
    POINTS,
    arm_of,
    gained,
    moved,
    pair_of,
    said,
    sized_arm,
    untrained,
)
from erlangen.experiments.padding_causes.recipe import Recipe
from erlangen.experiments.padding_causes.shared_images import difference_over_images
from erlangen.records.runs import JobResult
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import exceeds, falls_below


def overfit_parts(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """The three consequences, as far as the recipe has arms: worse on new images, on either axis, less so with more images."""
    has = set(recipe.arms).issuperset
    parts = [new_images(recipe, evidence)] if has({"reflect"}) else []
    parts += [columns(recipe, evidence)] if has({"reflect columns", "fconv"}) else []
    return parts + ([more_images(recipe, evidence)] if has({"reflect"}) and recipe.sizes else [])


def new_images(recipe: Recipe, evidence: Evidence) -> Part:
    """What is overfitted is not found in new images."""
    reflect = arm_of(recipe, evidence, "reflect")
    return Part(
        **said("overfit: new images"),
        effect=lost_on_new_images(reflect, recipe.validation),
        region=exceeds(recipe.overfit, why=f"fewer than {recipe.overfit:g} points do not explain a loss of 100"),
        unit="points of accuracy, training images minus new ones",
        untrained=untrained(recipe, reflect),
        checks=(overfit_seen(recipe, evidence),),
        corrected=on_new_images,
    )


def on_new_images(gap: Interval) -> str:
    """'It scores 0.4 points less on them.'"""
    if abs(gap.estimate) < 0.05:
        return "It scores as much on them."
    return f"It scores {abs(gap.estimate):.1f} points {'less' if gap.estimate > 0 else 'more'} on them."


def columns(recipe: Recipe, evidence: Evidence) -> Part:
    """A pattern of reflected boxes is there in the columns too."""
    arms = pair_of(recipe, evidence, "reflect columns", "fconv")
    images, beside = (copy_count(evidence, f"reflect_{axis}_images") for axis in ("rows", "columns"))
    return Part(
        **said("overfit: columns"),
        effect=gained(*arms, "test_accuracy", recipe.test),
        region=falls_below(recipe.step, why=MATTERS),
        unit=POINTS,
        untrained=untrained(recipe, *arms),
        corrected=moved,
        note=f"In the image itself the columns show a reflected box in {beside:.0f} images, the rows in {images:.0f}.",
    )


def more_images(recipe: Recipe, evidence: Evidence) -> Part:
    """An overfit shrinks with the number of images."""
    few, many = sized_arm(evidence, "reflect", min(recipe.sizes)), arm_of(recipe, evidence, "reflect")
    return Part(
        **said("overfit: more images"),
        effect=gained(many, few, "test_accuracy", recipe.test),
        region=exceeds(recipe.step, why=MATTERS),
        unit=f"{POINTS}, {recipe.train} minus {min(recipe.sizes)} training images",
        untrained=untrained(recipe, few, many),
        corrected=moved,
    )


def lost_on_new_images(arm: Arm, images: int) -> Effect:
    """Accuracy on the training images minus that on new ones, by seed, over seeds and so many new images."""
    seen, new = (list(arm.values(name).values()) for name in ("train_accuracy", "unseen_validation_accuracy"))
    groups = [group(arm, "train_accuracy", "%", "training images"), group(arm, "unseen_validation_accuracy", "%", "new images")]
    effect = by_seed(memorized, arm, test=PAIRED, groups=groups)
    return replace(effect, interval=lambda level: difference_over_images(seen, new, images, level))


def overfit_seen(recipe: Recipe, evidence: Evidence) -> Check:
    """The measure must see a net that overfits: under fconv, which has to read the order, from few training images."""
    few = sized_arm(evidence, "fconv", recipe.control_images).results
    gaps = [memorized(result) for result in few.values()]
    passed = fmean(gaps) > recipe.overfit if gaps and all(map(math.isfinite, gaps)) else None
    return Check(f"under fconv padding, nets trained on {recipe.control_images} images are seen to overfit", passed)


def memorized(result: JobResult) -> float:
    """Points that a net loses from its training images to new ones with the same heights."""
    return result.value("train_accuracy") - result.value("unseen_validation_accuracy")
