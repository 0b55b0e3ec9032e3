"""Padding: the parts that compare accuracies with the report's, C2 and the order of C5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean, pstdev

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.parts import AllOf, AnyPart, Check, Part
from erlangen.experiments.padding import PRESETS, Recipe
from erlangen.experiments.padding.accuracies import (
    OVER_SEEDS,
    Estimate,
    change,
    departures,
    distinct,
    effect_of,
    largest,
    published,
    row_arm,
    untrained,
)
from erlangen.experiments.padding.tasks import ROWS, Train
from erlangen.statistics.regions import Region, at_most, exceeds

TEN_SEEDS = "Net1 and Net2 × valid, sconv, fconv, replicate, reflect, circular, ten seeds."
SEEDS = 10  # of the published table
ORDER = "acc valid < sconv < fconv"
OVER_TABLE = f"{OVER_SEEDS}; of each SD χ², or Bonett's where it is wider"
COLUMNS = {"validation": "validation_accuracy", "test": "test_accuracy"}
Scores = Mapping[str, Sequence[float]]  # accuracies in percent by seed, for validation and test


def table(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """C2: all rows at once, and each of them."""
    rows = [row_part(recipe, evidence, row) for row in recipe.rows]
    whole = AllOf(
        claim="C2",
        part="table",
        of="report",
        quote=TEN_SEEDS,
        statement=f"Each of the {len(rows)} rows of the table scores as published.",
        parts=tuple(row.part for row in rows),
    )
    return [whole, *rows]


def as_published(recipe: Recipe, evidence: Evidence) -> bool:
    """Whether the nets were trained and tested with the report's protocol, in its precision."""
    names = ("protocol", "epochs", "patience", "train", "validation", "test")
    same = all(getattr(recipe, name) == getattr(PRESETS["standard"], name) for name in names)
    return same and all(result.precision == "float32" for result in evidence.of(Train))


def row_part(recipe: Recipe, evidence: Evidence, row: str) -> Part:
    """One row: its four numbers, mean and standard deviation in validation and in the test, are the published ones."""
    arm, stated = row_arm(evidence, row), published()["padding_table"][row]
    kind, padding = arm.name.split(", ")
    return Part(
        claim="C2",
        part=arm.name,
        of="report",
        quote=TEN_SEEDS,
        statement=f"The {kind} net under {padding} padding scores {in_words(stated)}.",
        effect=effect_of([arm], COLUMNS, largest(far_from(recipe, arm, stated)), OVER_TABLE),
        region=as_stated(recipe),
        unit="points, largest of four differences from the published row",
        untrained=untrained(recipe, [arm]),
        checks=(
            Check(name="training as in the report (--preset standard, float32)", passed=as_published(recipe, evidence)),
            Check(name=f"{SEEDS} seeds or more, as in the report", passed=len(arm.results) >= SEEDS),
            distinct([arm]),
        ),
        corrected=lambda _: f"Here it scores {in_words(measured(arm))}.",
        note=f"Mean test accuracy: measured {arm.mean('test_accuracy').estimate:.2f} %, published {fmean(stated['test']):.2f} %.",
    )


def as_stated(recipe: Recipe) -> Region:
    """Within the tolerance of a stated number."""
    return at_most(recipe.tolerance, why="well below the smallest lead that the report explains: replicate over fconv, 5 points")


def far_from(recipe: Recipe, arm: Arm, stated: Scores) -> list[Estimate]:
    """How far mean and standard deviation are from the stated ones, in validation and in the test."""
    images = {"validation": recipe.validation, "test": recipe.test}
    return [entry for column, scores in measured(arm).items() for entry in departures(scores, stated[column], images[column])]


def measured(arm: Arm) -> Scores:
    """The accuracies of an arm, by seed."""
    return {column: list(arm.values(quantity).values()) for column, quantity in COLUMNS.items()}


def in_words(scores: Scores) -> str:
    """'98.8 ± 0.2 % in validation and 6.4 ± 0.2 % in the test', population standard deviations as in the report"""
    validation, test = (f"{fmean(scores[column]):.1f} ± {pstdev(scores[column]):.1f} %" for column in COLUMNS)
    return f"{validation} in validation and {test} in the test"


def order(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """C5: both steps of valid < sconv < fconv, and each of them; none where the recipe lacks a row."""
    rows = ("Net1/valid", "Net1/sconv", "Net1/fconv")
    if not set(rows) <= set(recipe.rows):
        return []
    steps = [step(recipe, evidence, lower, upper) for lower, upper in pairwise(rows)]
    statement = "Test accuracy of the pooled net: valid < sconv < fconv."
    names = tuple(part.part for part in steps)
    return [AllOf(claim="C5", part="order", of="report", quote=ORDER, statement=statement, parts=names), *steps]


def step(recipe: Recipe, evidence: Evidence, lower: str, upper: str) -> Part:
    """The pooled net scores more under one padding than under another."""
    below, above = row_arm(evidence, lower), row_arm(evidence, upper)
    less, more = ROWS[lower][1], ROWS[upper][1]
    theirs = {row: fmean(published()["padding_table"][row]["test"]) for row in (lower, upper)}
    return Part(
        claim="C5",
        part=f"{less} < {more}",
        of="report",
        quote=ORDER,
        statement=f"The pooled net scores more in the test under {more} padding than under {less} padding.",
        effect=effect_of([above, below], {"test": "test_accuracy"}, change(above, below, "test_accuracy", recipe.test)),
        region=exceeds(why="the report states an order: any lead supports it"),
        unit="points of test accuracy, paired by seed",
        untrained=untrained(recipe, [above, below]),
        checks=(distinct([above, below]),),
        corrected=lambda gain: f"Under {more} padding it scores {-gain.estimate:.1f} points less.",
        published=theirs[upper] - theirs[lower],
    )
