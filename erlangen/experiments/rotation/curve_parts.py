"""C9: what is left of the accuracy at other angles, and the peaks at quarter turns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.parts import AnyPart, Check, Exact, Part
from erlangen.experiments.kit.published import published_numbers
from erlangen.experiments.rotation import Recipe
from erlangen.experiments.rotation.claims import PEAKS, is_cifar10, words
from erlangen.experiments.rotation.curve_effects import largest_peak
from erlangen.experiments.rotation.disk_parts import cause_parts, turned_back_parts
from erlangen.experiments.rotation.evidence import (
    arm,
    at_each_angle,
    lost,
    neighbors,
    over_both,
    peak,
    peaks,
    place,
    right,
    untrained,
)
from erlangen.experiments.rotation.tasks import angles
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import between, exceeds

STATED, TOLERANCE = 70.0, 5.0  # percent upright in the report's words; points within which a figure counts as the one stated
WIDE = 2 * TOLERANCE  # points: an interval that reaches farther to either side could hide any curve


def curve_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """All parts of the claim for which the recipe has arms."""
    plain, disk = arm(evidence, "plain"), arm(evidence, "disk")
    parts: list[AnyPart] = []
    if "plain" in recipe.arms:
        parts += [*level_parts(recipe, plain), *peak_parts(recipe, plain)]
    if {"plain", "disk"} <= set(recipe.arms):
        parts += cause_parts(recipe, plain, disk)
    if "disk" in recipe.arms:
        parts += turned_back_parts(recipe, disk)
    return parts


def level_parts(recipe: Recipe, plain: Arm) -> list[AnyPart]:
    """The accuracy upright, and how far it falls."""
    short = untrained(recipe, recipe.epochs, plain)
    parts: list[AnyPart] = [
        Part(
            **words("between"),
            effect=over_both(lambda result: lost(right(result, recipe.epochs)), plain),
            region=exceeds(
                recipe.drop, why=f"far lower: by more than {recipe.drop:g} points, averaged over all angles that are not upright"
            ),
            unit="points", untrained=short,
        )
    ]  # fmt: skip
    if is_cifar10(recipe.data):
        upright = Part(
            **words("upright"),
            effect=over_both(lambda result: right(result, recipe.epochs)[0], plain),
            region=between(STATED - TOLERANCE, STATED + TOLERANCE, why=f"{STATED:g} %, as stated, within {TOLERANCE:g} points"),
            unit="%", published=STATED, untrained=short,
        )  # fmt: skip
        return [upright, *parts, *published_parts(recipe, plain)]
    return parts


def peak_parts(recipe: Recipe, plain: Arm) -> list[AnyPart]:
    """The largest peak, as the report speaks of some angles and not of all of these; then each."""
    short = untrained(recipe, recipe.epochs, plain)
    around = f"the angles {neighbors(recipe)}° around it"
    region = exceeds(recipe.bump, why=f"a peak that stands out by more than {recipe.bump:g} points from {around}")
    largest = Part(
        **words("peaks"),
        effect=largest_peak(lambda result: peaks(recipe, result, PEAKS), plain),
        region=region, unit="points", bounds=(-100, 100), untrained=short, note="Shown: the largest of the three.",
    )  # fmt: skip
    each = [
        Part(
            **words(f"peak at {angle}°"),
            effect=over_both(lambda result, at=angle: peak(recipe, right(result, recipe.epochs), at), plain),
            region=region, unit="points", bounds=(-100, 100), untrained=short,
        )
        for angle in PEAKS
    ]  # fmt: skip
    return [largest, *each]


def published_parts(recipe: Recipe, plain: Arm) -> list[AnyPart]:
    """The report's own curve, as read off its figure, beside ours."""
    figure = published_numbers("erlangen.experiments.rotation")
    degrees, stated = figure["angles_deg"], figure["plain_read_off_figure"]
    shared = [(angle, 100 * value) for angle, value in zip(degrees, stated, strict=True) if angle in angles(recipe.step)]
    measured = at_each_angle(lambda result: right(result, recipe.epochs), 0.95, plain)
    outside = sum(apart(measured[place(recipe, angle)], value) for angle, value in shared) if measured else math.nan
    return [
        Exact(
            **words("published curve", "control"), cases=len(shared), count=outside, unit="angles", missing=plain.missing,
            test=f"angles whose mean is more than {TOLERANCE:g} points off, with the published point outside the 95 % interval",
            checks=(Check(f"every interval reaches at most {WIDE:g} points to either side", narrow(measured)),),
        )
    ]  # fmt: skip


def narrow(measured: Sequence[Interval]) -> bool | None:
    """Whether every interval is known and narrow, so that a curve that differs would be noticed; None without any."""
    return all(at.high - at.low <= 2 * WIDE for at in measured) if measured else None


def apart(measured: Interval, value: float) -> float:
    """1 where a published point is neither near the mean nor in the interval; NaN where the mean was not measured."""
    if not math.isfinite(measured.estimate):
        return math.nan
    return float(abs(measured.estimate - value) > TOLERANCE and measured.excludes(value))
