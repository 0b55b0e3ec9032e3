"""From the numbers of one check to a judgment, by rules in a fixed order.

1. nothing moved, or something is not finite                              not measured
2. the model does not repeat itself                                       not measured
3. the output does not vary beyond rounding                               not measured; broken, if a strict check changes it
4. arithmetic could have told, and nothing but rounding was seen          exact
   the float64 twin is exact, but the model itself errs beyond rounding   broken, if the check is strict
   a strict check errs beyond rounding                                    broken
5. the interval of mean error / spread lies below the threshold           holds
   it lies above the threshold                                            broken
   it contains the threshold, or Holm's correction decides otherwise      undecided
6. neither of these is better than "broken" where the predicted class, or one column of the output, changes at random

*Arithmetic could have told* if the rounding floor is at most 1 % of the spread: a model in bfloat16 without a float64 twin may be
broken, and no call of it could show that. *Nothing but rounding was seen* if the generators stay within the floor, and so do the
sampled pairs of the model as it is served, which also stay within 1 % of the spread. A judgment is never better than that.

Errors are relative to the *spread* of the output over inputs and sites, never to ‖y‖: under a shift, an untrained CNN with zero
padding changes by less than 1 % of ‖y‖, but by most of its spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from erlangen.auditing.numbers import Column
from erlangen.auditing.spelling import option
from erlangen.auditing.tally import Exactness, Tally
from erlangen.records.audit import Flips, Judgment
from erlangen.statistics.clustered import RelativeError
from erlangen.statistics.intervals import Interval

CONSTANT = 8  # times eps·RMS(y): a spread that rounding alone can make
COARSE = 1e-3  # machine epsilons above this are those of bfloat16 and less; float16 and TF32 have 9.8e-4
VISIBLE = 0.01  # of the spread: exactness beyond this can be told, and must be
PART = 3  # times the threshold: the error of one column, or classes that change instead of by chance, which decide "broken"
VETO = 2  # times the threshold: classes that change, which rule out "holds"


class Ruling(NamedTuple):
    """A judgment, the reason in one line, and what to do if the check could not be decided ('' if it could).

    impossible: whether this check cannot be asked of this model, inputs and machine.
    """

    judgment: Judgment
    reason: str
    remedy: str = ""
    impossible: bool = False


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that the rules look at.

    estimate: mean error / spread of the sampled pairs; lossless: that of the generators, if the sampled elements lose more than
    the threshold. p: of the test against the threshold, adjusted by Holm's method. eps: of the model's coarsest operation.
    served_floor: what rounding may add up to in the model as it is served, in units of RMS(y). bitwise: whether equal means equal
    in every bit. by_constants: whether the symmetry rests on the values of constants, which are stored in the model's precision.
    refusal: why the check cannot be asked, if that is known. fault: the error that it raised. not_finite: where the model first
    returns NaN or infinity, if that is known. exhausted: whether an input has no more elements than were drawn.
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
    served_floor: float = math.inf
    bitwise: bool = False
    by_constants: bool = False
    flips: Flips | None = None
    column: Column | None = None
    refusal: str = ""
    scope: str = ""
    fault: str = ""
    not_finite: str = ""
    exhausted: bool = False

    @property
    def in_float64(self) -> bool:
        """Whether exactness was decided on a float64 twin."""
        return self.exactness is not None and self.exactness.eps < 1e-15 < self.eps

    @property
    def tells(self) -> bool:
        """Whether the arithmetic could have told an exact model from a broken one."""
        return self.exactness is not None and self.exactness.floor * self.rms <= VISIBLE * self.spread

    @property
    def served(self) -> bool:
        """Whether rounding explains all sampled errors of the model as it is served."""
        return self.sampled.largest <= self.served_floor * self.rms

    @property
    def small(self) -> bool:
        """Whether no sampled error can be seen beside the spread, and classes change no more than by chance."""
        classes = self.flips is None or self.flips.rate <= self.flips.chance
        return self.sampled.largest <= VISIBLE * self.spread and classes


def judge(evidence: Evidence) -> Ruling:
    """The judgment by the first rule that applies."""
    ruling = judge_measured(evidence) or judge_failed(evidence) or judge_exact(evidence) or judge_size(evidence)
    if ruling.judgment in ("holds", "undecided") and not evidence.bitwise:
        ruling = judge_parts(evidence) or ruling
    if evidence.scope and ruling.judgment in ("exact", "holds"):
        ruling = ruling._replace(reason=f"{ruling.reason}; {evidence.scope}")
    return ruling


def judge_measured(evidence: Evidence) -> Ruling | None:
    """Rules 1 to 3."""
    if evidence.fault:
        return Ruling("not measured", evidence.fault)
    tally = evidence.sampled
    if not (tally.pairs or tally.failed or tally.unmoved) and evidence.exactness is not None:
        tally = evidence.exactness.tally  # a symmetry may have generators but no random elements
    if not tally.pairs and tally.failed:
        label, failure = next(iter(tally.failures.items()))
        return Ruling("not measured", f"every call failed; the first, for {label}: {failure}")
    if not tally.pairs and tally.unmoved:
        reason = f"nothing moved: none of the {tally.unmoved} elements changed its input"
        return Ruling("not measured", reason, "Give inputs that the symmetry changes.", impossible=True)
    if not tally.pairs:
        refused = next(iter(tally.refused.values()), "there is nothing to compare: no element acts on these inputs and outputs")
        refusal = evidence.refusal or refused
        return Ruling("not measured", refusal, impossible=True)
    if tally.not_finite:
        reason = f"NaN or infinity in {tally.not_finite} of {tally.pairs} pairs"
        if evidence.not_finite:
            return Ruling("not measured", f"{reason}: {evidence.not_finite}")
        return Ruling("not measured", reason, "Find out where the model first returns NaN or infinity.")
    if not evidence.repeats:
        reason = "the model does not repeat itself: the same call gives different outputs"
        return Ruling(
            "not measured", reason, "First fix that: call model.eval(), and seed or remove the random numbers in forward."
        )
    if math.isnan(evidence.spread):
        return Ruling("not measured", "a single output vector has no spread", "Give at least two inputs.")
    if evidence.spread <= (CONSTANT if evidence.eps < COARSE else CONSTANT / 4) * evidence.eps * evidence.rms:
        if evidence.strict and not evidence.served and evidence.served_floor <= VISIBLE:
            change = f"changes by up to {tally.largest / evidence.rms:.2g} of RMS(y)"
            return Ruling("broken", f"the output is the same for all inputs, but {change}")
        reason = f"the output does not vary: its spread is {evidence.spread:.1e}, its RMS {evidence.rms:.1e}"
        other = f"choose another output with {option('select')}"
        remedy = f"A constant output has every symmetry. Give inputs that it distinguishes, or {other}."
        return Ruling("not measured", reason, remedy)
    return None


def judge_failed(evidence: Evidence) -> Ruling | None:
    """A model that takes an input, but not the input moved, is broken."""
    tally = evidence.sampled
    if not tally.failed:
        return None
    label, failure = next(iter(tally.failures.items()))
    calls = f"{tally.failed} of {tally.failed + tally.pairs} calls failed"
    return Ruling("broken", f"{calls}; the first, for {label}: {failure}")


def judge_parts(evidence: Evidence) -> Ruling | None:
    """Rule 6: what a mean over all entries of the output can hide."""
    flips, column = evidence.flips, evidence.column
    if evidence.sampled.mean_loss > evidence.threshold:  # then the elements themselves may change classes
        return None
    if flips is not None and flips.interval[0] > PART * evidence.threshold * flips.chance:
        return Ruling("broken", f"the predicted class changes in {flips.rate:.0%} of pairs, by chance {flips.chance:.0%}")
    if column is not None and column.certain and column.low > PART * evidence.threshold:
        return Ruling("broken", describe_column(column))
    return None


def describe_column(column: Column) -> str:
    """`column 4 of the output (of 0 to 9) changes by 0.9 of its own standard deviation (with 95 % confidence, by at least 0)`"""
    contrast = ", minus the mean of all," if column.contrast else ""
    where = f"column {column.index} of the output (of 0 to {column.count - 1}){contrast}"
    size = f"changes by {column.error:.2g} of its own standard deviation"
    return f"{where} {size} (with 95 % confidence, by at least {column.low:.2g})"


def judge_exact(evidence: Evidence) -> Ruling | None:
    """Rule 4."""
    tally, exactness = evidence.sampled, evidence.exactness
    if evidence.bitwise:
        return judge_bitwise(evidence)
    if exactness is None or (tally.loss and exactness.holds):
        return None
    if exactness.holds and evidence.tells and evidence.served and evidence.small and judge_parts(evidence) is None:
        return Ruling("exact", str(exactness))
    if exactness.holds and evidence.tells and not evidence.served and (evidence.strict or evidence.only_exact):
        leak = (
            f"largest error {tally.largest / evidence.rms:.2g} of RMS(y), above the rounding floor of {evidence.served_floor:.2g}"
        )
        return Ruling("broken", f"broken as served: {leak}, though exact in float64" if evidence.in_float64 else leak)
    if exactness.holds:
        return None
    if evidence.by_constants and evidence.in_float64 and exactness.leak <= evidence.eps and evidence.served and evidence.small:
        why = f"no more than constants rounded to {evidence.eps:.1e} explain"
        return Ruling("holds", f"largest error {exactness.leak:.2g} of RMS(y) in float64, {why}")
    if evidence.strict or evidence.only_exact:
        return Ruling("broken", f"not exact: {exactness}")
    return None


def judge_bitwise(evidence: Evidence) -> Ruling:
    """Two equal calls: equal in every bit, or equal but for sums that run in another order each time, or not."""
    largest, rounding = evidence.sampled.largest, CONSTANT * evidence.eps * evidence.rms
    largest = max(largest, evidence.exactness.tally.largest) if evidence.exactness is not None else largest
    if largest == 0:
        return Ruling("exact", "no error: equal in every bit")
    size = f"largest error {largest / evidence.rms:.2g} of RMS(y)"
    if largest <= min(rounding, VISIBLE * evidence.spread):
        return Ruling("holds", f"{size}: no more than sums explain that run in another order each time")
    return Ruling("broken", f"{size}, where equal calls should give equal outputs")


def judge_size(evidence: Evidence) -> Ruling:
    """Rule 5."""
    interval, delta, tally = evidence.estimate.interval, evidence.threshold, evidence.sampled
    size = describe_size(interval) + (", for this input only" if len(tally.errors) == 1 else "")
    rounding = describe_rounding(evidence)
    if tally.mean_loss > delta:
        if evidence.lossless is not None and evidence.lossless.low > delta:
            return Ruling("broken", f"{describe_size(evidence.lossless)}, on elements that lose nothing")
        reason = f"the transformation itself loses {tally.mean_loss:.2g} of the input's spread, more than the threshold {delta:g}"
        remedy = "Give smooth inputs (natural images, with margins), or rely on the exact elements."
        return Ruling("undecided", f"{reason}; {size}", remedy)
    if interval.estimate == 0:
        return Ruling("holds", f"no error in any of {tally.pairs} pairs{rounding}")
    more = "Give more inputs." if evidence.exhausted else f"Give more inputs, or draw more elements with {option('elements')}."
    if math.isnan(interval.low) or math.isnan(interval.high):
        return Ruling("undecided", f"error {interval.estimate:.3g} of the spread, without an interval", more)
    if interval.low <= delta <= interval.high:
        return Ruling("undecided", f"{size}, which contains the threshold {delta:g}{rounding}", more)
    if evidence.p >= 0.05:
        return Ruling("undecided", f"{size}, not significant after Holm correction{rounding}", more)
    if interval.high < delta:
        return judge_small(evidence, f"{size}, below the threshold {delta:g}{rounding}")
    return Ruling("broken", f"{size}, above the threshold {delta:g}{rounding}")


def judge_small(evidence: Evidence, reason: str) -> Ruling:
    """A mean error below the threshold: what else speaks against "holds"."""
    flips = evidence.flips
    if flips is not None and flips.interval[0] > VETO * evidence.threshold * flips.chance:
        classes = f"but the predicted class changes in {flips.rate:.0%} of pairs, by chance {flips.chance:.0%}"
        return Ruling("undecided", f"{reason}, {classes}", "Judge what decides the class: select logits or probabilities.")
    column = evidence.column
    if column is not None and column.low > PART * evidence.threshold:
        more = "Audit the model in float32 or float64."
        return Ruling("undecided", f"{reason}, but {describe_column(column)}, which rounding may explain", more)
    if (evidence.strict or evidence.only_exact) and not evidence.tells:
        return Ruling("undecided", reason, "Audit the model in float32 or float64, or pass the module itself.")
    return Ruling("holds", reason)


def describe_size(interval: Interval) -> str:
    """`error 0.31 of the spread [0.26, 0.37]`"""
    return f"error {interval.estimate:.3g} of the spread [{interval.low:.3g}, {interval.high:.3g}]"


def describe_rounding(evidence: Evidence) -> str:
    """What exactness adds to a size, if it did not decide."""
    exactness = evidence.exactness
    if exactness is None or not exactness.holds or evidence.sampled.loss:
        return ""
    if evidence.in_float64:
        return "; exact in float64, so this is rounding" if evidence.served else "; exact in float64, but not as it is served"
    return "" if evidence.tells else f"; rounding {exactness.precision} may reach {share(evidence):.2g} of the spread"


def share(evidence: Evidence) -> float:
    """The rounding floor in units of the spread."""
    assert evidence.exactness is not None
    return evidence.exactness.floor * evidence.rms / evidence.spread
