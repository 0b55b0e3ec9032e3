"""Effects of a whole curve of accuracies: how many angles improve, the largest peak, and how far it is from flat."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from erlangen.experiments.kit.evidence import Arm, Effect, by_seed
from erlangen.experiments.rotation.evidence import at_each_angle, by_angle
from erlangen.records.runs import JobResult
from erlangen.statistics.crossed import crossed_interval
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import simultaneous_level


def angles_above(least: float, rows: Callable[..., np.ndarray], *arms: Arm) -> Effect:
    """The number of angles whose difference is above `least`, from those that surely are to those that are not surely below.

    rows: results of one seed -> (angles, N).
    """

    def count(level: float) -> Interval:
        tables = by_angle(rows, *arms)
        means = [crossed_interval(table, level) for table in tables]
        known = bool(means) and all(math.isfinite(mean.low) for mean in means)
        above = surely(tables, level, lambda at: at.low > least) if known else math.nan
        below = surely(tables, level, lambda at: at.high < least) if known else math.nan
        seeds = min((mean.n for mean in means), default=0)
        return Interval(float(sum(mean.estimate > least for mean in means)), above, len(means) - below, seeds)

    return counted(count, rows, *arms)


def surely(tables: np.ndarray, level: float, clear: Callable[[Interval], bool]) -> float:
    """How many angles are surely clear, taken together; tables (angles, seeds, N).

    Of n angles one must be clear at 1 - (1 - level) / n, another at 1 - (1 - level) / (n - 1), and so on, until none is.
    Source: Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    for number in range(1, len(tables) + 1):
        at = simultaneous_level(len(tables) - number + 1, level)
        if sum(clear(crossed_interval(table, at)) for table in tables) < number:
            return float(number - 1)
    return float(len(tables))


def largest_peak(rows: Callable[..., np.ndarray], net: Arm) -> Effect:
    """The largest of several peaks, with simultaneous intervals. rows: results -> (peaks, N).

    The estimate alone would favor whichever peak is high by chance. The ends do not: if all intervals hold, the largest true
    peak lies between the largest lower end and the largest upper end.
    """

    def largest(level: float) -> Interval:
        each = at_each_angle(rows, level, net)
        known = bool(each) and all(math.isfinite(at.low) for at in each)
        estimate, low, high = (max((at[end] for at in each), default=math.nan) for end in range(3))
        return Interval(estimate, low if known else math.nan, high if known else math.nan, min((at.n for at in each), default=0))

    return counted(largest, rows, net)


def largest_deviation(rows: Callable[..., np.ndarray], net: Arm) -> Effect:
    """The largest distance of an angle from the mean of all, with simultaneous intervals. rows: results -> (angles, N)."""

    def centered(result: JobResult) -> np.ndarray:
        accuracies = rows(result)
        difference: np.ndarray = accuracies - accuracies.mean(0)
        return difference

    def largest(level: float) -> Interval:
        each = at_each_angle(centered, level, net)
        low = max((max(at.low, -at.high, 0.0) for at in each), default=math.nan)
        high = max((max(at.high, -at.low) for at in each), default=math.nan)
        known = bool(each) and all(math.isfinite(at.low) for at in each)
        estimate = max((abs(at.estimate) for at in each), default=math.nan)
        return Interval(estimate, low if known else math.nan, high if known else math.nan, min((at.n for at in each), default=0))

    return counted(largest, centered, net)


def counted(interval: Callable[[float], Interval], rows: Callable[..., np.ndarray], *arms: Arm) -> Effect:
    """An effect with the guards of all results behind it."""
    effect = by_seed(lambda *results: float(rows(*results).mean()), *arms)
    return replace(effect, interval=interval, test="t intervals of all angles together, over seeds and test images")
