"""The largest or the smallest of many means, with an interval that takes account of their number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from erlangen.experiments.kit.evidence import NO_JOB, Arm, Effect, spread_interval
from erlangen.records.runs import JobResult
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import simultaneous_level


def extreme(
    arm: Arm, quantities: Sequence[Callable[[JobResult], float]], choose: Callable[..., float], family: int | None = None
) -> Effect:
    """The largest (`max`) or smallest (`min`) of several means in absolute value, with an interval that holds for all of them.

    family: how many means the intervals must hold together for; by default as many as there are.
    """
    table = [[*arm.values(value).values()] for value in quantities]  # (quantities, draws), NaN where not measured

    def interval(level: float) -> Interval:
        each = simultaneous_level(family or len(quantities), level)
        sizes = [absolute(spread_interval(row, each)) for row in table]
        estimate, low, high = (choose(column) for column in list(zip(*sizes, strict=True))[:3])
        unknown = any(math.isnan(end) for size in sizes for end in size[1:3])
        return Interval(estimate, math.nan if unknown else low, math.nan if unknown else high, len(arm.results))

    broken = [seed for place, seed in enumerate(sorted(arm.results)) if any(math.isnan(row[place]) for row in table)]
    missing = arm.missing or (() if arm.results else (f"{arm.name}{NO_JOB}",))
    return Effect(
        interval=interval,
        missing=missing,
        not_finite=tuple(f"{arm.name} seed {seed}" for seed in broken),
        per="draw",
        test=f"t intervals over draws, together for all {family or len(quantities)} cases",
    )


def absolute(interval: Interval) -> Interval:
    """The interval of |x| where x lies in `interval`."""
    low = 0.0 if interval.low <= 0 <= interval.high else min(abs(interval.low), abs(interval.high))
    high = max(abs(interval.low), abs(interval.high))
    return Interval(abs(interval.estimate), math.nan if math.isnan(interval.low) else low, high, interval.n)
