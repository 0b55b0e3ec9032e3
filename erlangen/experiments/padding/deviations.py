"""The standard deviation of accuracies over seeds, with an interval that holds for more than normal ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import stdev

import numpy as np
from scipy import stats

from erlangen.statistics.intervals import Interval, accuracy_interval

FEWEST = 6  # seeds; fewer show nothing of the tails


def deviation_interval(percents: Sequence[float], images: int, level: float = 0.95) -> Interval:
    """Standard deviation s of accuracies over n seeds, in points; exact for normal ones.

        s √((n-1) / χ²(n-1, (1 + level) / 2))  to  s √((n-1) / χ²(n-1, (1 - level) / 2)),

    or Bonett's end, which allows for heavy tails, where it is further out: `bonett_ends`. Where all seeds score 0 % or all
    100 %, it ends at the spread that chance over the `images` gives to a rate in their mean's binomial interval. Seeds that
    all score the same in between say nothing of the spread, nor does one seed alone: the ends are NaN.
    """
    n = len(percents)
    if n < 2:
        return Interval(math.nan, math.nan, math.nan, n)
    s = stdev(percents)
    if s == 0:
        return Interval(0.0, *ends_without_spread(percents, images, level), n)
    low, high = (s * math.sqrt((n - 1) / stats.chi2.ppf(p, n - 1)) for p in ((1 + level) / 2, (1 - level) / 2))
    if n >= FEWEST:
        lower, upper = bonett_ends(percents, level)
        low, high = min(low, lower), max(high, upper)
    return Interval(s, low, high, n)


def ends_without_spread(percents: Sequence[float], images: int, level: float) -> tuple[float, float]:
    """Chance over the images at the floor or the ceiling; unknown elsewhere."""
    if percents[0] not in (0, 100):
        return math.nan, math.nan
    mean = accuracy_interval(percents, images, level)
    rate = min(max(0.5, mean.low / 100), mean.high / 100)  # nearest to 1/2, where chance is largest
    return 0.0, 100 * math.sqrt(rate * (1 - rate) / images)


def bonett_ends(values: Sequence[float], level: float) -> tuple[float, float]:
    """Ends of the standard deviation of n values, from their kurtosis about a trimmed mean m:

        log(c s²) ± z c √((k - (n-3)/n) / (n-1)),    k = n Σ(x - m)⁴ / (Σ(x - x̄)²)²,    c = n / (n - z)

    z: the normal quantile. m leaves out a share 1 / (2√(n-4)) at either end. For n > max(4, z). Source: Bonett, "Approximate
    confidence interval for standard deviation of nonnormal distributions", Computational Statistics & Data Analysis 50, 2006.
    """
    x, n = np.asarray(values, dtype=float), len(values)  # (n,)
    z = float(stats.norm.ppf((1 + level) / 2))
    center = stats.trim_mean(x, min(0.49, 1 / (2 * math.sqrt(n - 4))))
    kurtosis = n * float(((x - center) ** 4).sum()) / float(((x - x.mean()) ** 2).sum()) ** 2
    c = n / (n - z)
    error = c * math.sqrt(max(kurtosis - (n - 3) / n, 0.0) / (n - 1))
    variance = math.log(c * float(x.var(ddof=1)))
    return math.exp((variance - z * error) / 2), math.exp((variance + z * error) / 2)
