"""Effects of a whole curve of accuracies: how many angles improve, and how far it is from flat."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from erlangen.experiments.kit.evidence import Arm, Effect, by_seed
from erlangen.experiments.rotation.evidence import at_each_angle
from erlangen.records.runs import JobResult
from erlangen.statistics.intervals import Interval


def angles_above(least: float, rows: Callable[..., np.ndarray], *arms: Arm) -> Effect:
    """The number of angles whose difference is above `least`: at least those whose interval is, at most those where it can be.

    The intervals of all angles hold together. rows: results of one seed -> (angles, N).
    """

    def count(level: float) -> Interval:
        each = at_each_angle(rows, level, *arms)
        known = bool(each) and all(math.isfinite(at.low) for at in each)
        low, high = (float(sum(end > least for end in ends)) for ends in ([at.low for at in each], [at.high for at in each]))
        seen = min((at.n for at in each), default=0)
        return Interval(
            float(sum(at.estimate > least for at in each)), low if known else math.nan, high if known else math.nan, seen
        )

    return counted(count, rows, *arms)


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
    return replace(effect, interval=interval, test="simultaneous t intervals of all angles, over seeds and test images")
