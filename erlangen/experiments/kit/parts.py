"""The parts of a claim before they are decided: what is stated, by whom, and what it rests on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import TypeAlias, get_args

from erlangen.experiments.kit.evidence import Arm, Effect, Quantity
from erlangen.records.runs import Of
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import Region

DIVERGED = "training diverged or the quantity does not exist there; try a lower learning rate or --precision float32"
NONE = Region(low=0, high=0)  # of the cases counted


@dataclass(frozen=True)
class Check:
    """What must be true of a run before a part can be decided: a regime that was reached, a positive control that saw its effect.

    passed: None where it was not measured.
    """

    name: str
    passed: bool | None


def reaches(name: str, arm: Arm, quantity: Quantity, region: Region) -> Check:
    """Whether nets are in a regime: their mean lies in the region, and most of them do themselves.

    The mean alone is not enough: of nets that know nothing and nets that know all by heart it is that of neither. Unknown where
    a net's number was not measured.
    """
    values = list(arm.values(quantity).values())
    if not values or any(map(math.isnan, values)):
        return Check(name, None)
    inside = sum(region.low <= value <= region.high for value in values)
    return Check(f"{name}, on average and in most nets", region.low <= fmean(values) <= region.high and 2 * inside > len(values))


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What every part has. `of`: whose sentence it is, by default the claim's; `quote`: the report's own words.

    See `Verdict` for the rest. Raises ValueError for another `of`.
    """

    claim: str
    part: str
    of: Of = "claim"
    statement: str
    quote: str = ""
    note: str = ""
    checks: tuple[Check, ...] = ()

    def __post_init__(self) -> None:
        if self.of not in get_args(Of):
            raise ValueError(f"part {self.claim} {self.part}: of must be one of {', '.join(get_args(Of))}, not {self.of!r}")


@dataclass(frozen=True, kw_only=True)
class Part(Statement):
    """A statistical part: an effect and the region in which its true value must lie.

    bounds: the least and the most that the quantity can be: a share lies between 0 and 1, and what has a unit of "%..." between
    0 and 100 unless it is said otherwise.
    untrained: arms that fell short of the recipe's fit at the very setting compared. corrected: the statement as it should
    read where it is refuted, as text or made of the interval. remedy: what to do where a number is not finite.
    """

    effect: Effect
    region: Region
    unit: str = ""
    bounds: tuple[float, float] | None = None
    untrained: tuple[str, ...] = ()
    corrected: str | Callable[[Interval], str] = ""
    published: float | None = None
    measured: float | None = None
    remedy: str = DIVERGED

    def limits(self) -> tuple[float, float]:
        """The `bounds`, or those that the unit implies."""
        return self.bounds or ((0.0, 100.0) if self.unit.startswith("%") else (-math.inf, math.inf))


@dataclass(frozen=True, kw_only=True)
class Exact(Statement):
    """A part decided by counting: `count` of `cases` must lie in the region, by default none of them.

    Whatever the count is of (counterexamples, entries that differ), it is not a finite number where it was not measured.
    """

    cases: float
    count: float
    region: Region = NONE
    unit: str = "counterexamples"
    missing: tuple[str, ...] = ()
    corrected: str = ""
    test: str = ""
    published: float | None = None


@dataclass(frozen=True, kw_only=True)
class AllOf(Statement):
    """A part that holds if each of other parts of its claim does: refuted by one that is refuted, supported only by all."""

    parts: tuple[str, ...]
    corrected: str = ""


AnyPart: TypeAlias = Part | Exact | AllOf
