"""C9: where the peaks at quarter turns come from, in nets that never see corners, and turning images back."""

from __future__ import annotations

import math

import numpy as np

from erlangen.experiments.kit.evidence import Arm
from erlangen.experiments.kit.parts import AnyPart, Check, Exact, Part
from erlangen.experiments.rotation import Recipe
from erlangen.experiments.rotation.claims import PEAKS, words
from erlangen.experiments.rotation.curve_effects import largest_peak
from erlangen.experiments.rotation.evidence import last_epoch, lost, over_both, peaks, place, right, untrained
from erlangen.experiments.rotation.tasks import angles
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import at_most, exceeds, falls_below

KEPT = 0.25  # of what turning costs, the most that turning back may leave
CORNERS = (90, 270)


def cause_parts(recipe: Recipe, plain: Arm, disk: Arm) -> list[AnyPart]:
    """Corners, or what the images show: the same peaks in nets that never see corners."""
    seen = (whole_peaks(recipe, plain),)
    inside = untrained(recipe, recipe.epochs, disk)

    def both(result: JobResult) -> np.ndarray:
        made: np.ndarray = peaks(recipe, result, CORNERS).mean(0)
        return made

    return [
        Part(
            **words("corners"),
            effect=over_both(lambda whole, round_: both(whole) - 2 * both(round_), plain, disk),
            region=exceeds(0.0, why="the mean peak minus twice that inside the disk: above 0, less than half is left"),
            unit="points", bounds=(-300, 300), untrained=untrained(recipe, recipe.epochs, plain, disk), checks=seen,
        ),
        Part(
            **words("content"),
            effect=over_both(lambda round_: peaks(recipe, round_, (180,))[0], disk),
            region=exceeds(recipe.bump, why=f"a peak of more than {recipe.bump:g} points, as for whole images"),
            unit="points", bounds=(-100, 100), untrained=inside,
        ),
        Part(
            **words("disk, 90° and 270°", "control"),
            effect=largest_peak(lambda round_: peaks(recipe, round_, CORNERS), disk),
            region=at_most(recipe.bump, why=f"the larger of the two is no peak of {recipe.bump:g} points"),
            unit="points", bounds=(-100, 100), untrained=inside, checks=seen,
        ),
    ]  # fmt: skip


def whole_peaks(recipe: Recipe, plain: Arm) -> Check:
    """Without peaks in whole images there is nothing that a disk could take away."""
    height = over_both(lambda result: peaks(recipe, result, CORNERS).mean(0), plain)
    low = math.nan if height.missing or height.not_finite else height.interval(0.95).low
    return Check("whole images have peaks at 90° and 270°", None if math.isnan(low) else low > 0)


def turned_back_parts(recipe: Recipe, disk: Arm) -> list[AnyPart]:
    """What turning costs is the net's doing, not the images': turned back, they are recognized."""
    last = last_epoch(recipe, "disk")

    def left(result: JobResult) -> np.ndarray:
        """What turning back does not restore, beyond the share that it may leave."""
        turned, back = right(result, last), right(result, last, "turned back")
        return lost(np.concatenate([turned[:1], back[1:]])) - KEPT * lost(turned)

    views = [right(result, last, "turned back") for result in disk.results.values()]  # (angles, N) each
    quarters = [place(recipe, angle) for angle in PEAKS]
    turned = (really_turned(recipe, views),)
    return [
        Part(
            **words("turned back", "control"),
            effect=over_both(left, disk),
            region=falls_below(0.0, why=f"what is lost after turning back, minus {KEPT:.0%} of what turning costs"),
            unit="points", bounds=(-100, 100), untrained=untrained(recipe, last, disk), checks=turned,
        ),
        Exact(
            **words("turned back, quarter turns", "control"),
            cases=sum(bits[quarters].size for bits in views),
            count=float(sum((bits[quarters] != bits[0]).sum() if np.isfinite(bits).all() else math.nan for bits in views)),
            unit="images classified otherwise", missing=disk.missing, checks=turned,
            test="whether the class is right, counted over seeds, images and three angles",
        ),
    ]  # fmt: skip


def really_turned(recipe: Recipe, views: list[np.ndarray]) -> Check:
    """The positive control: turning by other angles and back blurs images, and so changes what some of them are taken for."""
    between = [at for at, angle in enumerate(angles(recipe.step)) if angle % 90]
    known = bool(views) and all(np.isfinite(bits).all() for bits in views)
    name = "images turned by other angles and back are not all classified as before"
    return Check(name, all((bits[between] != bits[0]).any() for bits in views) if known else None)
