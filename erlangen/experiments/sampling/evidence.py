"""From texts in every setting to effects, over nets and prompts that are both drawn at random."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import combinations

import numpy as np

from erlangen.experiments.kit.compare import known_ends
from erlangen.experiments.kit.evidence import Arm, Effect, Evidence
from erlangen.experiments.kit.published import published_numbers
from erlangen.experiments.sampling.tasks import OUTCOMES, REFERENCE, Regime, Setting, Write, label
from erlangen.experiments.sampling.unit import spread, squares, unit_error, with_unit_error
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


def tables(arm: Arm, outcome: str, settings: Sequence[Setting]) -> list[np.ndarray]:
    """An outcome in each setting (nets, prompts)."""
    return [table(arm, label(setting), outcome) for setting in settings]


def mean(arm: Arm, setting: str, outcome: str) -> Interval:
    """Its mean over nets and prompts, with a 95 % interval of its own."""
    return crossed_interval(table(arm, setting, outcome))


def difference(arm: Arm, left: Setting, right: Setting, outcome: str) -> np.ndarray:
    """left - right (nets, prompts); (0, 0) where the two were not measured alike."""
    ours, theirs = (table(arm, label(setting), outcome) for setting in (left, right))
    return ours - theirs if ours.shape == theirs.shape else np.empty((0, 0))


@dataclass(frozen=True)
class Apart:
    """How far two settings are apart in one outcome, in standard deviations between texts: (nets, prompts).

    error: level -> relative half width of the interval of that unit.
    """

    outcome: str
    pair: tuple[Setting, Setting]
    values: np.ndarray
    error: Callable[[float], float]

    @cached_property
    def estimate(self) -> float:
        """The mean; NaN where it is not known."""
        return crossed_interval(self.values).estimate

    def interval(self, level: float) -> Interval:
        """The mean with its interval, which allows for the error of the unit."""
        return with_unit_error(crossed_interval(self.values, level), self.error(level))


@dataclass(frozen=True)
class Largest:
    """The largest difference between any two of some settings, in any outcome.

    Its low end is that of any pair and outcome, with an error shared by all of them (Bonferroni). The high end needs no such
    sharing: it fails only where that of the pair and outcome that truly differ most does. All ends allow for the error of the
    unit.
    """

    arm: Arm
    settings: tuple[Setting, ...]
    outcomes: tuple[str, ...] = OUTCOMES

    @cached_property
    def all(self) -> list[Apart]:
        """Every pair in every outcome."""
        # What no two texts differ in is 0 apart, and its interval unknown.
        made = {outcome: tables(self.arm, outcome, self.settings) for outcome in self.outcomes}
        scale = {outcome: spread(texts) or math.inf for outcome, texts in made.items()}
        error = {outcome: cache(partial(unit_error, squares(texts))) for outcome, texts in made.items()}  # of each level once
        return [
            Apart(outcome, (left, right), difference(self.arm, left, right, outcome) / scale[outcome], error[outcome])
            for outcome in self.outcomes
            for left, right in combinations(self.settings, 2)
        ]

    @cached_property
    def widest(self) -> Apart:
        """The pair and outcome with the largest difference."""
        return max(self.all, key=lambda apart: float(np.nan_to_num(abs(apart.estimate))))

    def interval(self, level: float = 0.95) -> Interval:
        """The largest difference and its ends; unknown where any pair's is unknown in any outcome."""
        each = [apart.interval(level) for apart in self.all]
        shared = [apart.interval(simultaneous_level(len(each), level)) for apart in self.all]
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
