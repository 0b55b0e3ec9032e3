"""From the results of `attention-scale` to the numbers that verdicts and figures share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from erlangen.experiments.attention_scale import Recipe
from erlangen.experiments.attention_scale.statements import ARM_NAMES, NAMES
from erlangen.experiments.attention_scale.tasks import ARMS, Copy, Optimizer
from erlangen.experiments.kit.evidence import Arm, Evidence, matches
from erlangen.experiments.kit.tuning import Tuned, tuned
from erlangen.records.runs import JobResult


@dataclass(frozen=True)
class Nets:
    """The nets that learned to copy with one optimizer, width and number of keys. best: arm -> its nets at its best rate."""

    optimizer: Optimizer
    width: int
    keys: int
    evidence: Evidence
    best: Mapping[str, Tuned]

    def setting(self) -> str:
        """The width and the keys, in words."""
        return f"d = {self.width}, {self.keys} keys."

    def mean(self, arm: str, name: str) -> float:
        """The mean over seeds of a measurement of an arm at its best rate."""
        return self.best[arm].arm.mean(name).estimate

    def over_rates(self, arm: str, value: Callable[[JobResult], float]) -> Arm:
        """An arm whose results carry the mean of `value` over its learning rates as `over_rates`, seed by seed."""
        tried = self.evidence.of(Copy, arm=arm)
        means: dict[int, JobResult] = {}
        for seed, result in self.best[arm].arm.results.items():
            mean = fmean(value(one) for one in tried if one.seed == seed)
            means[seed] = replace(result, measurements=(replace(result.measurements[0], name="over_rates", value=mean),))
        return replace(self.best[arm].arm, results=means)


def nets(evidence: Evidence, optimizer: Optimizer, width: int, keys: int) -> Nets:
    """All arms of one setting, each at the learning rate that suits it best."""
    fields = {"optimizer": optimizer, "width": width, "keys": keys}
    missing = tuple(job for job in evidence.missing if matches(job, Copy, fields))
    kept = Evidence(tuple(evidence.of(Copy, **fields)), missing)
    best: dict[str, Tuned] = {arm: named(tuned(kept, Copy, arm=arm), arm, optimizer, width, keys) for arm in ARMS}
    return Nets(optimizer, width, keys, kept, best)


def named(found: Tuned, arm: str, optimizer: str, width: int, keys: int) -> Tuned:
    """The same with the setting in its name."""
    return replace(found, arm=replace(found.arm, name=f"{ARM_NAMES[arm]}, {NAMES[optimizer]}, d = {width}, {keys} keys"))


def corner(recipe: Recipe, evidence: Evidence, name: str, optimizer: Optimizer) -> Nets:
    """The nets where the missing scale should matter most, "widest", or least, "narrowest"."""
    place = -1 if name == "widest" else 0
    return nets(evidence, optimizer, recipe.trained[place], recipe.contexts[place])


def loss_up_to_chance(result: JobResult) -> float:
    """The test loss, at most that of guessing, ln(vocabulary), which also stands for a net that diverged.

    NaN where the job did not measure the loss: only a measurement that is not finite is a divergence.
    """
    guessing = math.log(float(str(result.params["vocabulary"])))
    if not any(one.name == "test_loss" for one in result.measurements):
        return math.nan
    loss = result.value("test_loss")
    return min(loss, guessing) if math.isfinite(loss) else guessing


def at(result: JobResult, name: str, place: int) -> float:
    """One entry of a tuple measurement; NaN where it was not measured."""
    values = result.values(name)
    return values[place] if -len(values) <= place < len(values) else math.nan
