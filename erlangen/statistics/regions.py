"""The rule for every verdict: an interval against the region in which the true value must lie for a claim to hold.

    A exceeds B            exceeds(delta)    (delta, inf)       supported     the whole interval lies in the region
    A equals B             within(delta)     [-delta, delta]    refuted       interval and region do not meet
    exponent at most 1.2   at_most(1.2)      (-inf, 1.2]        inconclusive  anything else

If the interval covers the true value with probability 1 - a, half of a on each side, a value outside the region or on its edge
is *supported*, and a value inside it or on its edge *refuted*, with probability a / 2 at most for each edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from scipy import stats

from erlangen.statistics.intervals import Interval

Decision: TypeAlias = Literal["supported", "refuted", "inconclusive"]
LARGEST_SAMPLE = 100_000  # beyond it `units_needed` gives up


@dataclass(frozen=True, kw_only=True)
class Region:
    """The true value must lie between `low` and `high`.

    center: the value that "no effect" would have; the edges' distance from it is the smallest effect that matters.
    strict: whether the ends themselves lie outside. why: why the edges stand where they stand.
    """

    low: float = -math.inf
    high: float = math.inf
    center: float = 0.0
    strict: bool = False
    why: str = ""

    def __post_init__(self) -> None:
        if not self.low <= self.high:  # NaN too
            raise ValueError(f"region: low {self.low} is not below high {self.high}")

    def decide(self, interval: Interval) -> Decision:
        """The rule. Inconclusive where an end of the interval is unknown. Raises TypeError for a bare number: it has no ends."""
        if not isinstance(interval, Interval):
            raise TypeError(f"decide takes an Interval, as mean_interval and paired_interval return, not {interval!r}")
        if math.isnan(interval.low) or math.isnan(interval.high):
            return "inconclusive"
        if self.strict:
            inside = self.low < interval.low and interval.high < self.high
            apart = interval.high <= self.low or self.high <= interval.low
        else:
            inside = self.low <= interval.low and interval.high <= self.high
            apart = interval.high < self.low or self.high < interval.low
        return "supported" if inside else "refuted" if apart else "inconclusive"

    def scaled(self, factor: float) -> Region:
        """The region with its edges `factor` times as far from its center."""
        low, high = (self.center + factor * (end - self.center) for end in (self.low, self.high))
        return replace(self, low=low, high=high)

    def ends(self) -> tuple[float | None, float | None]:
        """Its ends for a record; None where it is unbounded."""
        low, high = (end if math.isfinite(end) else None for end in (self.low, self.high))
        return low, high


def exceeds(delta: float = 0.0, *, than: float = 0.0, why: str = "") -> Region:
    """The value is larger than `than`, by more than `delta`."""
    return Region(low=than + delta, center=than, strict=True, why=why)


def falls_below(delta: float = 0.0, *, than: float = 0.0, why: str = "") -> Region:
    """The value is smaller than `than`, by more than `delta`."""
    return Region(high=than - delta, center=than, strict=True, why=why)


def within(delta: float, *, around: float = 0.0, why: str = "") -> Region:
    """The value differs from `around` by `delta` at most. Raises ValueError for a negative delta."""
    return Region(low=around - delta, high=around + delta, center=around, why=why)


def at_most(high: float, *, center: float = 0.0, why: str = "") -> Region:
    """The value is `high` or less; `center` is the value that it would have in the clearest case."""
    return Region(high=high, center=center, why=why)


def at_least(low: float, *, center: float = 0.0, why: str = "") -> Region:
    """The value is `low` or more; `center` is the value that it would have in the clearest case."""
    return Region(low=low, center=center, why=why)


def between(low: float, high: float, *, why: str = "") -> Region:
    """The value lies between the two; its center is halfway."""
    return Region(low=low, high=high, center=(low + high) / 2, why=why)


def simultaneous_level(parts: int, level: float = 0.95) -> float:
    """The level at which each of `parts` intervals must be taken so that all of them hold together at `level` (Bonferroni)."""
    if parts < 1:
        raise ValueError(f"simultaneous_level: {parts} parts; at least one is needed")
    return 1 - (1 - level) / parts


def units_needed(region: Region, interval: Interval, level: float = 0.95) -> int | None:
    """About how many independent units (seeds) would decide, were the estimate and the spread to stay as they are.

    The half width of a t interval is t_{n-1} s / √n: the smallest n at which it fits between the estimate and the nearest
    edge. None where the estimate lies on an edge, the spread is unknown, or more than LARGEST_SAMPLE units are needed.
    """
    edges = [end for end in region.ends() if end is not None]
    half = (interval.high - interval.low) / 2
    room = min((abs(interval.estimate - end) for end in edges), default=math.inf)
    if interval.n < 2 or not half > 0 or not math.isfinite(half) or not room > 0:
        return None
    quantile = (1 + level) / 2
    spread = half * math.sqrt(interval.n) / float(stats.t.ppf(quantile, interval.n - 1))  # s

    def fits(n: int) -> bool:
        return float(stats.t.ppf(quantile, n - 1)) * spread / math.sqrt(n) <= room

    low, high = interval.n, 2 * interval.n
    while not fits(high):
        low, high = high, 2 * high
        if high > LARGEST_SAMPLE:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high
