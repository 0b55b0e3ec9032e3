"""From texts in every setting to effects, over nets and prompts that are both drawn at random."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import combinations

import numpy as np
from scipy import stats

from erlangen.experiments.kit.compare import known_ends
from erlangen.experiments.kit.evidence import Arm, Effect, Evidence
from erlangen.experiments.kit.published import published_numbers
from erlangen.experiments.sampling.tasks import OUTCOMES, REFERENCE, Regime, Setting, Write, label
from erlangen.records.runs import Group, JobResult
from erlangen.statistics.crossed import crossed_interval
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import simultaneous_level

HELD_OUT = "held out"
TRAINING_LOSS = "train_loss_in_training"

published = partial(published_numbers, "erlangen.experiments.sampling")
"""What the report states of its net."""


def nets(evidence: Evidence, regime: Regime) -> Arm:
    """The nets of a regime."""
    return replace(evidence.arm(Write, regime=regime), name=f"{regime} net")


def table(arm: Arm, setting: str, outcome: str) -> np.ndarray:
    """An outcome by net and prompt; (0, 0) where nets differ in their number of prompts, or have none."""
    rows = [result.values(f"{setting} {outcome}") for _, result in sorted(arm.results.items())]
    if not rows or len({len(row) for row in rows}) > 1 or not rows[0]:
        return np.empty((0, 0))
    return np.array(rows, dtype=np.float64)  # (nets, prompts)


def mean(arm: Arm, setting: str, outcome: str) -> Interval:
    """Its mean over nets and prompts, with a 95 % interval of its own."""
    return crossed_interval(table(arm, setting, outcome))


def spread(arm: Arm, outcome: str, settings: Sequence[Setting]) -> float:
    """Standard deviation between texts that a net writes in one setting, pooled over nets and settings; NaN for too few."""
    rows = [row[np.isfinite(row)] for setting in settings for row in table(arm, label(setting), outcome)]
    variances = [np.var(row, ddof=1) for row in rows if row.size > 1]
    return math.sqrt(float(np.mean(variances))) if variances else math.nan


def difference(arm: Arm, left: Setting, right: Setting, outcome: str) -> np.ndarray:
    """left - right (nets, prompts); (0, 0) where the two were not measured alike."""
    ours, theirs = (table(arm, label(setting), outcome) for setting in (left, right))
    return ours - theirs if ours.shape == theirs.shape else np.empty((0, 0))


@dataclass(frozen=True)
class Apart:
    """How far two settings are apart in one outcome, in standard deviations between texts: (nets, prompts)."""

    outcome: str
    pair: tuple[Setting, Setting]
    values: np.ndarray

    @cached_property
    def estimate(self) -> float:
        """The mean; NaN where it is not known."""
        return crossed_interval(self.values).estimate


def with_unit_error(values: np.ndarray, level: float) -> Interval:
    """The mean d of differences in standard deviations (nets, prompts), its interval widened by the error of their unit.

    half² + (t d)² / 2(P - 1): the standard deviation itself is estimated, from no more than P independent texts, since nets write
    after the same P prompts. Source: Hedges & Olkin, Statistical Methods for Meta-Analysis, 1985 (the variance of d).
    """
    interval = crossed_interval(values, level)
    prompts = int(np.isfinite(values).all(0).sum())
    if prompts < 2 or not math.isfinite(interval.low):
        return interval
    unit = float(stats.t.ppf((1 + level) / 2, prompts - 1)) * interval.estimate / math.sqrt(2 * (prompts - 1))
    half = math.hypot(interval.high - interval.estimate, unit)
    return interval._replace(low=interval.estimate - half, high=interval.estimate + half)


@dataclass(frozen=True)
class Largest:
    """The largest difference between any two of some settings, in any outcome.

    Its low end is that of any pair and outcome, with an error shared by all of them (Bonferroni). The high end needs no such
    sharing: it fails only where that of the pair and outcome that truly differ most does. All ends allow for the error of the
    unit, see `with_unit_error`.
    """

    arm: Arm
    settings: tuple[Setting, ...]
    outcomes: tuple[str, ...] = OUTCOMES

    @cached_property
    def all(self) -> list[Apart]:
        """Every pair in every outcome."""
        # What no two texts differ in is 0 apart, and its interval unknown.
        scale = {outcome: spread(self.arm, outcome, self.settings) or math.inf for outcome in self.outcomes}
        return [
            Apart(outcome, (left, right), difference(self.arm, left, right, outcome) / scale[outcome])
            for outcome in self.outcomes
            for left, right in combinations(self.settings, 2)
        ]

    @cached_property
    def widest(self) -> Apart:
        """The pair and outcome with the largest difference."""
        return max(self.all, key=lambda apart: float(np.nan_to_num(abs(apart.estimate))))

    def interval(self, level: float = 0.95) -> Interval:
        """The largest difference and its ends; unknown where any pair's is unknown in any outcome."""
        each = [with_unit_error(apart.values, level) for apart in self.all]
        shared = [with_unit_error(apart.values, simultaneous_level(len(each), level)) for apart in self.all]
        low = np.max([max(one.low, -one.high, 0.0) if math.isfinite(one.low) else math.nan for one in shared])
        high = np.max([np.maximum(-one.low, one.high) for one in each])
        return Interval(float(np.max([abs(one.estimate) for one in each])), float(low), float(high), min(one.n for one in each))

    def effect(self) -> Effect:
        """As a part takes it, beside the means of the two settings that differ most."""
        return Effect(
            interval=self.interval,
            missing=self.arm.missing or (() if self.arm.results else (f"any {self.arm.name}",)),
            groups=tuple(setting_group(self.arm, setting, self.widest.outcome) for setting in self.widest.pair),
            test="largest paired difference, nets and prompts both random; settings are temperature/top-p",
            per="net",
        )


def setting_group(arm: Arm, setting: Setting, outcome: str) -> Group:
    """The mean of an outcome in a setting."""
    own = mean(arm, label(setting), outcome)
    known = None if math.isnan(own.estimate) else own.estimate
    return Group(name=label(setting), mean=known, interval=known_ends(own))


def at_reference(outcome: str, setting: str = label(REFERENCE)) -> Callable[[JobResult], float]:
    """The mean of an outcome over a net's texts, those that have it; NaN where none has."""

    def average(result: JobResult) -> float:
        values = [value for value in result.values(f"{setting} {outcome}") if math.isfinite(value)]
        return float(np.mean(values)) if values else math.nan

    return average
