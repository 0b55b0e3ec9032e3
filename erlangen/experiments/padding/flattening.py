"""Padding: the parts on flattening, C8: what it does, whether it destroys spatial information, and what pooling does instead."""

from __future__ import annotations

import math

from erlangen.experiments.kit.evidence import Arm, Evidence, difference
from erlangen.experiments.kit.parts import AllOf, AnyPart, Check, Part
from erlangen.experiments.kit.wording import listed
from erlangen.experiments.padding import Recipe
from erlangen.experiments.padding.accuracies import (
    Estimate,
    arms_of,
    change,
    counterexample,
    distinct,
    effect_of,
    largest,
    untrained,
)
from erlangen.experiments.padding.table import COLUMNS, OVER_TABLE, as_stated, far_from, measured
from erlangen.records.runs import JobResult
from erlangen.statistics.intervals import accuracy_interval
from erlangen.statistics.regions import exceeds, falls_below

READABLE = 0.5  # R² of a probe that can read a quantity: half of its variance
PROBED = {"height": "place_r2", "order": "order_r2"}
DECREASES = "the test accuracies for all of the conv_types decrease"
DESTROYS = "because flattening destroys spatial information"
Arms = dict[str, Arm]  # by padding


def flattening(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """C8: the parts for which the recipe has rows."""
    pooled, flattened = arms_of(recipe, evidence, "Net1"), arms_of(recipe, evidence, "Net2")
    both = [padding for padding in pooled if padding in flattened]
    parts: list[AnyPart] = [fact(recipe, flattened)] if flattened else []
    if both:
        parts += decrease(recipe, *({padding: side[padding] for padding in both} for side in (pooled, flattened)))
        parts += cause([destroyed(recipe, what, pooled[padding], flattened[padding]) for padding in both for what in PROBED])
    return parts + ([translation(recipe, pooled)] if pooled else [])


def fact(recipe: Recipe, flattened: Arms) -> Part:
    """Every flattened net scores 100 in validation and 0 in the test."""
    arms = list(flattened.values())
    score, images = {"validation": 100.0, "test": 0.0}, {"validation": recipe.validation, "test": recipe.test}
    far = [entry for arm in arms for entry in far_from(recipe, arm, {column: [score[column]] * recipe.seeds for column in score})]
    far += [counterexample(measured(arm)[column], score[column], images[column]) for arm in arms for column in score]
    return Part(
        claim="C8",
        part="fact",
        of="report",
        quote="All of Net2 scores 100 then 0",
        statement=f"With a flatten layer every net scores 100 % in validation and 0 % in the test ({listed(list(flattened))}).",
        effect=effect_of(arms, COLUMNS, largest(far), OVER_TABLE),
        region=as_stated(recipe),
        unit="points, largest difference from 100 ± 0 and from 0 ± 0, of the means, of their SDs or of any one net",
        untrained=untrained(recipe, arms),
        checks=(distinct(arms),),
    )


def decrease(recipe: Recipe, pooled: Arms, flattened: Arms) -> list[AnyPart]:
    """Flattening lowers the test accuracy under every padding."""
    parts = [decrease_under(recipe, padding, pooled[padding], flattened[padding]) for padding in pooled]
    statement = f"Flattening instead of pooling lowers the test accuracy under every padding ({listed(list(pooled))})."
    names = tuple(part.part for part in parts)
    return [AllOf(claim="C8", part="decrease", of="report", quote=DECREASES, statement=statement, parts=names), *parts]


def decrease_under(recipe: Recipe, padding: str, pooled: Arm, flattened: Arm) -> Part:
    """The change under one padding: a counterexample under one counts, even where the nets under another did not learn."""
    arms = [pooled, flattened]
    return Part(
        claim="C8",
        part=f"decrease: {padding}",
        of="report",
        quote=DECREASES,
        statement=f"Under {padding} padding flattening instead of pooling lowers the test accuracy.",
        effect=effect_of(arms, {"test": "test_accuracy"}, change(flattened, pooled, "test_accuracy", recipe.test)),
        region=falls_below(recipe.tolerance, why="a smaller change counts as none, as in the table"),
        unit="points of test accuracy, flattened minus pooled",
        untrained=untrained(recipe, arms),
        checks=(distinct(arms),),
        corrected=f"It does not fall by more than {recipe.tolerance:g} points.",
    )


def cause(parts: list[Part]) -> list[AnyPart]:
    """Flattening destroys spatial information: every padding, height and order."""
    statement = "Flattening destroys spatial information: of height and of order, under each padding."
    names = tuple(part.part for part in parts)
    return [AllOf(claim="C8", part="cause", of="report", quote=DESTROYS, statement=statement, parts=names), *parts]


def destroyed(recipe: Recipe, what: str, pooled: Arm, flattened: Arm) -> Part:
    """Had flattening destroyed it, a probe would read less of the boxes' height or order from the flattened net.

    What training adds or drops is in the numbers too: the note has those of the untrained nets.
    """
    padding = pooled.name.split(", ")[1]
    pool, flat, *untouched = (
        arm.mean(PROBED[what] + when).estimate for when in ("", "_untrained") for arm in (pooled, flattened)
    )
    note = "Before training R² is {1:.2f} after flattening and {0:.2f} after pooling.".format(*untouched)
    readable = f"a probe reads the {what} from pooled or from flattened features (R² ≥ {READABLE:g})"
    return Part(
        claim="C8",
        part=f"cause: {what}, {padding}",
        of="report",
        quote=DESTROYS,
        statement=f"Under {padding} padding flattened features tell less about the {what} of the boxes than pooled features.",
        effect=difference(flattened, pooled, PROBED[what]),
        region=falls_below(recipe.loss, why=f"destroyed means that at least {recipe.loss:g} of the variance is lost"),
        unit=f"R² of the {what}, flattened minus pooled",
        untrained=untrained(recipe, [pooled, flattened]),
        checks=(Check(name=readable, passed=max(pool, flat) >= READABLE), distinct([pooled, flattened])),
        corrected=f"They tell about as much, or more: R² is {flat:.2f} after flattening and {pool:.2f} after pooling.",
        note="" if any(map(math.isnan, untouched)) else note,
    )


def translation(recipe: Recipe, pooled: Arms) -> Part:
    """Do the predictions of pooled nets follow the boxes when these move by 16 rows?"""

    def rate(arm: Arm) -> Estimate:
        return lambda level: accuracy_interval(list(arm.values(flips).values()), recipe.validation, level)

    arms = list(pooled.values())
    return Part(
        claim="C8",
        part="translation",
        of="extension",
        statement="Pooling does not make a net ignore where the boxes are: under at least one padding most predictions flip when "
        f"the boxes move by 16 rows ({listed(list(pooled))}).",
        effect=effect_of(arms, {"flips": flips}, largest([rate(arm) for arm in arms])),
        region=exceeds(recipe.flips, why="most predictions follow the boxes"),
        unit="% of predictions that flip, where most do",
        untrained=untrained(recipe, arms),
        checks=(distinct(arms),),
        corrected=lambda most: f"At most {most.estimate:.0f} % of the predictions flip.",
    )


def flips(result: JobResult) -> float:
    """Percent of predictions that flip at the largest shift, whole strides of every layer; NaN where it was not measured."""
    return (result.values("shift_flips") or (math.nan,))[-1]
