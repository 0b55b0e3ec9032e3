"""From texts in every setting to effects, over nets and prompts that are both drawn at random."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from erlangen.experiments.kit.compare import known_ends
from erlangen.experiments.kit.evidence import Arm, Effect, Evidence
from erlangen.experiments.sampling.tasks import Setting, Write, label
from erlangen.records.runs import Group
from erlangen.statistics.crossed import crossed_interval
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import simultaneous_level

HELD_OUT = "held out"


def nets(evidence: Evidence) -> Arm:
    """The nets that write."""
    return replace(evidence.arm(Write), name="net")


def table(arm: Arm, setting: str, outcome: str) -> np.ndarray:
    """An outcome by net and prompt; (0, 0) where nets differ in their number of prompts, or have none."""
    rows = [result.values(f"{setting} {outcome}") for _, result in sorted(arm.results.items())]
    if not rows or len({len(row) for row in rows}) > 1 or not rows[0]:
        return np.empty((0, 0))
    return np.array(rows)


def mean(arm: Arm, setting: str, outcome: str) -> Interval:
    """Its mean over nets and prompts, with a 95 % interval of its own."""
    return crossed_interval(table(arm, setting, outcome))


def spread(arm: Arm, outcome: str) -> float:
    """Standard deviation between held-out passages, the root of the mean variance over nets; NaN where there are too few."""
    rows = [row[np.isfinite(row)] for row in table(arm, HELD_OUT, outcome)]
    variances = [np.var(row, ddof=1) for row in rows if row.size > 1]
    return math.sqrt(float(np.mean(variances))) if variances else math.nan


def text_noise(arm: Arm, left: Setting, right: Setting, outcome: str) -> float:
    """Standard deviation of the difference between one text each, as a reader of single samples sees it."""
    values = differences(arm, left, right, outcome)
    kept = values[np.isfinite(values)]
    return float(kept.std(ddof=1)) if kept.size > 1 else math.nan


def difference(arm: Arm, left: Setting, right: Setting, outcome: str) -> Effect:
    """The mean of left - right, paired by net and prompt."""
    apart = differences(arm, left, right, outcome)
    return effect(arm, lambda level: crossed_interval(apart, level), (left, right), outcome)


def largest_difference(arm: Arm, settings: Sequence[Setting], outcome: str) -> Effect:
    """How far the means of the two settings that differ most are apart.

    The low end is that of any pair, with an error shared by all pairs (Bonferroni). The high end needs no such sharing: it fails
    only where that of the pair that truly differs most does.
    """
    pairs = list(combinations(settings, 2))
    apart = [differences(arm, left, right, outcome) for left, right in pairs]

    def interval(level: float) -> Interval:
        each = [crossed_interval(values, level) for values in apart]
        shared = [crossed_interval(values, simultaneous_level(len(pairs), level)) for values in apart]
        low = np.max([max(one.low, -one.high, 0.0) if math.isfinite(one.low) else math.nan for one in shared])
        high = np.max([np.maximum(-one.low, one.high) for one in each])
        return Interval(float(np.max([abs(one.estimate) for one in each])), float(low), float(high), each[0].n)

    widest = int(np.argmax([np.nan_to_num(abs(crossed_interval(values).estimate)) for values in apart]))
    return effect(arm, interval, pairs[widest], outcome)


def differences(arm: Arm, left: Setting, right: Setting, outcome: str) -> np.ndarray:
    """left - right (nets, prompts); (0, 0) where the two were not measured alike."""
    ours, theirs = (table(arm, label(setting), outcome) for setting in (left, right))
    return ours - theirs if ours.shape == theirs.shape else np.empty((0, 0))


def effect(arm: Arm, interval: Callable[[float], Interval], shown: Sequence[Setting], outcome: str) -> Effect:
    """An effect over nets and prompts, beside the means of the settings shown."""
    groups = []
    for setting in shown:
        own = mean(arm, label(setting), outcome)
        known = None if math.isnan(own.estimate) else own.estimate
        groups.append(Group(name=label(setting), mean=known, interval=known_ends(own)))
    return Effect(
        interval=interval,
        missing=arm.missing or (() if arm.results else ("any net",)),
        groups=tuple(groups),
        test="interval of paired differences, nets and prompts both random; settings are temperature/top-p",
        per="net",
    )
