"""How well one number orders nets by their accuracy: rank correlations over arms, seed by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from scipy import stats

from erlangen.experiments.kit.evidence import Arm, Effect, by_seed, group, spread_interval
from erlangen.records.runs import JobResult
from erlangen.statistics.intervals import Interval

LEAST_ARMS = 6


def rank_correlation(arms: Mapping[str, Arm], quantity: str) -> Effect:
    """Spearman's ρ over these arms, of a quantity with the test accuracy: for each seed, then the mean over seeds.

    The arms are those of the recipe, not a sample of others: the interval says how the training scatters, not what other nets
    would show.
    """

    def rho(*results: JobResult) -> float:
        return spearman([(result.value(quantity), result.value("test_accuracy")) for result in results])

    groups = [group(arm, "test_accuracy", "%") for arm in arms.values()]
    test = "t interval over seeds of rank correlations over arms"
    return by_seed(rho, *arms.values(), estimator=bounded_interval, test=test, groups=groups)


def bounded_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """`spread_interval`, within the -1 and 1 that no rank correlation exceeds."""
    interval = spread_interval(values, level)
    low, high = (end if math.isnan(end) else min(max(end, -1.0), 1.0) for end in (interval.low, interval.high))
    return interval._replace(low=low, high=high)


def spearman(pairs: list[tuple[float, float]]) -> float:
    """The rank correlation; NaN where a number is missing or a side does not vary."""
    varies = all(len(set(side)) > 1 for side in zip(*pairs, strict=True))
    if not varies or not all(math.isfinite(value) for pair in pairs for value in pair):
        return math.nan
    return float(stats.spearmanr(*zip(*pairs, strict=True)).statistic)
