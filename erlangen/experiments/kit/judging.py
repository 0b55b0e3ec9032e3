"""What every judge needs: verdicts by counting cases, or where nothing was measured, and the numbers of others."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib import resources
from typing import Any, Literal

from erlangen.records.runs import Verdict
from erlangen.statistics.intervals import Interval


def counted(
    claim: str,
    part: str,
    statement: str,
    *,
    cases: float,
    failures: float,
    test: str,
    holds: bool | None = None,
    corrected: str | None = None,
) -> Verdict:
    """Exact: supported where none of `cases` fails, refuted by one that does.

    holds: the answer where it asks for more than `failures == 0`. The effect is the number of failures, its interval [x, x].
    No case, or a count that is no number, is `not measured`.
    """
    if not (cases > 0 and math.isfinite(failures)):
        return not_measured(claim, part, statement)
    return Verdict(
        claim=claim,
        part=part,
        kind="exact",
        statement=statement,
        verdict="supported" if (failures == 0 if holds is None else holds) else "refuted",
        corrected=corrected,
        effect=failures,
        unit="cases that differ",
        interval=(failures, failures),
        n=int(cases),
        test=test,
        measured=failures,
    )


def not_measured(claim: str, part: str, statement: str, kind: Literal["exact", "statistical"] = "exact") -> Verdict:
    """The verdict of a part whose jobs failed."""
    next_step = "some of its jobs failed: the same command runs them again"
    return Verdict(claim=claim, part=part, kind=kind, statement=statement, verdict="not measured", next_step=next_step)


def ends(interval: Interval) -> tuple[float | None, float | None]:
    """An interval's ends for a record; None where they are unknown."""
    low, high = (None if math.isnan(end) else end for end in (interval.low, interval.high))
    return low, high


@cache
def published_numbers(package: str) -> dict[str, Any]:
    """An experiment's `published.json`: numbers of others, which stand beside a verdict and never enter a measurement."""
    text = resources.files(package).joinpath("published.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data
