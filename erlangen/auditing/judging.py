"""All checks of an audit, measured one by one, then judged together and recorded."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from erlangen.auditing import numbers
from erlangen.auditing.advice import advise
from erlangen.auditing.auditor import Auditor
from erlangen.auditing.conditions import BatchComposition, BatchSize, Repeat, last_place
from erlangen.auditing.derivative import derivative
from erlangen.auditing.layers import locate
from erlangen.auditing.pair import Check
from erlangen.auditing.shared_calls import part_name, sharing
from erlangen.auditing.state import quiet
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.auditing.tally import Bad
from erlangen.auditing.verdict import Evidence, Ruling, judge
from erlangen.records.audit import Breaks, Checked, OutputJudgment, Worst
from erlangen.statistics.intervals import holm

LOCATED, QUICKLY = 4, 2  # inputs on which a layer is located, in general and where exactness alone is asked
Progress = Callable[[int, int, str], None]  # number of the check, from 1; how many there are; its name


@dataclass(frozen=True)
class Measured:
    """What one check found for one output. auditor: that of the output."""

    auditor: Auditor
    check: Check
    evidence: Evidence
    ruling: Ruling


def judge_all(auditors: Sequence[Auditor], checks: Sequence[Sequence[Check]], progress: Progress) -> list[Checked]:
    """The record of each check, which is about the worst of several outputs. checks: for each auditor, the same by name.

    `repeat` must come first, since nothing can be said about a model that does not repeat itself. The p-values of all checks of
    all outputs are adjusted by Holm's method before any check is judged.
    """
    auditors, seconds = list(auditors), []
    measured: list[list[Evidence]] = []
    for number, asked in enumerate(zip(*checks, strict=True), start=1):
        progress(number, len(checks[0]), asked[0].name)
        start = time.perf_counter()
        measured.append(measure_outputs(auditors, asked))
        seconds.append(time.perf_counter() - start)
        if isinstance(asked[0], Repeat):
            auditors = [with_repeats(*entry) for entry in zip(auditors, measured[-1], strict=True)]
    adjusted = iter(holm([evidence.p for row in measured for evidence in row]))
    judged = [[replace(evidence, p=next(adjusted)) for evidence in row] for row in measured]
    rows = zip(zip(*checks, strict=True), judged, seconds, strict=True)
    return [record_worst(auditors, *row) for row in rows]


def measure_outputs(auditors: Sequence[Auditor], checks: Sequence[Check]) -> list[Evidence]:
    """One check of all outputs, by calls that these share."""
    with sharing([function for auditor in auditors for function in auditor.functions]):
        return [auditor.measure(check) for auditor, check in zip(auditors, checks, strict=True)]


def with_repeats(auditor: Auditor, evidence: Evidence) -> Auditor:
    """The auditor, which knows whether the model repeats itself."""
    repeats = judge(evidence).judgment != "broken"
    return auditor if repeats == auditor.repeats else replace(auditor, repeats=repeats)


def record_worst(auditors: Sequence[Auditor], checks: Sequence[Check], evidences: Sequence[Evidence], seconds: float) -> Checked:
    """The record of the output with the worst judgment, and the judgments of all, if there are several."""
    measured = [Measured(*entry, judge(entry[-1])) for entry in zip(auditors, checks, evidences, strict=True)]
    worst = min(measured, key=lambda one: rank(one.ruling))
    checked = record(worst.auditor, worst.check, worst.evidence, worst.ruling, seconds)
    if len(measured) == 1:
        return checked
    outputs = tuple(judgment_of(one) for one in measured)
    return replace(checked, output=part_name(worst.auditor.model), outputs=outputs)


def rank(ruling: Ruling) -> int:
    """The worst first. What cannot be asked of one output is nothing against another, of which it can."""
    order = ("broken", "not measured", "undecided", "holds", "exact")
    return len(order) if ruling.impossible else order.index(ruling.judgment)


def judgment_of(measured: Measured) -> OutputJudgment:
    """What is recorded of each of several outputs."""
    interval, exactness = measured.evidence.estimate.interval, measured.evidence.exactness
    return OutputJudgment(
        name=part_name(measured.auditor.model),
        judgment=measured.ruling.judgment,
        reason=measured.ruling.reason,
        error=numbers.finite(interval.estimate),
        interval=numbers.ends(interval),
        leak=numbers.finite(exactness.leak) if exactness else None,
        floor=exactness.floor if exactness else None,
    )


def record(auditor: Auditor, check: Check, evidence: Evidence, ruling: Ruling, seconds: float) -> Checked:
    """The judgment of one check, with everything that a reader may ask about it. seconds: that measuring took."""
    start = time.perf_counter()
    sampled, exactness, interval = evidence.sampled, evidence.exactness, evidence.estimate.interval
    broken = ruling.judgment == "broken"
    breaks = find_break(auditor, check, max(sampled.worst)) if broken and auditor.request.where and sampled.worst else None
    return Checked(
        name=check.name,
        kind="symmetry" if isinstance(check, SymmetryCheck) else "condition",
        judgment=ruling.judgment,
        reason=ruling.reason,
        advice=advise(check, auditor.model, breaks) if broken else ruling.remedy,
        strict=check.strict,
        informational=is_informational(auditor, check, ruling),
        threshold=evidence.threshold,
        error=numbers.finite(interval.estimate),
        interval=numbers.ends(interval),
        p=numbers.finite(evidence.p),
        detectable=numbers.finite(evidence.estimate.detectable(evidence.threshold)),
        inputs=len(sampled.errors),
        pairs=sampled.pairs,
        unmoved=sampled.unmoved,
        leak=numbers.finite(exactness.leak) if exactness else None,
        floor=exactness.floor if exactness else None,
        precision=exactness.precision if exactness else "",
        loss=sampled.mean_loss,
        derivative=None if auditor.request.only_exact else derivative(auditor, check),
        unit=check.unit,
        flips=evidence.flips,
        curve=numbers.curve(sampled, len(auditor.inputs), auditor.moments),
        worst=tuple(worst_pair(auditor, check, bad) for bad in sorted(sampled.worst, reverse=True)[:3] if bad.error > 0),
        failures=tuple(f"{label}: {text}" for label, text in sampled.failures.items()),
        breaks=breaks,
        seconds=seconds + time.perf_counter() - start,
    )


def is_informational(auditor: Auditor, check: Check, ruling: Ruling) -> bool:
    """What nobody asked for by name is no failure if most models rightly lack it, or if it cannot be asked of this one."""
    asked = auditor.request.symmetries or ()
    if any(check.name == entry or check.name == getattr(entry, "name", None) for entry in asked):
        return check.informational and check.kind == "condition"
    return check.informational or ruling.impossible or check.name in auditor.model.unpromised


def worst_pair(auditor: Auditor, check: Check, bad: Bad) -> Worst:
    """One of the worst pairs, with pictures of the input as it is and moved."""
    shown: tuple[str, ...] = ()
    if isinstance(check, SymmetryCheck):
        x = auditor.inputs[bad.input]
        fitted = check.symmetry.fitted(x, auditor.outputs[bad.input])
        shown = auditor.domain.pictures(fitted.reference(x, bad.element), fitted.act(x, bad.element))
    where = f"{auditor.domain.site} {bad.site}" if auditor.domain.site and bad.site else ""
    error = bad.error / auditor.spread if auditor.spread > 0 else math.inf
    return Worst(input=bad.input, element=bad.label, error=error, where=where, pictures=shown)


def find_break(auditor: Auditor, check: Check, bad: Bad) -> Breaks | None:
    """The first layer that breaks under the worst element, on the twin if there is one; None if that cannot be found out.

    The judgment does not depend on it: layers may be compiled, shared, or run in other threads.
    """
    twin = auditor.twin
    model, inputs = (twin.model, twin.inputs) if twin.model else (auditor.model, auditor.inputs)
    with quiet(auditor.request.seed + 1), suppress(Exception):
        if isinstance(check, (BatchComposition, BatchSize)):
            chunk = next(chunk for chunk in model.chunks(inputs) if bad.input in chunk)
            usual = [bad.input, *(i for i in chunk if i != bad.input)]
            other = bad.element if isinstance(check, BatchComposition) else [bad.input] * bad.element
            first, second = ([inputs[i] for i in batch] for batch in (usual, other))
            place = last_place(other, bad.input)
            return locate(model, first, second, lambda i, y, y_g: (y, y_g), bad.label, keep=1, start=place)
        if isinstance(check, SymmetryCheck):
            key = model.key(inputs[bad.input])
            same = [bad.input, *(i for i in auditor.few if i != bad.input and model.key(inputs[i]) == key)]
            same = same[: QUICKLY if auditor.request.only_exact else LOCATED]
            fitted = [check.symmetry.fitted(inputs[i], auditor.outputs[i]) for i in same]
            moved = [symmetry.act(inputs[i], bad.element) for symmetry, i in zip(fitted, same, strict=True)]
            reference = [symmetry.reference(inputs[i], bad.element) for symmetry, i in zip(fitted, same, strict=True)]
            align = lambda place, y, y_g: fitted[place].align(y, y_g, bad.element, inputs[same[place]])  # noqa: E731
            return locate(model, reference, moved, align, bad.label, keep=len(same))
    return None
