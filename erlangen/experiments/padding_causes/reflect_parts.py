"""Padding causes: the parts of C6, on reflection."""

from __future__ import annotations

import math
from functools import partial

from erlangen.experiments.kit.evidence import Evidence, difference
from erlangen.experiments.kit.parts import AnyPart, Check, Exact, Part
from erlangen.experiments.padding_causes.counts import copy_count, copy_jobs, same_logits
from erlangen.experiments.padding_causes.evidence import (
    MATTERS,
    POINTS,
    framed_arm,
    gained,
    moved,
    pair_of,
    said,
    untrained,
)
from erlangen.experiments.padding_causes.map_parts import all_of
from erlangen.experiments.padding_causes.overfit_parts import overfit_parts
from erlangen.experiments.padding_causes.recipe import LARGEST_MARGIN, Recipe
from erlangen.experiments.padding_causes.tasks import Cause, Frame
from erlangen.statistics.regions import at_least, exceeds, falls_below

FRAMED_FIT = 95.0  # percent in validation: boxes with a margin are close together, which makes their order easy


def reflect_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """C6: the parts for which the recipe has arms."""
    has = set(recipe.arms).issuperset
    parts: list[AnyPart] = [lower(recipe, evidence)] if has({"reflect", "fconv"}) else []
    parts.append(opposite(evidence))
    parts += all_of("overfit", overfit_parts(recipe, evidence))
    if has({"reflect rows", "fconv"}):
        parts.append(rows(recipe, evidence))
    if has({"reflect rows", "reflect columns"}):
        parts.append(height(recipe, evidence))
    if {0, LARGEST_MARGIN} <= set(recipe.margins):
        parts.append(margin(recipe, evidence))
    return [*parts, zeros(evidence)] if LARGEST_MARGIN in recipe.margins else parts


def lower(recipe: Recipe, evidence: Evidence) -> Part:
    """The order that the report states."""
    reflect, fconv = pair_of(recipe, evidence, "reflect", "fconv")
    return Part(
        **said("reflect < fconv"),
        effect=gained(reflect, fconv, "test_accuracy", recipe.test),
        region=falls_below(why="the report states an order: any lead supports it"),
        unit=POINTS,
        untrained=untrained(recipe, reflect, fconv),
        corrected=lambda gain: f"It scores {gain.estimate:.1f} points more.",
    )


def opposite(evidence: Evidence) -> Exact:
    """Where the copies of a reflected box stand."""
    count = partial(copy_count, evidence)
    pixels, across = (sum(count(f"reflect_{axis}_{what}") for axis in ("rows", "columns")) for what in ("pixels", "opposite"))
    images, high, deep = count("images"), count("reflect_rows_images"), count("reflect_rows_deep_images")
    wrapped = count("circular_columns_pixels")
    seen = count("circular_columns_opposite") == wrapped > 0 if math.isfinite(wrapped) else None
    return Exact(
        **said("opposite sides"),
        cases=pixels if math.isfinite(pixels) else 0,
        count=100 * across / pixels if pixels > 0 else math.nan,
        region=at_least(50.0, center=100.0, why="most of the copied pixels"),
        unit="% of the copied pixels",
        missing=copy_jobs(evidence),
        checks=(Check("under circular padding every copy is counted on the opposite side", seen),),
        corrected="Every copy of a box stands beyond the border next to it.",
        note=f"Above or below the image itself, reflection shows a box in {high:.0f} of {images:.0f} images; the padding of some "
        f"layer can copy part of one in {deep:.0f}."
        if math.isfinite(high + deep)
        else "",
    )


def rows(recipe: Recipe, evidence: Evidence) -> Part:
    """The axis that matters."""
    arms = pair_of(recipe, evidence, "reflect rows", "fconv")
    return Part(
        **said("rows"),
        effect=gained(*arms, "test_accuracy", recipe.test),
        region=falls_below(recipe.step, why=MATTERS),
        unit=POINTS,
        untrained=untrained(recipe, *arms),
        corrected=moved,
    )


def height(recipe: Recipe, evidence: Evidence) -> Part:
    """What the axis tells."""
    arms = pair_of(recipe, evidence, "reflect rows", "reflect columns")
    return Part(
        **said("height at the border"),
        effect=difference(*arms, "place_r2"),
        region=exceeds(recipe.reads, why=f"{recipe.reads:g} of the variance of the height"),
        unit="R² of the height, paired by seed",
        untrained=untrained(recipe, *arms),
        corrected=lambda gain: f"R² differs by {gain.estimate:+.2f}.",
    )


def margin(recipe: Recipe, evidence: Evidence) -> Part:
    """Away from the border there is nothing to reflect."""
    far, near = (framed_arm(evidence, "reflect", least) for least in (LARGEST_MARGIN, 0))
    zeros_near = framed_arm(evidence, "fconv", 0)
    solved = [value >= FRAMED_FIT for value in zeros_near.values("test_accuracy").values()]
    return Part(
        **said("margin"),
        effect=gained(far, near, "test_accuracy", recipe.test),
        region=exceeds(recipe.step, why=MATTERS),
        unit=f"{POINTS}, a margin of {LARGEST_MARGIN} minus none",
        untrained=tuple(name for arm in (far, near) for name in arm.below("validation_accuracy", FRAMED_FIT)),
        checks=(Check("with zeros, the order is read without a margin too", all(solved) if solved else None),),
        corrected=moved,
    )


def zeros(evidence: Evidence) -> Exact:
    """The exact control of the margin."""
    far = framed_arm(evidence, "reflect", LARGEST_MARGIN)
    near = evidence.of(Frame, arm="reflect", margin=0) or evidence.of(Cause, arm="reflect")
    return same_logits("zeros in a margin of 9", list(far.results.values()), near, far.missing)
