"""From texts in every setting to differences, prompt by prompt and net by net, and what they say against a margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from erlangen.experiments.sampling import Setting, label
from erlangen.results import JobResult
from erlangen.stats import Interval, mean_interval

Table = np.ndarray  # (nets, prompts)


def table(results: Sequence[JobResult], setting: Setting | str, outcome: str) -> Table:
    """An outcome by net and prompt; (0, 0) where nets differ in their number of prompts, or have none."""
    name = setting if isinstance(setting, str) else label(setting)
    rows = [result.values(f"{name} {outcome}") for result in sorted(results, key=lambda r: r.seed)]
    if not rows or len({len(row) for row in rows}) > 1 or not rows[0]:
        return np.empty((0, 0))
    return np.array(rows)


@dataclass(frozen=True)
class Contrast:
    """The mean difference of an outcome between two settings: two estimates of how far it may be off, the wider one counts.

    by_prompt: over prompts, each the mean of the nets; by_net: over nets, each the mean of its prompts.
    """

    left: Setting
    right: Setting
    by_prompt: Interval
    by_net: Interval
    margin: float

    @property
    def interval(self) -> Interval:
        """95 %."""
        width = [one.high - one.low for one in (self.by_prompt, self.by_net)]
        return self.by_prompt if width[0] >= width[1] else self.by_net

    @property
    def beyond(self) -> float:
        """How many margins the estimate is from 0."""
        return abs(self.interval.estimate) / self.margin if self.margin > 0 else math.inf

    def p_different(self) -> float:
        """Two-sided, of no difference."""
        return max(p_value(one, 0.0, both=True) for one in (self.by_prompt, self.by_net))

    def p_equivalent(self) -> float:
        """Of a difference as large as the margin or larger: two one-sided tests (Schuirmann, 1987)."""
        return max(p_value(one, self.margin) for one in (self.by_prompt, self.by_net))


def p_value(interval: Interval, margin: float, both: bool = False) -> float:
    """From a 95 % t interval of n units: p of |mean| ≥ margin, or with `both` of mean = 0. NaN where the ends are unknown."""
    half = (interval.high - interval.low) / 2
    if interval.n < 2 or not math.isfinite(half):
        return math.nan
    distance = abs(interval.estimate) if both else margin - abs(interval.estimate)
    if half == 0:  # no pair differs from another
        return float(distance <= 0)
    p = float(stats.t.sf(distance / half * stats.t.ppf(0.975, interval.n - 1), interval.n - 1))
    return 2 * p if both else p


def contrast(results: Sequence[JobResult], left: Setting, right: Setting, outcome: str, margin: float) -> Contrast:
    """left less right; texts too short to have the outcome are left out of the means."""
    mine, theirs = table(results, left, outcome), table(results, right, outcome)
    if not mine.size or mine.shape != theirs.shape:
        nothing = mean_interval([])
        return Contrast(left, right, nothing, nothing, margin)
    apart = mine - theirs  # (nets, prompts)
    masked = np.ma.masked_invalid(apart)
    by_prompt = mean_interval([float(v) for v in masked.mean(0).compressed()])
    by_net = mean_interval([float(v) for v in masked.mean(1).compressed()])
    return Contrast(left, right, by_prompt, by_net, margin)


def spread(results: Sequence[JobResult], outcome: str) -> float:
    """Standard deviation between held-out passages, the root of the mean variance over nets."""
    own = table(results, "held out", outcome)
    return float(np.sqrt(np.nanmean(np.nanvar(own, axis=1, ddof=1)))) if own.size and own.shape[1] > 1 else math.nan
