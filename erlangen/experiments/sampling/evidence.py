"""From texts in every setting to differences, net by net and prompt by prompt, and what they say against a margin.

    d[i, j] = μ + a[i] + b[j] + e[i, j],    Var(mean) = σ_a² / R + σ_b² / C + σ_e² / (R C),    R nets, C prompts, both random

Every net writes after the same prompts: neither R C texts nor C prompts are independent units. With s² the variances of the
nets' means, of the prompts' means and of what is left, s_a² / R + s_b² / C - s_e² / (R C) is unbiased, and no less than its
largest part is taken. Degrees of freedom after Satterthwaite (Biometrics Bulletin 2, 1946).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from erlangen.experiments.sampling import Setting, label
from erlangen.records.runs import JobResult
from erlangen.statistics.intervals import Interval

Table = np.ndarray  # (nets, prompts)


def table(results: Sequence[JobResult], setting: Setting | str, outcome: str) -> Table:
    """An outcome by net and prompt; (0, 0) where nets differ in their number of prompts, or have none."""
    name = setting if isinstance(setting, str) else label(setting)
    rows = [result.values(f"{name} {outcome}") for result in sorted(results, key=lambda r: r.seed)]
    if not rows or len({len(row) for row in rows}) > 1 or not rows[0]:
        return np.empty((0, 0))
    return np.array(rows)


@dataclass(frozen=True)
class Mean:
    """Of a table: its standard error over nets and prompts, with degrees of freedom; NaN where too few are left."""

    estimate: float
    error: float
    df: float
    nets: int
    prompts: int

    @property
    def interval(self) -> Interval:
        """95 %, of n nets: prompts are the many, nets the few."""
        half = float(stats.t.ppf(0.975, self.df)) * self.error if self.error else 0.0
        return Interval(self.estimate, self.estimate - half, self.estimate + half, self.nets)

    def p_different(self) -> float:
        """Two-sided, of no difference. Where all differ by the same, that of the sign test over nets."""
        if self.error == 0:
            return 1.0 if self.estimate == 0 else 2.0 ** (1 - self.nets)
        return 2 * float(stats.t.sf(abs(self.estimate) / self.error, self.df))

    def p_equivalent(self, margin: float) -> float:
        """Of a difference as large as the margin or larger: the larger of two one-sided p (Schuirmann, 1987)."""
        if self.error == 0:
            return float(abs(self.estimate) >= margin)
        return float(stats.t.sf((margin - abs(self.estimate)) / self.error, self.df))


def crossed_mean(values: Table) -> Mean:
    """See the module. Prompts at which a net has no value are left out for all: a text too short has no outcome."""
    kept = values[:, np.isfinite(values).all(0)]  # (R, C)
    nets, prompts = kept.shape
    if nets < 2 or prompts < 2:
        return Mean(float(kept.mean()) if kept.size else math.nan, math.nan, math.nan, nets, prompts)
    of_nets, of_prompts, whole = kept.mean(1), kept.mean(0), float(kept.mean())
    rest = kept - of_nets[:, None] - of_prompts + whole
    freedom = np.array([nets - 1, prompts - 1, (nets - 1) * (prompts - 1)])
    parts = np.array([of_nets.var(ddof=1) / nets, of_prompts.var(ddof=1) / prompts, (rest**2).sum() / freedom[2] / kept.size])
    variance = max(parts[0] + parts[1] - parts[2], parts[0], parts[1])
    if variance <= (1e-13 * np.abs(kept).max()) ** 2:  # rounding
        return Mean(whole, 0.0, math.nan, nets, prompts)
    df = float(variance**2 / (parts**2 / freedom).sum())
    return Mean(whole, math.sqrt(variance), df, nets, prompts)


@dataclass(frozen=True)
class Contrast:
    """The mean difference of an outcome between two settings, left less right."""

    left: Setting
    right: Setting
    mean: Mean
    margin: float

    @property
    def beyond(self) -> float:
        """How many margins the estimate is from 0."""
        return abs(self.mean.estimate) / self.margin if self.margin > 0 else math.inf

    def p_equivalent(self) -> float:
        return self.mean.p_equivalent(self.margin)


def contrast(results: Sequence[JobResult], left: Setting, right: Setting, outcome: str, margin: float) -> Contrast:
    """left less right, paired by net and prompt; of nothing where the two were not measured alike."""
    mine, theirs = table(results, left, outcome), table(results, right, outcome)
    apart = mine - theirs if mine.shape == theirs.shape else np.empty((0, 0))
    return Contrast(left, right, crossed_mean(apart), margin)


def spread(results: Sequence[JobResult], outcome: str) -> float:
    """Standard deviation between held-out passages, the root of the mean variance over nets."""
    own = table(results, "held out", outcome)
    variances = [np.var(row[np.isfinite(row)], ddof=1) for row in own if np.isfinite(row).sum() > 1]
    return math.sqrt(float(np.mean(variances))) if variances else math.nan
