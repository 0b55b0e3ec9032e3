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
        """Whether `value` lies outside."""
        return not self.low <= value <= self.high


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
    other images: the exact interval over the `images` they share (not seeds × images: the seeds see the same ones).
    """
    interval = mean_interval(percents, level)
    if interval.n == 0 or np.ptp(np.asarray(percents, dtype=float)) > 0 or math.isnan(interval.estimate):
        return interval
    exact = proportion_interval(round(interval.estimate / 100 * images), images, level)
    return Interval(interval.estimate, 100 * exact.low, 100 * exact.high, interval.n)


def paired_interval(left: Sequence[float], right: Sequence[float], level: float = 0.95) -> Interval:
    """t interval of mean(left - right), paired entry by entry. Raises ValueError where the lengths differ."""
    if len(left) != len(right):
        raise ValueError(f"paired_interval: {len(left)} values on the left, {len(right)} on the right")
    return mean_interval([a - b for a, b in zip(left, right, strict=True)], level)


def paired_p_value(left: Sequence[float], right: Sequence[float]) -> float:
    """Two-sided p of the paired t test. Equal in every pair: 1. One same non-zero difference in every pair: 0."""
    difference = np.asarray(left, dtype=float) - np.asarray(right, dtype=float)  # (n,)
    if difference.size < 2:
        return math.nan
    if np.ptp(difference) == 0:
        return 1.0 if difference[0] == 0 else 0.0
    return float(stats.ttest_1samp(difference, 0.0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given (Scand. J. Statist. 6, 1979): they keep the family-wise error rate."""
    p = np.asarray(p_values, dtype=float)  # (m,)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * (p.size - np.arange(p.size))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in adjusted]
