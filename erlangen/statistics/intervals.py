"""Intervals and tests, on SciPy. Every function returns numbers; the verdict is the caller's.

The level is 95 % unless `level` says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Interval(NamedTuple):
    """An estimate and its two-sided interval, over n independent units."""

    estimate: float
    low: float
    high: float
    n: int

    def within(self, margin: float) -> bool:
        """Whether the whole interval lies in [-margin, margin]: equivalence, as two one-sided tests at (1 - level) / 2."""
        return -margin <= self.low and self.high <= margin

    def excludes(self, value: float = 0.0) -> bool:
        """Whether `value` lies outside; no where the ends are unknown."""
        return value < self.low or self.high < value

    def exp(self) -> Interval:
        """An interval of logarithms as one of ratios; an end beyond the largest float is infinite."""
        with np.errstate(over="ignore"):
            estimate, low, high = (float(np.exp(value)) for value in self[:3])
        return Interval(estimate, low, high, self.n)


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Student's t interval of a mean: mean ± t_{n-1} · s / √n, s with ddof 1.

    With one value, or any that is not finite, the ends are NaN: nothing is known of the spread.
    """
    array = np.asarray(values, dtype=float)  # (n,)
    n = array.size
    if n == 0 or not np.isfinite(array).all():
        return Interval(math.nan, math.nan, math.nan, n)
    if n == 1:
        return Interval(float(array[0]), math.nan, math.nan, 1)
    half = stats.t.ppf((1 + level) / 2, n - 1) * array.std(ddof=1) / math.sqrt(n)
    mean = float(array.mean())
    return Interval(mean, mean - float(half), mean + float(half), n)


def proportion_interval(successes: int, n: int, level: float = 0.95) -> Interval:
    """Clopper & Pearson's exact interval of a proportion, in [0, 1] (Biometrika 26, 1934)."""
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    result = stats.binomtest(successes, n).proportion_ci(level, method="exact")
    return Interval(successes / n, float(result.low), float(result.high), n)


def accuracy_interval(percents: Sequence[float], images: int, level: float = 0.95) -> Interval:
    """Mean accuracy over seeds in percent: a t interval, but a binomial one over images where the seeds do not vary.

    Ten seeds that all score 100.0 say nothing of the spread between seeds, yet much of how far from 100 the rate can be on
    other images: the exact interval over the `images` they share (not seeds × images: the seeds see the same ones). One seed
    leaves the ends NaN.
    """
    interval = mean_interval(percents, level)
    if interval.n < 2 or math.isnan(interval.estimate):
        return interval
    if np.ptp(np.asarray(percents, dtype=float)) > 0:
        return interval._replace(low=max(interval.low, 0.0), high=min(interval.high, 100.0))
    exact = proportion_interval(round(interval.estimate / 100 * images), images, level)
    return Interval(interval.estimate, 100 * exact.low, 100 * exact.high, interval.n)


def paired_interval(left: Sequence[float], right: Sequence[float], level: float = 0.95) -> Interval:
    """t interval of mean(left - right), paired entry by entry.

    With one pair, or an entry that is not finite, the ends are NaN, as of `mean_interval`: a region then decides *inconclusive*.
    Raises ValueError where the lengths differ.
    """
    if len(left) != len(right):
        raise ValueError(f"paired_interval: {len(left)} values on the left, {len(right)} on the right")
    return mean_interval([a - b for a, b in zip(left, right, strict=True)], level)


def accuracy_difference(left: Sequence[float], right: Sequence[float], images: int, level: float = 0.95) -> Interval:
    """mean(left - right) of two accuracies in percent, paired by seed: a t interval, wherever the differences vary.

    Where they do not, seeds show no spread to build on, and it is the distance between the two means' binomial intervals over
    `images`: wide, but never of width 0 by coincidence. Digit-for-digit repetition of accuracies that do vary is no
    coincidence: then the interval is [0, 0].
    """
    paired = paired_interval(left, right, level)
    if paired.n < 2 or math.isnan(paired.estimate) or not same_difference(left, right):
        return paired
    if list(left) == list(right) and len(set(left)) > 1:
        return paired
    ours, theirs = (proportion_interval(round(float(np.mean(side)) / 100 * images), images, level) for side in (left, right))
    return Interval(paired.estimate, 100 * (ours.low - theirs.high), 100 * (ours.high - theirs.low), paired.n)


def paired_p_value(left: Sequence[float], right: Sequence[float]) -> float:
    """Two-sided p of the paired t test; NaN for one pair. Raises ValueError where the lengths differ.

    Where every pair differs by the same, t has no spread to work with: p is then 1 for no difference, else that of the sign
    test, 2 / 2ⁿ.
    """
    if len(left) != len(right):
        raise ValueError(f"paired_p_value: {len(left)} values on the left, {len(right)} on the right")
    difference = np.asarray(left, dtype=float) - np.asarray(right, dtype=float)  # (n,)
    if difference.size < 2:
        return math.nan
    if same_difference(left, right):
        return 1.0 if list(left) == list(right) else 2.0 ** (1 - difference.size)
    return float(stats.ttest_1samp(difference, 0.0).pvalue)


def same_difference(left: Sequence[float], right: Sequence[float]) -> bool:
    """Whether every pair differs by the same, but for rounding: 6.5 - 6.4 is not quite 6.9 - 6.8."""
    numbers = np.asarray([left, right], dtype=float)  # (2, n)
    return bool(np.ptp(numbers[0] - numbers[1]) <= 1e-13 * np.abs(numbers).max())


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given (Scand. J. Statist. 6, 1979): they keep the family-wise error rate.

    A NaN stays NaN and still counts as a test.
    """
    p = np.asarray(p_values, dtype=float)  # (m,)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * (p.size - np.arange(p.size))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in adjusted]
