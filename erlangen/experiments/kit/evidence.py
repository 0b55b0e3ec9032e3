"""The results of a run, sorted into arms, and the effects that they estimate."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from erlangen.experiments.kit.tasks import task_name
from erlangen.records.runs import Group, Job, JobResult
from erlangen.statistics.intervals import Interval, mean_interval

NO_JOB = ", which no job of this recipe computes"
ROUNDING = 3e-5  # relative: differences of accuracies near 100 in float32, 54 of 60 among them, which is not quite 90 %
Estimator: TypeAlias = Callable[[Sequence[float], float], Interval]  # values over seeds, level -> interval
Quantity: TypeAlias = str | Callable[[JobResult], float]  # a measurement's name, or what to make of a result


@dataclass(frozen=True)
class Arm:
    """The results of one arm by seed. `missing` names the jobs of the arm that gave none."""

    name: str
    results: Mapping[int, JobResult]
    missing: tuple[str, ...] = ()

    def values(self, quantity: Quantity) -> dict[int, float]:
        """Seed -> the quantity; NaN where it was not measured or is not finite."""
        return {seed: read(result, quantity) for seed, result in sorted(self.results.items())}

    def mean(self, quantity: Quantity) -> Interval:
        """Mean over seeds, with a 95 % interval of its own."""
        return mean_interval(list(self.values(quantity).values()))

    def below(self, quantity: Quantity, least: float, unit: str = "%") -> tuple[str, ...]:
        """Names the seeds that fall short of `least`, for the guard against nets that were not trained."""
        short = {seed: value for seed, value in self.values(quantity).items() if not value >= least - ROUNDING * abs(least)}
        return tuple(f"{self.name} seed {seed} ({fit(value, unit)}, needs {least:g})" for seed, value in short.items())

    def above(self, quantity: Quantity, most: float, unit: str = "nats") -> tuple[str, ...]:
        """Names the seeds whose loss, say, is not `most` or less: the same guard for what falls in training."""
        high = {seed: value for seed, value in self.values(quantity).items() if not value <= most}
        return tuple(f"{self.name} seed {seed} ({fit(value, unit)}, needs {most:g} or less)" for seed, value in high.items())


def fit(value: float, unit: str) -> str:
    """What a net reached in training, in words."""
    return f"{value:.4g} {unit}" if math.isfinite(value) else "fit not measured"


@dataclass(frozen=True)
class Evidence:
    """The results of the jobs that a run asked for, and those jobs that gave none."""

    results: tuple[JobResult, ...]
    missing: tuple[Job, ...] = ()

    def of(self, kind: type, **fields: Any) -> list[JobResult]:
        """The results of a task, by seed; `fields` are values that the task's parameters must have.

        Raises ValueError for a field that the task does not have.
        """
        check_fields(kind, fields)
        found = [result for result in self.results if matches(result, kind, fields)]
        return sorted(found, key=lambda result: result.seed)

    def arm(self, kind: type, **fields: Any) -> Arm:
        """The results of a task as one arm. Raises ValueError where several jobs of a seed match: name more fields."""
        found = self.of(kind, **fields)
        by_seed = {result.seed: result for result in found}
        name = " ".join(str(value) for value in fields.values()) or task_name(kind)
        if len(by_seed) < len(found):
            raise ValueError(f"arm {name}: several jobs of one seed match; name more fields of {kind.__name__}")
        missing = tuple(job.label() for job in self.missing if matches(job, kind, fields))
        return Arm(name, by_seed, missing)


def check_fields(kind: type, fields: Mapping[str, Any]) -> None:
    """Raises ValueError, with a suggestion, for a field that the task does not have: no job would match it."""
    known = [field.name for field in dataclasses.fields(kind)]
    for name in fields:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"its fields are {', '.join(known) or 'none'}"
            raise ValueError(f"{kind.__name__} has no field {name!r}; {hint}")


def matches(record: Job | JobResult, kind: type, fields: Mapping[str, Any]) -> bool:
    """Whether a job or result is of a task, with these values among its parameters."""
    return record.params.get("task") == task_name(kind) and all(record.params.get(name) == fields[name] for name in fields)


def read(result: JobResult, quantity: Quantity) -> float:
    """The quantity of one result; NaN where it is not a finite number."""
    value = result.value(quantity) if isinstance(quantity, str) else quantity(result)
    return value if math.isfinite(value) else math.nan


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A quantity that results estimate.

    interval: confidence level -> estimate and ends. missing: jobs without a result. not_finite: what was not a finite number.
    groups: the arms behind it. test: the interval's kind in words. per: what one of its n independent units is.
    """

    interval: Callable[[float], Interval]
    missing: tuple[str, ...] = ()
    not_finite: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    test: str = ""
    per: str = "seed"

    def exp(self) -> Effect:
        """An effect on logarithms as one on ratios."""
        return replace(self, interval=lambda level: self.interval(level).exp())


def spread_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """`mean_interval`, its ends unknown where all values are equal but for rounding: no spread is no proof of certainty."""
    interval = mean_interval(values, level)
    same = bool(values) and max(values) - min(values) <= ROUNDING * max(map(abs, values))
    return interval._replace(low=math.nan, high=math.nan) if same else interval


def by_seed(
    value: Callable[..., float],
    *arms: Arm,
    estimator: Estimator = spread_interval,
    test: str = "t interval over seeds",
    groups: Sequence[Group] = (),
) -> Effect:
    """The mean over seeds of value(result of the first arm, of the second, ...), each seed's results taken together."""
    seeds = sorted(set.intersection(*(set(arm.results) for arm in arms)))
    values = {seed: value(*(arm.results[seed] for arm in arms)) for seed in seeds}
    names = " and ".join(arm.name for arm in arms)
    kept = [values[seed] for seed in seeds]
    missing = [label for arm in arms for label in arm.missing]
    if not missing and not seeds:
        empty = [arm.name for arm in arms if not arm.results]
        missing = [f"{name}{NO_JOB}" for name in empty] or [f"{names}: no seed has a result of each"]
    return Effect(
        interval=lambda level: estimator(kept, level),
        missing=tuple(missing),
        not_finite=tuple(f"{names} seed {seed}" for seed in seeds if not math.isfinite(values[seed])),
        groups=tuple(groups),
        test=test,
    )


def group(arm: Arm, quantity: Quantity, unit: str = "", name: str = "") -> Group:
    """An arm's mean for the record of a verdict. In "%" its interval ends at 0 and 100: a rate of 118 % does not exist."""
    mean = arm.mean(quantity)
    least, most = (0.0, 100.0) if unit == "%" else (-math.inf, math.inf)
    low, high = (None if math.isnan(end) else min(max(end, least), most) for end in (mean.low, mean.high))
    return Group(
        name=name or arm.name, mean=None if math.isnan(mean.estimate) else mean.estimate, interval=(low, high), unit=unit
    )


def mean(arm: Arm, quantity: Quantity, *, unit: str = "", estimator: Estimator = spread_interval) -> Effect:
    """The mean of a quantity over the arm's seeds."""
    return by_seed(lambda result: read(result, quantity), arm, estimator=estimator, groups=[group(arm, quantity, unit)])


def difference(left: Arm, right: Arm, quantity: Quantity, *, unit: str = "", estimator: Estimator = spread_interval) -> Effect:
    """Mean of left - right, paired by seed."""
    return by_seed(
        lambda mine, theirs: read(mine, quantity) - read(theirs, quantity),
        left,
        right,
        estimator=estimator,
        test="t interval over seeds of paired differences",
        groups=[group(arm, quantity, unit) for arm in (left, right)],
    )


def ratio(left: Arm, right: Arm, quantity: Quantity, *, unit: str = "") -> Effect:
    """Geometric mean of left / right, paired by seed. A quantity that is not positive counts as not finite."""

    def log(result: JobResult) -> float:
        value = read(result, quantity)
        return math.log(value) if value > 0 else math.nan

    logs = by_seed(lambda mine, theirs: log(mine) - log(theirs), left, right, test="t interval over seeds of paired log ratios")
    return replace(logs.exp(), groups=tuple(group(arm, quantity, unit) for arm in (left, right)))
