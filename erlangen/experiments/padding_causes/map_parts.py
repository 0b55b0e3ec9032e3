"""Padding causes: the parts of C5, on the size of the map, spatial information and the border."""

from __future__ import annotations

import math

from erlangen.experiments.kit.evidence import Arm, Evidence, difference
from erlangen.experiments.kit.parts import AllOf, AnyPart, Check, Exact, Part
from erlangen.experiments.padding_causes.arms import ARMS
from erlangen.experiments.padding_causes.evidence import MAPS, POINTS, arms_of, gained, moved, pair_of, said, untrained
from erlangen.experiments.padding_causes.ranks import LEAST_ARMS, rank_correlation
from erlangen.experiments.padding_causes.recipe import Recipe
from erlangen.experiments.padding_causes.tasks import Cause
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import exceeds, falls_below

LARGER = {
    "valid 4x4 over 2x2": ("valid 4x4", "valid"),
    "sconv 7x7 over 4x4": ("sconv 7x7", "sconv"),
    "sconv center 6x6 over 4x4": ("sconv center 6x6", "sconv"),
    "sconv 7x7 over 5x5": ("sconv 7x7", "sconv 5x5"),
}
"""Part -> the arm with the larger map and the one with the smaller."""
BORDERS = {
    "sconv 5x5 over 7x7": ("sconv 5x5", "sconv 7x7"),
    "fconv over its center": ("fconv", "fconv center 4x4"),
    "sconv 8x8 over its center": ("sconv 8x8", "sconv center 6x6"),
}
"""Part -> the arm whose border tells less of the place, and the one that is compared with it."""
READABLE = 0.5  # R² of a probe that can read the height: half of its variance
NOTHING = 0.1  # R² that a probe may find in heights dealt at random


def map_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """C5: the parts for which the recipe has arms."""
    larger = [step(recipe, evidence, part, *pair) for part, pair in LARGER.items() if set(pair) <= set(recipe.arms)]
    borders = [step(recipe, evidence, part, *pair) for part, pair in BORDERS.items() if set(pair) <= set(recipe.arms)]
    kept = [kept_information(recipe, evidence)] if {"valid", "fconv"} <= set(recipe.arms) else []
    ranks = [rank_part(recipe, evidence, part) for part in RANKS] if len(arms_of(recipe, evidence, MAPS)) >= LEAST_ARMS else []
    information = [*kept, *ranks[:1]]
    parts: list[AnyPart] = [*all_of("larger maps", larger), *all_of("spatial information", information)]
    return [*parts, *all_of("border", [*borders, *ranks[1:2]]), *ranks[2:], shuffled(evidence)]


def all_of(name: str, parts: list[Part]) -> list[AnyPart]:
    """A conjunction and its parts; one part stands by itself."""
    return [AllOf(**said(name), parts=tuple(part.part for part in parts)), *parts] if parts[1:] else [*parts]


def step(recipe: Recipe, evidence: Evidence, part: str, more: str, less: str) -> Part:
    """One change of the net that should raise the test accuracy."""
    left, right = pair_of(recipe, evidence, more, less)
    cells = {name: ARMS[name].cells() for name in (more, less)}
    return Part(
        **said(part),
        effect=gained(left, right, "test_accuracy", recipe.test),
        region=exceeds(recipe.step, why="a quarter of what is to be explained: fconv scores about 80 points more than sconv"),
        unit=POINTS,
        untrained=untrained(recipe, left, right),
        corrected=moved,
        note=f"{cells[more]} cells for {cells[less]}.{cuts(left, right)}",
    )


def cuts(left: Arm, right: Arm) -> str:
    """' The border cuts 0.59 % of the weights' paths, against 17 %.', if it was measured."""
    shares = [100 * arm.mean("never_met").estimate for arm in (left, right)]
    known = all(map(math.isfinite, shares))
    return f" The border cuts {shares[0]:.2g} % of the weights' paths, against {shares[1]:.2g} %." if known else ""


def kept_information(recipe: Recipe, evidence: Evidence) -> Part:
    """A larger map should keep more of the height than a smaller one."""
    larger, smaller = pair_of(recipe, evidence, "fconv", "valid")
    readable = any(value >= READABLE for arm in (larger, smaller) for value in arm.values("place_r2").values())
    return Part(
        **said("information kept"),
        effect=difference(larger, smaller, "place_r2"),
        region=exceeds(recipe.reads, why=f"{recipe.reads:g} of the variance of the height"),
        unit="R² of the height, paired by seed",
        untrained=untrained(recipe, larger, smaller),
        checks=(Check(f"the probe reads the height from one of them (R² ≥ {READABLE:g})", readable),),
        corrected=held,
    )


def held(gain: Interval) -> str:
    """'They hold less of it: R² differs by -0.93.'"""
    return f"They hold {'less' if gain.estimate < 0 else 'hardly more'} of it: R² differs by {gain.estimate:+.2f}."


RANKS = {
    "information and accuracy": "place_r2",
    "weights and accuracy": "never_met",
    "height before training": "place_r2_untrained",
}
"""Part -> the number that is to order the nets."""


def rank_part(recipe: Recipe, evidence: Evidence, part: str) -> Part:
    """How one number orders the nets: upwards as the report has it, else downwards."""
    rising = part == "information and accuracy"
    names = recipe.arms if part == "height before training" else MAPS
    arms = arms_of(recipe, evidence, names)
    why = f"a weaker order than {recipe.rank:g} explains less than a quarter of the ranks' variance"
    return Part(
        **said(part),
        effect=rank_correlation(arms, RANKS[part]),
        region=exceeds(recipe.rank, why=why) if rising else falls_below(recipe.rank, why=why),
        unit=f"rank correlation over {len(arms)} nets, by seed",
        bounds=(-1.0, 1.0),
        untrained=untrained(recipe, *arms.values()),
        corrected=lambda rho: f"The rank correlation is {rho.estimate:.2f}.",
    )


def shuffled(evidence: Evidence) -> Exact:
    """The probe must find nothing where there is nothing, in any net, before and after training."""
    results = evidence.of(Cause)
    found = [result.value(name) for result in results for name in ("shuffled_r2", "shuffled_r2_untrained")]
    read = any(result.value("place_r2") >= READABLE for result in results)
    return Exact(
        **said("shuffled heights"),
        cases=len(found),
        count=sum(value > NOTHING for value in found) if all(map(math.isfinite, found)) else math.nan,
        unit="readings above 0.1",
        checks=(Check(f"the probe reads the true heights from some net (R² ≥ {READABLE:g})", read if found else None),),
        test=f"held-out R² above {NOTHING:g}",
    )
