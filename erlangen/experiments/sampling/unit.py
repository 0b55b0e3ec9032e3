"""The unit in which settings differ, the standard deviation between texts of one setting, and the error of that unit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from erlangen.statistics.crossed import crossed_interval
from erlangen.statistics.intervals import Interval


def spread(tables: Sequence[np.ndarray]) -> float:
    """Standard deviation between texts that a net writes in one setting, pooled over nets and settings; NaN for too few.

    tables: an outcome in each setting (nets, prompts), NaN for a text without it.
    """
    rows = [row[np.isfinite(row)] for table in tables for row in table]
    variances = [np.var(row, ddof=1) for row in rows if row.size > 1]
    return math.sqrt(float(np.mean(variances))) if variances else math.nan


def squares(tables: Sequence[np.ndarray]) -> np.ndarray:
    """What each net and prompt adds to the variance: squared deviations from the net's mean, averaged over settings."""
    if not tables or not all(table.size and table.shape == tables[0].shape for table in tables):
        return np.empty((0, 0))
    stacked = np.stack(tables)  # (settings, nets, prompts)
    whole = stacked[:, :, np.isfinite(stacked).all((0, 1))]
    if not whole.size:
        return np.empty((0, 0))
    deviations: np.ndarray = ((whole - whole.mean(2, keepdims=True)) ** 2).mean(0)  # (nets, prompts)
    return deviations


def unit_error(contributions: np.ndarray, level: float) -> float:
    """Relative half width of the unit's interval, half that of the variance, from its `squares` (nets, prompts).

    Where few prompts hold most of the variance it is wide: a text that copies is rare, and another ten prompts may have none
    or two. It is no less than for normal texts, of which P are independent, since all nets write after the same P prompts:

        t_{P-1} / √(2(P-1))        Hedges & Olkin, Statistical Methods for Meta-Analysis, 1985 (the variance of d)

    NaN for fewer than two nets or prompts.
    """
    if min(contributions.shape) < 2:
        return math.nan
    variance, prompts = crossed_interval(contributions, level), contributions.shape[1]
    normal = float(stats.t.ppf((1 + level) / 2, prompts - 1)) / math.sqrt(2 * (prompts - 1))
    if not variance.estimate > 0 or math.isnan(variance.high):
        return normal
    return max(normal, (variance.high - variance.estimate) / variance.estimate / 2)


def with_unit_error(interval: Interval, error: float) -> Interval:
    """A mean d of differences in standard deviations, its half width h widened to √(h² + (d · error)²).

    The ends are unknown if the error is: a unit that cannot be trusted must not make the interval narrower.
    """
    if math.isnan(error):
        return interval._replace(low=math.nan, high=math.nan)
    if not math.isfinite(interval.low):
        return interval
    half = math.hypot(interval.high - interval.estimate, interval.estimate * error)
    return interval._replace(low=interval.estimate - half, high=interval.estimate + half)
