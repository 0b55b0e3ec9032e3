"""From the numbers of one check to a judgment, by rules in a fixed order.

1. nothing moved, or anything not finite                        not measured
2. the model does not repeat itself                             not measured
3. the output does not vary: spread ≤ 8·eps·RMS(y)              not measured
4. largest error on generators ≤ 128·eps·RMS(y)                 exact
5. a strict check                                               broken: any leak counts
6. the interval of mean error / spread below δ                  holds
   above δ                                                      broken
   else                                                         undecided

Errors are relative to the *spread* of the output over inputs and sites, never to ‖y‖: of an untrained, zero-padded CNN the error
under a shift is under 1 % of ‖y‖, and most of its spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from erlangen.auditing.tally import Tally
from erlangen.records.audit import Judgment

FLOOR = 128  # eps·RMS(y): what rounding may add up to in a deep network
CONSTANT = 8  # eps·RMS(y): a spread that rounding alone can make


@dataclass(frozen=True, kw_only=True)
class Exactness:
    """The largest error on generators, beside what rounding may make of it; `in_words` says in which precision."""

    tally: Tally
    eps: float
    precision: str

    @property
    def leak(self) -> float:
        """Largest error in units of RMS(y)."""
        rms = self.tally.rms()
        return self.tally.largest / rms if rms > 0 else (0.0 if self.tally.largest == 0 else math.inf)

    @property
    def floor(self) -> float:
        return FLOOR * self.eps

    @property
    def holds(self) -> bool:
        """Whether every pair was measured and none is above the floor."""
        found = self.tally
        return found.pairs > 0 and not found.not_finite and not found.failed and self.leak <= self.floor


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that the rules look at. interval and p (Holm's adjusted) are of mean error / spread, against the threshold.

    lossless: error / spread on elements that lose nothing, with its interval, where the others lose more than the threshold.
    """

    sampled: Tally
    exactness: Exactness | None
    spread: float
    rms: float
    eps: float
    repeats: bool
    strict: bool
    threshold: float
    error: float
    interval: tuple[float, float]
    p: float
    one_input: bool
    only_exact: bool = False
    lossless: tuple[float, float, float] | None = None


def judge(evidence: Evidence) -> tuple[Judgment, str]:
    """The judgment, and in one line why."""
    return unmeasured(evidence) or exact(evidence) or by_size(evidence)


def unmeasured(evidence: Evidence) -> tuple[Judgment, str] | None:
    """Rules 1 to 3."""
    seen = evidence.sampled
    if not (seen.pairs or seen.failed or seen.unmoved) and evidence.exactness is not None:
        seen = evidence.exactness.tally  # there may be generators, and nothing to draw at random
    if not seen.pairs and seen.failed:
        label, failure = next(iter(seen.failures.items()))
        return "not measured", f"every call failed, first for {label}: {failure}"
    if not seen.pairs and seen.unmoved:
        return "not measured", f"nothing moved: all {seen.unmoved} elements left their input as it was"
    if not seen.pairs:
        return "not measured", "no element of it acts on these inputs and outputs"
    if seen.not_finite:
        return "not measured", f"NaN or infinity in {seen.not_finite} of {seen.pairs} pairs"
    if not evidence.repeats:
        return "not measured", "the model does not repeat itself: the same call gives another answer"
    if math.isnan(evidence.spread):
        return "not measured", "one input with one output vector has no spread to compare with: give at least two inputs"
    if evidence.spread <= CONSTANT * evidence.eps * evidence.rms:
        return "not measured", f"the output does not vary: spread {evidence.spread:.1e}, RMS {evidence.rms:.1e}"
    return None


def exact(evidence: Evidence) -> tuple[Judgment, str] | None:
    """Rules 4 and 5."""
    seen, exactness = evidence.sampled, evidence.exactness
    if seen.failed:
        label, failure = next(iter(seen.failures.items()))
        return "broken", f"{seen.failed} of {seen.failed + seen.pairs} calls failed, first for {label}: {failure}"
    if exactness is None:
        return None
    size = f"worst error {exactness.leak:.1e} of RMS(y), rounding floor {exactness.floor:.1e}, {exactness.precision}"
    if exactness.holds and not seen.loss:
        return "exact", size
    if evidence.strict:
        return "broken", f"it leaks: {size}"
    if evidence.only_exact:
        return "broken", f"not exact: {size}"
    return None


def by_size(evidence: Evidence) -> tuple[Judgment, str]:
    """Rule 6."""
    low, high = evidence.interval
    delta, seen = evidence.threshold, evidence.sampled
    only = ", for this input only" if evidence.one_input else ""
    size = f"error {evidence.error:.3g} of the spread, [{low:.3g}, {high:.3g}]{only}"
    loss = seen.loss / seen.pairs if seen.pairs else 0.0
    if loss > delta:
        if evidence.lossless is not None and evidence.lossless[1] > delta:
            error, low, high = evidence.lossless
            return "broken", f"error {error:.3g} of the spread, [{low:.3g}, {high:.3g}], on elements that lose nothing"
        return "undecided", f"the transform itself loses {loss:.2g} of the input's spread, more than {delta:g}; {size}"
    if evidence.error == 0:
        return "holds", f"no error at all in {seen.pairs} pairs{only}"
    if math.isnan(low) or math.isnan(high):
        return "undecided", f"error {evidence.error:.3g} of the spread, without an interval: give more inputs"
    if evidence.p >= 0.05 or low <= delta <= high:
        told = "" if low <= delta <= high else ", not told apart once the number of checks is allowed for (Holm)"
        return "undecided", f"{size}, against {delta:g}{told}"
    return ("holds", f"{size}, below {delta:g}") if high < delta else ("broken", f"{size}, above {delta:g}")
