"""C9: what is left of the accuracy at other angles, the peaks at quarter turns, and where they come from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.parts import AllOf, AnyPart, Exact, Part
from erlangen.experiments.kit.published import published_numbers
from erlangen.experiments.rotation import Recipe
from erlangen.experiments.rotation.claims import PEAKS, is_cifar10, words
from erlangen.experiments.rotation.evidence import arm, at_each_angle, last_epoch, over_both, peak, place, right, untrained
from erlangen.experiments.rotation.tasks import angles
from erlangen.records.runs import JobResult
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import between, exceeds, falls_below, within

STATED, TOLERANCE = 70.0, 5.0  # percent upright in the report's words; points within which a figure counts as the one stated
KEPT = 0.25  # of what turning costs, the most that turning back may leave
CORNERS = (90, 270)


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


def lost(accuracies: np.ndarray) -> np.ndarray:
    """Upright minus the mean of all other angles; (angles, N) -> (N,)."""
    difference: np.ndarray = accuracies[0] - accuracies[1:].mean(0)
    return difference


def peak_parts(recipe: Recipe, plain: Arm) -> list[AnyPart]:
    """Each peak, and all of them."""
    short = untrained(recipe, recipe.epochs, plain)
    region = exceeds(recipe.bump, why=f"a peak that stands out by more than {recipe.bump:g} points from the angles 30° around it")
    each = [
        Part(
            **words(f"peak at {angle}°"),
            effect=over_both(lambda result, at=angle: peak(recipe, right(result, recipe.epochs), at), plain),
            region=region, unit="points", bounds=(-100, 100), untrained=short,
        )
        for angle in PEAKS
    ]  # fmt: skip
    return [AllOf(**words("peaks"), parts=tuple(part.part for part in each)), *each]


def cause_parts(recipe: Recipe, plain: Arm, disk: Arm) -> list[AnyPart]:
    """Corners, or what the images show: the same peaks in nets that never see corners."""
    short = untrained(recipe, recipe.epochs, plain, disk)

    def peaks(result: JobResult, at: Sequence[int]) -> np.ndarray:
        made: np.ndarray = np.mean([peak(recipe, right(result, recipe.epochs), angle) for angle in at], 0)
        return made

    return [
        Part(
            **words("corners"),
            effect=over_both(lambda whole, round_: peaks(whole, CORNERS) - 2 * peaks(round_, CORNERS), plain, disk),
            region=exceeds(0.0, why="the mean peak minus twice that inside the disk: above 0, less than half is left"),
            unit="points", bounds=(-300, 300), untrained=short,
        ),
        Part(
            **words("content"),
            effect=over_both(lambda round_: peaks(round_, (180,)), disk),
            region=exceeds(recipe.bump, why=f"a peak of more than {recipe.bump:g} points, as for whole images"),
            unit="points", bounds=(-100, 100), untrained=untrained(recipe, recipe.epochs, disk),
        ),
        Part(
            **words("disk, 90° and 270°", "control"),
            effect=over_both(lambda round_: peaks(round_, CORNERS), disk),
            region=within(recipe.bump, why=f"the mean of both is no peak of {recipe.bump:g} points"),
            unit="points", bounds=(-100, 100), untrained=untrained(recipe, recipe.epochs, disk),
        ),
    ]  # fmt: skip


def turned_back_parts(recipe: Recipe, disk: Arm) -> list[AnyPart]:
    """What turning costs is the net's doing, not the images': turned back, they are recognized."""
    last = last_epoch(recipe, "disk")

    def left(result: JobResult) -> np.ndarray:
        """What turning back does not restore, beyond the share that it may leave."""
        turned, back = right(result, last), right(result, last, "turned back")
        return lost(np.concatenate([turned[:1], back[1:]])) - KEPT * lost(turned)

    results = list(disk.results.values())
    quarters = [place(recipe, angle) for angle in PEAKS]
    cases = [right(result, last, "turned back")[[0, *quarters]] for result in results]
    return [
        Part(
            **words("turned back", "control"),
            effect=over_both(left, disk),
            region=falls_below(0.0, why=f"what is lost after turning back, minus {KEPT:.0%} of what turning costs"),
            unit="points", bounds=(-100, 100), untrained=untrained(recipe, last, disk),
        ),
        Exact(
            **words("turned back, quarter turns", "control"),
            cases=sum(bits[1:].size for bits in cases),
            count=float(sum((bits[1:] != bits[:1]).sum() if np.isfinite(bits).all() else math.nan for bits in cases)),
            unit="images classified otherwise", missing=disk.missing,
            test="whether the class is right, counted over seeds, images and three angles",
        ),
    ]  # fmt: skip


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
        )
    ]  # fmt: skip


def apart(measured: Interval, value: float) -> float:
    """1 where a published point is neither near the mean nor in the interval; NaN where the mean was not measured."""
    if not math.isfinite(measured.estimate):
        return math.nan
    return float(abs(measured.estimate - value) > TOLERANCE and measured.excludes(value))
