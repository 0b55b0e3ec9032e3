"""The arms of the table with the published numbers beside them, and what accuracies in percent say where seeds do not vary."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean, stdev
from typing import TypeAlias

import numpy as np

from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, Quantity, group
from erlangen.experiments.kit.parts import Check
from erlangen.experiments.kit.published import published_numbers
from erlangen.experiments.padding import Recipe
from erlangen.experiments.padding.deviations import deviation_interval
from erlangen.experiments.padding.tasks import PADDINGS, ROWS, Net, Train
from erlangen.statistics.intervals import Interval, accuracy_difference, accuracy_interval, proportion_interval
from erlangen.statistics.regions import simultaneous_level

Estimate: TypeAlias = Callable[[float], Interval]  # level -> estimate and ends

KINDS = {"Net1": "pooled", "Net2": "flattened"}
TRACE = "place_r2"  # no two nets have the same to all its digits, unlike accuracies, which are counts
OVER_SEEDS = "t interval over seeds, binomial over images where seeds do not vary"

published = partial(published_numbers, "erlangen.experiments.padding")
"""The report's table, in percent by seed, and its rival's."""


def row_arm(evidence: Evidence, row: str) -> Arm:
    """The nets of a row, called `pooled, valid` say."""
    net, padding = ROWS[row]
    return replace(evidence.arm(Train, net=net, padding=padding), name=f"{KINDS[net]}, {padding}")


def arms_of(recipe: Recipe, evidence: Evidence, net: Net) -> dict[str, Arm]:
    """The arms of one net by padding, for the rows of the recipe."""
    return {padding: row_arm(evidence, f"{net}/{padding}") for padding in PADDINGS if f"{net}/{padding}" in recipe.rows}


def untrained(recipe: Recipe, arms: Sequence[Arm]) -> tuple[str, ...]:
    """The nets below the recipe's fit."""
    return tuple(name for arm in arms for name in arm.below("validation_accuracy", recipe.fit))


def distinct(arms: Sequence[Arm]) -> Check:
    """Whether each seed gave a net of its own: copies of one net agree perfectly, and ten of them are one seed."""
    traces = [list(arm.values(TRACE).values()) for arm in arms]
    known = not any(math.isnan(value) for values in traces for value in values)
    same = any(len(set(values)) < len(values) for values in traces)
    return Check(name="networks that differ from seed to seed", passed=not same if known else None)


def effect_of(arms: Sequence[Arm], quantities: Mapping[str, Quantity], estimate: Estimate, test: str = OVER_SEEDS) -> Effect:
    """What `estimate` makes of some quantities, by label, of some arms, with the jobs and numbers that it lacks."""
    return Effect(
        interval=estimate,
        missing=tuple(label for arm in arms for label in arm.missing),
        not_finite=tuple(
            f"{arm.name} seed {seed}: {label}"
            for arm in arms
            for label, quantity in quantities.items()
            for seed, value in arm.values(quantity).items()
            if math.isnan(value)
        ),
        groups=tuple(group(arm, quantity, "%", f"{arm.name}: {label}") for arm in arms for label, quantity in quantities.items()),
        test=test,
    )


def change(left: Arm, right: Arm, quantity: Quantity, images: int) -> Estimate:
    """Mean of left - right, paired by seed."""
    ours, theirs = left.values(quantity), right.values(quantity)
    seeds = sorted(ours.keys() & theirs.keys())
    return lambda level: accuracy_difference([ours[seed] for seed in seeds], [theirs[seed] for seed in seeds], images, level)


def departures(scores: Sequence[float], stated: Sequence[float], images: int) -> list[Estimate]:
    """How far mean and standard deviation over seeds 0, 1, ... are from those of the stated accuracies, in points.

    Means are paired by seed. Where there are more seeds than stated accuracies, the stated mean counts as a fixed number: the
    interval then shrinks with the seeds. Digit-for-digit repetition of accuracies that vary is no coincidence: [0, 0].
    """
    theirs = stated[: len(scores)]
    repeated = list(scores) == list(theirs) and len(set(scores)) > 1

    def mean(level: float) -> Interval:
        if len(scores) <= len(stated):
            return distance(accuracy_difference(scores, theirs, images, level))
        return distance(accuracy_interval(scores, images, level), fmean(stated))

    def deviation(level: float) -> Interval:
        if repeated:
            return Interval(0.0, 0.0, 0.0, len(scores))
        return distance(deviation_interval(scores, images, level), stdev(theirs) if theirs[1:] else 0.0)

    return [mean, deviation]


def counterexample(scores: Sequence[float], value: float, images: int) -> Estimate:
    """How far the net furthest from a value is from it: what is said of every net is refuted by one.

    The lower end allows for chance over the `images` and for the choice of the net; the upper end is the net itself.
    """
    furthest = max(scores, key=lambda score: abs(score - value), default=math.nan)

    def interval(level: float) -> Interval:
        if math.isnan(furthest):
            return Interval(math.nan, math.nan, math.nan, len(scores))
        exact = proportion_interval(round(furthest / 100 * images), images, simultaneous_level(len(scores), level))
        away = distance(Interval(furthest, 100 * exact.low, 100 * exact.high, len(scores)), value)
        return away._replace(high=away.estimate)

    return interval


def distance(interval: Interval, value: float = 0.0) -> Interval:
    """How far a quantity is from a value."""
    low, high = interval.low - value, interval.high - value
    least = low if math.isnan(low) else max(0.0, low, -high)
    return Interval(abs(interval.estimate - value), least, max(abs(low), abs(high)), interval.n)


def largest(estimates: Sequence[Estimate]) -> Estimate:
    """The largest of several quantities.

    It lies above a bound if any of them does, so its lower end is that of joint intervals (Bonferroni); it lies below a bound
    only if each does, so its upper end needs no correction (Berger's intersection-union test, Technometrics 24, 1982).
    """

    def interval(level: float) -> Interval:
        alone = [estimate(level) for estimate in estimates]
        joint = [estimate(simultaneous_level(len(estimates), level)) for estimate in estimates]
        return Interval(
            float(np.nanmax([one.estimate for one in alone])),
            float(np.max([one.low for one in joint])),
            float(np.max([one.high for one in alone])),
            min(one.n for one in alone),
        )

    return interval
