"""From the numbers of one check to a judgment, by rules in a fixed order.

1. nothing moved, or something is not finite                          not measured
2. the model does not repeat itself                                   not measured
3. the output does not vary: spread ≤ 8·eps·RMS(y)                    not measured
4. the largest error on generators is at most 128·eps·RMS(y)          exact
5. a strict check is not exact                                        broken
6. the interval of mean error / spread lies below the threshold       holds
   it lies above the threshold                                        broken
   it contains the threshold, or Holm's correction decides otherwise  undecided

Errors are relative to the *spread* of the output over inputs and sites, never to ‖y‖: under a shift, an untrained CNN with zero
padding changes by less than 1 % of ‖y‖, but by most of its spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from erlangen.auditing.tally import Exactness, Tally
from erlangen.records.audit import Judgment
from erlangen.statistics.clustered import RelativeError
from erlangen.statistics.intervals import Interval

CONSTANT = 8  # times eps·RMS(y): a spread that rounding alone can make


class Ruling(NamedTuple):
    """A judgment, the reason in one line, and what to do if the check could not be decided ('' if it could)."""

    judgment: Judgment
    reason: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that the rules look at.

    estimate: mean error / spread of the sampled pairs; lossless: that of the generators, if the sampled elements lose more than
    the threshold. p: of the test against the threshold, adjusted by Holm's method.
    """

    sampled: Tally
    exactness: Exactness | None
    estimate: RelativeError
    lossless: Interval | None = None
    p: float
    spread: float
    rms: float
    eps: float
    threshold: float
    strict: bool
    repeats: bool
    only_exact: bool = False


def judge(evidence: Evidence) -> Ruling:
    """The judgment by the first rule that applies."""
    return judge_measured(evidence) or judge_exact(evidence) or judge_size(evidence)


def judge_measured(evidence: Evidence) -> Ruling | None:
    """Rules 1 to 3."""
    tally = evidence.sampled
    if not (tally.pairs or tally.failed or tally.unmoved) and evidence.exactness is not None:
        tally = evidence.exactness.tally  # a symmetry may have generators but no random elements
    if not tally.pairs and tally.failed:
        label, failure = next(iter(tally.failures.items()))
        return Ruling("not measured", f"every call failed; the first, for {label}: {failure}")
    if not tally.pairs and tally.unmoved:
        reason = f"nothing moved: none of the {tally.unmoved} elements changed its input"
        return Ruling("not measured", reason, "Give inputs that the symmetry changes.")
    if not tally.pairs:
        return Ruling("not measured", "there is nothing to compare: no element acts on these inputs and outputs")
    if tally.not_finite:
        reason = f"NaN or infinity in {tally.not_finite} of {tally.pairs} pairs"
        return Ruling("not measured", reason, "Find out where the model first returns NaN or infinity.")
    if not evidence.repeats:
        reason = "the model does not repeat itself: the same call gives different outputs"
        return Ruling("not measured", reason, "First follow the advice of the check `repeat`.")
    if math.isnan(evidence.spread):
        return Ruling("not measured", "a single output vector has no spread", "Give at least two inputs.")
    if evidence.spread <= CONSTANT * evidence.eps * evidence.rms:
        reason = f"the output does not vary: its spread is {evidence.spread:.1e}, its RMS {evidence.rms:.1e}"
        remedy = "A constant output has every symmetry. Give inputs that it distinguishes, or choose another output with select=."
        return Ruling("not measured", reason, remedy)
    return None


def judge_exact(evidence: Evidence) -> Ruling | None:
    """Rules 4 and 5."""
    tally, exactness = evidence.sampled, evidence.exactness
    if tally.failed:
        label, failure = next(iter(tally.failures.items()))
        calls = f"{tally.failed} of {tally.failed + tally.pairs} calls failed"
        return Ruling("broken", f"{calls}; the first, for {label}: {failure}")
    if exactness is None:
        return None
    if exactness.holds and not tally.loss:
        return Ruling("exact", str(exactness))
    if evidence.strict or evidence.only_exact:
        return Ruling("broken", f"not exact: {exactness}")
    return None


def judge_size(evidence: Evidence) -> Ruling:
    """Rule 6."""
    interval, delta, tally = evidence.estimate.interval, evidence.threshold, evidence.sampled
    scope = ", for this input only" if len(tally.errors) == 1 else ""
    size = describe_size(interval) + scope
    if tally.mean_loss > delta:
        if evidence.lossless is not None and evidence.lossless.low > delta:
            return Ruling("broken", f"{describe_size(evidence.lossless)}, on elements that lose nothing")
        reason = f"the transformation itself loses {tally.mean_loss:.2g} of the input's spread, more than the threshold {delta:g}"
        remedy = "Give smooth inputs (natural images, with margins), or rely on the exact elements."
        return Ruling("undecided", f"{reason}; {size}", remedy)
    if interval.estimate == 0:
        return Ruling("holds", f"no error in any of {tally.pairs} pairs{scope}")
    more = "Give more inputs, or draw more elements."
    if math.isnan(interval.low) or math.isnan(interval.high):
        return Ruling("undecided", f"error {interval.estimate:.3g} of the spread, without an interval", more)
    if interval.low <= delta <= interval.high:
        return Ruling("undecided", f"{size}, which contains the threshold {delta:g}", more)
    if evidence.p >= 0.05:
        return Ruling("undecided", f"{size}, not significant after Holm correction", more)
    if interval.high < delta:
        return Ruling("holds", f"{size}, below the threshold {delta:g}")
    return Ruling("broken", f"{size}, above the threshold {delta:g}")


def describe_size(interval: Interval) -> str:
    """`error 0.31 of the spread [0.26, 0.37]`"""
    return f"error {interval.estimate:.3g} of the spread [{interval.low:.3g}, {interval.high:.3g}]"
