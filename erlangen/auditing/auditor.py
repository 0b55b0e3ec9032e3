"""One audit from inputs to judgments."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from erlangen.auditing import numbers
from erlangen.auditing.advice import advice
from erlangen.auditing.conditions import Elsewhere, Repeat
from erlangen.auditing.derivative import derivative
from erlangen.auditing.model import Model
from erlangen.auditing.pair import Check, Elements, Outputs, Pair
from erlangen.auditing.pictures import pictures
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.auditing.tally import Bad, Tally, tally
from erlangen.auditing.twin import NoTwinError
from erlangen.auditing.verdict import Evidence, Exactness, judge
from erlangen.auditing.where import broken_at
from erlangen.records.audit import Breaks, Checked, Worst
from erlangen.statistics.clustered import Moments
from erlangen.statistics.intervals import holm

FEW = 4  # inputs on which exactness is decided


@dataclass(frozen=True, kw_only=True)
class Auditor:
    """What all checks of an audit share. twin: the model in true float64, where there is one, with its outputs."""

    model: Model
    inputs: Sequence[Any]
    outputs: Outputs
    twin: Model | None
    twin_inputs: Sequence[Any]
    twin_outputs: Outputs
    moments: Moments
    domain: str
    threshold: float
    elements: int
    seed: int
    only_exact: bool
    where: bool
    repeats: bool = True

    @property
    def few(self) -> list[int]:
        return self.model.chunks(self.inputs)[0][:FEW]

    def rng(self, check: Check) -> np.random.Generator:
        """Numbers of this check alone: another check more or less changes nothing in it."""
        return np.random.default_rng([self.seed, *check.name.encode()])

    def sampled(self, check: Check) -> Tally:
        """Random elements of every input, on the model as it is."""
        n = 2 if self.only_exact else self.elements
        indices = self.few if self.only_exact else list(range(len(self.inputs)))
        elements = check.draw(self.model, self.inputs, self.outputs, indices, n, self.rng(check))
        return self.on_model(check, elements)

    def counted(self, pairs: Iterator[Pair]) -> Tally:
        """Of a sequence the worst position counts: one that leaks is a leak."""
        return tally(pairs, worst_site=self.domain == "texts", classes=self.outputs[0].ndim == 1)

    def on_model(self, check: Check, elements: Elements) -> Tally:
        with quiet(self.seed + 1):  # not the numbers that made the outputs
            return self.counted(check.pairs(self.model, self.inputs, self.outputs, elements))

    def exactness(self, check: Check, sampled: Tally) -> Exactness | None:
        """Generators of a few inputs, and the worst of what was sampled, in float64 where that can be.

        Generators alone would pass what is no group: a leak at one position, an aggregation that some orders of nodes upset.
        """
        if isinstance(check, Elsewhere):
            return None
        twin = None if isinstance(check, Repeat) else self.twin
        model, inputs = (twin, self.twin_inputs) if twin else (self.model, self.inputs)
        outputs = self.twin_outputs
        if twin is None:  # few inputs make another batch than all: what that does to the answer is not what g does
            with quiet(self.seed):
                outputs = dict(zip(self.few, model([inputs[i] for i in self.few]), strict=True))
        elements = check.draw(model, inputs, outputs, self.few, 0, self.rng(check))
        with quiet(self.seed + 1):  # not the numbers that made the outputs
            found = self.counted(check.pairs(model, inputs, outputs, elements))
            for bad in sampled.worst if twin and not sampled.loss else ():
                alone = {bad.input: model([inputs[bad.input]])[0]}  # beside f(g·x), which is alone too
                for pair in check.pairs(model, inputs, alone, {bad.input: (bad.element,)}):
                    found.add(pair)
        if twin is None and not sampled.loss:
            found.largest = max(found.largest, sampled.largest)
        words = "in float64" if twin or self.model.eps < 1e-15 else f"in the model's own precision, eps {model.eps:.1e}"
        return Exactness(tally=found, eps=model.eps, precision=words)

    def decided(self, check: Check, sampled: Tally) -> Exactness | None:
        """The same, in the model's own precision where the twin alone fails: what it cannot do says nothing of the model."""
        try:
            found = self.exactness(check, sampled)
        except NoTwinError:
            return replace(self, twin=None).exactness(check, sampled)
        if self.twin is None or found is None or sampled.not_finite or sampled.failed:
            return found
        failed = found.tally.not_finite or found.tally.failed
        return replace(self, twin=None).exactness(check, sampled) if failed else found

    def check(self, check: Check) -> tuple[Checked, Evidence]:
        """One check, judged as if it were alone."""
        start = time.perf_counter()
        sampled = self.sampled(check)
        exactness = self.decided(check, sampled)
        one = len(sampled.errors) == 1
        estimate = numbers.estimate(numbers.by_input(sampled), len(self.inputs), self.moments)
        evidence = Evidence(
            sampled=sampled, exactness=exactness, spread=numbers.spread(self.moments), rms=self.moments.rms, eps=self.model.eps,
            repeats=self.repeats or isinstance(check, Repeat), strict=check.strict, threshold=self.threshold,
            error=estimate.interval.estimate, interval=(estimate.interval.low, estimate.interval.high),
            p=estimate.p_value(self.threshold), one_input=one, only_exact=self.only_exact, lossless=self.lossless(check, sampled),
        )  # fmt: skip
        judgment, reason = judge(evidence)
        breaks = self.breaks(check, sampled) if judgment == "broken" and self.where and sampled.worst else None
        checked = Checked(
            name=check.name,
            kind="symmetry" if isinstance(check, SymmetryCheck) else "condition",
            judgment=judgment,
            reason=reason,
            strict=check.strict,
            informational=check.informational,
            threshold=self.threshold,
            error=numbers.none(estimate.interval.estimate),
            interval=(numbers.none(estimate.interval.low), numbers.none(estimate.interval.high)),
            detectable=numbers.none(estimate.detectable(self.threshold)),
            inputs=len(sampled.errors),
            pairs=sampled.pairs,
            unmoved=sampled.unmoved,
            leak=numbers.none(exactness.leak) if exactness else None,
            floor=exactness.floor if exactness else None,
            precision=exactness.precision if exactness else "",
            loss=sampled.loss / sampled.pairs if sampled.pairs else 0.0,
            derivative=None
            if self.only_exact
            else derivative(
                check, self.model, [self.inputs[i] for i in self.few], self.outputs[self.few[0]], numbers.spread(self.moments)
            ),
            unit=check.unit,
            flips=numbers.flips(sampled, self.outputs),
            curve=numbers.curve(sampled, len(self.inputs), self.moments),
            worst=tuple(self.worst(check, bad) for bad in sorted(sampled.worst, reverse=True)[:3] if bad.error > 0),
            failures=tuple(f"{label}: {text}" for label, text in sampled.failures.items()),
            breaks=breaks,
            seconds=time.perf_counter() - start,
        )
        return checked, evidence

    def lossless(self, check: Check, sampled: Tally) -> tuple[float, float, float] | None:
        """Error and interval on the generators, where the other elements lose more than the threshold."""
        if not sampled.pairs or sampled.loss / sampled.pairs <= self.threshold:
            return None
        elements = check.draw(self.model, self.inputs, self.outputs, range(len(self.inputs)), 0, self.rng(check))
        found = self.on_model(check, elements)
        interval = numbers.estimate(numbers.by_input(found), len(self.inputs), self.moments).interval
        return interval.estimate, interval.low, interval.high

    def worst(self, check: Check, bad: Bad) -> Worst:
        """One of the worst pairs, to look at."""
        shown: tuple[str, ...] = ()
        if isinstance(check, SymmetryCheck):
            x = self.inputs[bad.input]
            fitted = check.symmetry.fitted(x, self.outputs[bad.input])
            shown = pictures(fitted.reference(x, bad.element), fitted.act(x, bad.element))
        where = f"position {bad.site}" if self.domain == "texts" and bad.site else ""
        spread = numbers.spread(self.moments)
        error = bad.error / spread if spread > 0 else math.inf
        return Worst(input=bad.input, element=bad.label, error=error, where=where, pictures=shown)

    def breaks(self, check: Check, sampled: Tally) -> Breaks | None:
        """The layers of a few inputs under the worst element, in float64 where that can be."""
        model, inputs = (self.twin, self.twin_inputs) if self.twin else (self.model, self.inputs)
        with quiet(self.seed + 1):
            try:
                return broken_at(check, model, inputs, self.outputs, self.few, max(sampled.worst))
            except Exception:
                return None  # the judgment stands without it: layers may be compiled, shared in odd ways, or run in other threads


def run(auditor: Auditor, asked: Sequence[Check], notify: Callable[[str], None]) -> list[Checked]:
    """All checks; `repeat` comes first, since nothing can be said of a model that does not repeat itself."""
    found: list[tuple[Check, Checked, Evidence]] = []
    for place, check in enumerate(asked):
        notify(f"{place + 1}/{len(asked)} {check.name}")
        checked, evidence = auditor.check(check)
        if isinstance(check, Repeat):
            auditor = replace(auditor, repeats=checked.judgment != "broken")
        found.append((check, checked, evidence))
    adjusted = holm([evidence.p for _, _, evidence in found])
    judged = []
    for (_, checked, evidence), p in zip(found, adjusted, strict=True):
        judgment, reason = judge(replace(evidence, p=p))
        judged.append(replace(checked, judgment=judgment, reason=reason, p=numbers.none(p)))
    return [replace(checked, advice=advice(checked, auditor.domain)) for checked in judged]


@contextmanager
def quiet(seed: int) -> Iterator[None]:
    """Random numbers of the model's own: the caller's go on as if nothing had happened."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
