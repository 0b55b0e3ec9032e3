"""The learning rate of each arm: the best of those tried, so that no arm loses by another's.

Every rate is run with every seed. An arm is compared at the rate whose validation loss, averaged over seeds, is least, and by
what was held out of that choice. Where the best rate is the lowest or highest tried, a better one may lie beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from erlangen.experiments.kit.evidence import Arm, Evidence, Quantity, matches
from erlangen.experiments.kit.parts import Check


@dataclass(frozen=True)
class Tuned:
    """An arm at the best of its learning rates.

    loss: at each of `rates`, which rise, the mean over seeds; infinite where a net diverged.
    """

    arm: Arm
    rate: float
    rates: tuple[float, ...]
    loss: tuple[float, ...]

    @property
    def inside(self) -> bool:
        """Whether a lower and a higher rate were tried and did no better."""
        return bool(self.rates) and self.rates[0] < self.rate < self.rates[-1]


def tuned(evidence: Evidence, kind: type, *, by: Quantity = "validation_loss", field: str = "lr", **fields: Any) -> Tuned:
    """The arm of a task's results with these `fields`, at the value of `field` at which the mean of `by` is least.

    A job that gave no result, at whatever rate, is missing from the arm: the choice would depend on which job failed.
    """
    jobs = [job for job in evidence.missing if matches(job, kind, fields)]
    results = [result.params[field] for result in evidence.of(kind, **fields)]
    rates = sorted({float(rate) for rate in [*results, *(job.params[field] for job in jobs)] if isinstance(rate, int | float)})
    arms = {rate: evidence.arm(kind, **fields, **{field: rate}) for rate in rates}
    losses = {rate: mean_loss(arm, by) for rate, arm in arms.items()}
    best = min(rates, key=lambda rate: losses[rate], default=math.nan)
    name = " ".join(str(value) for value in fields.values())
    arm = replace(arms[best], name=name, missing=tuple(job.label() for job in jobs)) if rates else Arm(name, {})
    return Tuned(arm, best, tuple(rates), tuple(losses[rate] for rate in rates))


def mean_loss(arm: Arm, by: Quantity) -> float:
    """The mean over seeds; infinite where a net diverged or none was trained."""
    values = list(arm.values(by).values())
    return fmean(values) if values and all(map(math.isfinite, values)) else math.inf


def tuning_check(*arms: Tuned) -> Check:
    """Whether each arm's best rate lies between others that were tried."""
    return outermost([f"{arm.arm.name} at {arm.rate:g}" for arm in arms if not arm.inside])


def outermost(names: Sequence[str]) -> Check:
    """A check that fails for arms whose best rate is an outermost one."""
    of = f" ({'; '.join(names)} is an outermost one)" if names else ""
    return Check(f"the best learning rate lies between others that were tried{of}", not names)
