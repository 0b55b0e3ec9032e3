"""From results to what is compared: losses by length, rises, and the share of pairs in which a net chose the grammatical tale."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import fmean

from erlangen.experiments.kit.evidence import Arm, Effect, Estimator, Evidence, by_seed, group, spread_interval
from erlangen.experiments.kit.tuning import Tuned, tuned
from erlangen.experiments.length.tasks import BLOCK, MULTIPLES, Contrast, Read, Recall
from erlangen.records.runs import JobResult

Number = Callable[[JobResult], float]
NAMES: Mapping[str, str] = {"rotary": "rotary", "alibi": "ALiBi", "none": "no positions", "absolute": "learned"}
TRAINED, LONG = MULTIPLES[0], MULTIPLES[-1]


def recalled(evidence: Evidence, arm: str) -> Arm:
    """The nets of one kind of positions on registers."""
    return replace(evidence.arm(Recall, arm=arm), name=f"{NAMES[arm]} on registers")


def readers(evidence: Evidence, arm: str) -> Arm:
    """The nets of one kind of positions on the text."""
    return replace(evidence.arm(Read, arm=arm), name=f"{NAMES[arm]} on the text")


def tellers(evidence: Evidence, arm: str) -> Tuned:
    """The nets of one kind of positions on tales, at the learning rate with the least validation loss."""
    best = tuned(evidence, Contrast, arm=arm)
    return replace(best, arm=replace(best.arm, name=f"{NAMES[arm]} on tales"))


def at(name: str, multiple: int) -> Number:
    """The entry of a measurement for a multiple of the trained length; NaN where there is none."""

    def entry(result: JobResult) -> float:
        values = result.values(name)
        return values[MULTIPLES.index(multiple)] if len(values) == len(MULTIPLES) else math.nan

    return entry


def rise(arm: Arm, name: str, start: str = "") -> Effect:
    """The loss at the longest length minus that at the trained one (there of another reading, `start`, where it is named)."""
    first, last = at(start or name, TRAINED), at(name, LONG)
    return shown(arm, lambda result: last(result) - first(result), {f"{BLOCK}": first, f"{BLOCK * LONG}": last})


def shown(arm: Arm, value: Number, beside: Mapping[str, Number], *, estimator: Estimator = spread_interval) -> Effect:
    """The mean of a value over seeds, beside the means of other numbers, in nats, by name."""
    groups = [group(arm, number, "nats", f"{arm.name}, {name} tokens") for name, number in beside.items()]
    return by_seed(value, arm, estimator=estimator, test="t interval over seeds of differences on the same tokens", groups=groups)


def share(result: JobResult) -> float:
    """Of all pairs, those in which the net preferred the tale, in percent: there are as many of either kind."""
    return (result.value("order") + result.value("agreement")) / 2


def average(arm: Arm, number: Number) -> float:
    """The mean over seeds; NaN where there is none or a job is missing."""
    values = list(arm.values(number).values())
    return math.nan if arm.missing or not values else fmean(values)


def passes(value: float, condition: Callable[[float], bool]) -> bool | None:
    """Whether a number meets a condition; None where it was not measured."""
    return condition(value) if math.isfinite(value) else None
