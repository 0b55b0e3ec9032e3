"""One audit from inputs to judgments."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from erlangen.audited import Breaks, Checked, Flips, Point, Worst
from erlangen.auditing.advice import advice
from erlangen.auditing.conditions import BatchComposition, Elsewhere, Repeat
from erlangen.auditing.inputs import smoothed
from erlangen.auditing.layers import locate
from erlangen.auditing.model import Model
from erlangen.auditing.pair import Check, Elements, Outputs, Pair
from erlangen.auditing.pictures import pictures
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.auditing.tally import Bad, Tally, tally
from erlangen.auditing.verdict import Evidence, Exactness, judge
from erlangen.clustered import Moments, RelativeError, chance_flips, flip_rate, relative_error
from erlangen.measure.lie_derivative import lie_derivative, local_equivariance_error
from erlangen.stats import Interval, holm

FEW = 4  # inputs on which exactness is decided
CURVE = 12  # places of a curve, at most


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
        outputs = self.twin_outputs if twin else self.outputs
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

    def check(self, check: Check) -> tuple[Checked, Evidence]:
        """One check, judged as if it were alone."""
        start = time.perf_counter()
        sampled = self.sampled(check)
        exactness = self.exactness(check, sampled)
        if exactness is not None and exactness.tally.not_finite and self.twin is not None and not sampled.not_finite:
            exactness = replace(self, twin=None).exactness(check, sampled)
        one = len(sampled.errors) == 1
        estimate = self.estimate(by_input(sampled))
        evidence = Evidence(
            sampled=sampled, exactness=exactness, spread=self.spread, rms=self.moments.rms, eps=self.model.eps,
            repeats=self.repeats or isinstance(check, Repeat), strict=check.strict, threshold=self.threshold,
            error=estimate.interval.estimate, interval=(estimate.interval.low, estimate.interval.high),
            p=estimate.p_value(self.threshold), one_input=one, only_exact=self.only_exact, lossless=self.lossless(check, sampled),
        )  # fmt: skip
        judgment, reason = judge(evidence)
        breaks = self.breaks(check, sampled) if judgment == "broken" and self.where else None
        checked = Checked(
            name=check.name,
            kind="symmetry" if isinstance(check, SymmetryCheck) else "condition",
            judgment=judgment,
            reason=reason,
            strict=check.strict,
            informational=check.informational,
            threshold=self.threshold,
            error=none(estimate.interval.estimate),
            interval=(none(estimate.interval.low), none(estimate.interval.high)),
            detectable=none(estimate.detectable(self.threshold)),
            inputs=len(sampled.errors),
            pairs=sampled.pairs,
            unmoved=sampled.unmoved,
            leak=none(exactness.leak) if exactness else None,
            floor=exactness.floor if exactness else None,
            precision=exactness.precision if exactness else "",
            loss=sampled.loss / sampled.pairs if sampled.pairs else 0.0,
            derivative=self.derivative(check),
            unit=check.unit,
            flips=self.flips(sampled),
            curve=self.curve(sampled),
            worst=tuple(self.worst(check, bad) for bad in sorted(sampled.worst, reverse=True)[:3] if bad.error > 0),
            failures=tuple(f"{label}: {text}" for label, text in sampled.failures.items()),
            breaks=breaks,
            seconds=time.perf_counter() - start,
        )
        return checked, evidence

    @property
    def spread(self) -> float:
        """NaN where there is one row of numbers only: nothing is known of a spread."""
        return self.moments.spread if self.moments.sites.sum() > 1 else math.nan

    def estimate(self, errors: Mapping[int, Sequence[float]]) -> RelativeError:
        """Mean error over spread, over inputs; with one input, over its elements: for this input only."""
        if len(errors) == 1:
            return one_input(next(iter(errors.values())), self.spread)
        sums, counts = np.zeros(len(self.inputs)), np.zeros(len(self.inputs), dtype=int)
        for i, values in errors.items():
            sums[i], counts[i] = sum(values), len(values)
        return relative_error(sums.tolist(), counts.tolist(), self.moments)

    def lossless(self, check: Check, sampled: Tally) -> tuple[float, float, float] | None:
        """Error and interval on the generators, where the other elements lose more than the threshold."""
        if not sampled.pairs or sampled.loss / sampled.pairs <= self.threshold:
            return None
        elements = check.draw(self.model, self.inputs, self.outputs, range(len(self.inputs)), 0, self.rng(check))
        found = self.on_model(check, elements)
        interval = self.estimate(by_input(found)).interval
        return interval.estimate, interval.low, interval.high

    def derivative(self, check: Check) -> float | None:
        """RMS of the Lie derivative on a few smoothed images, in units of the spread, one unit of the element's size.

        None where the symmetry has no tangent, the output moves along on another grid, or an operation has no forward mode. It
        says how a symmetry starts to break; no judgment rests on it.
        """
        if not isinstance(check, SymmetryCheck) or self.domain != "images" or self.model.module is None or self.only_exact:
            return None
        images = [smoothed(self.inputs[i]) for i in self.few]
        tangents = [check.symmetry.tangent(image) for image in images]
        y = self.outputs[self.few[0]]
        if not tangents[0] or y.ndim == 2 or (y.ndim == 3 and y.shape[1:] != images[0].shape[1:]):
            return None
        x, device = torch.stack(images), self.model.device
        squares: list[float] = []
        try:
            with quiet(self.seed + 1), torch.no_grad():
                for v in zip(*tangents, strict=True):
                    place = len(squares)
                    along = (
                        (lambda y, place=place: torch.stack([check.symmetry.tangent(one)[place] for one in y]))
                        if y.ndim == 3
                        else None
                    )
                    change = lie_derivative(self.tensor_of, x.to(device), torch.stack(v).to(device), along)
                    squares.append(float(local_equivariance_error(change.double()).mean()))
        except Exception:
            return None
        value = math.sqrt(sum(squares) / len(squares)) / self.spread
        return none(value)

    def tensor_of(self, x: Tensor) -> Tensor:
        """f of a batch, as one tensor that can be differentiated."""
        return torch.stack(self.model.adapter.split(self.model.function(x), list(x)))

    def flips(self, sampled: Tally) -> Flips | None:
        """How often the class changed; None where the output has no classes, or all inputs fall into one."""
        if len(sampled.flips) < 2:
            return None
        classes = np.unique([int(self.outputs[i].argmax()) for i in sampled.flips], return_counts=True)[1]
        chance = chance_flips(classes.tolist())
        if chance < 0.01:
            return None
        counts = list(sampled.flips.values())
        found = flip_rate([sum(flips) for flips in counts], [len(flips) for flips in counts])
        pairs, flipped = sum(map(len, counts)), sum(map(sum, counts))
        interval = (found.interval.low, found.interval.high)
        return Flips(
            rate=flipped / pairs, interval=interval, effective=found.effective, flipped=flipped, pairs=pairs, ties=sampled.ties,
            chance=chance,
        )  # fmt: skip

    def curve(self, sampled: Tally) -> tuple[Point, ...]:
        """Error by size of the element, or by its label where it has no size and there are few."""
        rows = [(i, error, label, size) for i, errors in sampled.errors.items() for error, label, size in errors]
        if not rows:
            return ()
        sizes = np.array([math.nan if size is None else size for *_, size in rows])
        places: list[tuple[str, float | None, list[int]]] = []
        if np.isfinite(sizes).all():
            edges = np.unique(np.quantile(sizes, np.linspace(0, 1, CURVE + 1)))
            values = np.unique(sizes)
            if len(values) <= CURVE:
                groups = [np.flatnonzero(sizes == value) for value in values]
            else:
                which = np.clip(np.searchsorted(edges, sizes, side="right") - 1, 0, len(edges) - 2)
                groups = [np.flatnonzero(which == place) for place in range(len(edges) - 1)]
            places = [
                (f"{sizes[group].mean():.3g}", float(sizes[group].mean()), group.tolist()) for group in groups if len(group)
            ]
        else:
            labels = sorted({label for *_, label, _ in rows})
            if len(labels) > CURVE:
                return ()
            places = [(label, None, [k for k, row in enumerate(rows) if row[2] == label]) for label in labels]
        return tuple(self.point(label, size, [rows[k][:2] for k in members]) for label, size, members in places)

    def point(self, label: str, size: float | None, errors: Sequence[tuple[int, float]]) -> Point:
        grouped: dict[int, list[float]] = {}
        for i, error in errors:
            grouped.setdefault(i, []).append(error)
        found = self.estimate(grouped)
        ends = (none(found.interval.low), none(found.interval.high))
        return Point(
            label=label, size=size, error=none(found.interval.estimate), interval=ends, inputs=len(grouped), pairs=len(errors)
        )

    def worst(self, check: Check, bad: Bad) -> Worst:
        """One of the worst pairs, to look at."""
        shown: tuple[str, ...] = ()
        if isinstance(check, SymmetryCheck):
            x = self.inputs[bad.input]
            fitted = check.symmetry.fitted(x, self.outputs[bad.input])
            shown = pictures(fitted.reference(x, bad.element), fitted.act(x, bad.element))
        where = f"position {bad.site}" if self.domain == "texts" and bad.site else ""
        spread = self.spread
        error = bad.error / spread if spread > 0 else math.inf
        return Worst(input=bad.input, element=bad.label, error=error, where=where, pictures=shown)

    def breaks(self, check: Check, sampled: Tally) -> Breaks | None:
        """The layers of a few inputs under the worst element."""
        model, inputs = (self.twin, self.twin_inputs) if self.twin else (self.model, self.inputs)
        if model.module is None or not sampled.worst:
            return None
        bad = max(sampled.worst)
        with quiet(self.seed + 1):  # not the numbers that made the outputs
            try:
                if isinstance(check, BatchComposition):
                    others = [inputs[j] for j in bad.element or (bad.input,)]
                    alone, among = [inputs[bad.input]], [inputs[bad.input], *others]
                    return locate(model, alone, among, lambda i, y, y_g: (y, y_g), bad.label, keep=1)
                if isinstance(check, SymmetryCheck):
                    return self.symmetry_breaks(check, model, inputs, bad)
            except Exception:
                return None
        return None

    def symmetry_breaks(self, check: SymmetryCheck, model: Model, inputs: Sequence[Any], bad: Bad) -> Breaks | None:
        """The input of the worst pair first, then others of its shape, each under the same element where it has one."""
        same = [i for i in self.few if model.adapter.key(inputs[i]) == model.adapter.key(inputs[bad.input]) and i != bad.input]
        chosen = [bad.input, *same][:FEW]
        moved, reference, aligns = [], [], []
        for i in chosen:
            symmetry = check.symmetry.fitted(inputs[i], self.outputs[i])
            moved.append(symmetry.act(inputs[i], bad.element))
            reference.append(symmetry.reference(inputs[i], bad.element))
            aligns.append((symmetry, inputs[i]))

        def align(place: int, y: Tensor, y_g: Tensor) -> tuple[Tensor, Tensor] | None:
            symmetry, x = aligns[place]
            return symmetry.align(y, y_g, bad.element, x)

        return locate(model, reference, moved, align, bad.label, keep=len(chosen))


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
        judged.append(replace(checked, judgment=judgment, reason=reason, p=none(p)))
    return [replace(checked, advice=advice(checked, auditor.domain)) for checked in judged]


def by_input(sampled: Tally) -> dict[int, list[float]]:
    """The errors alone."""
    return {i: [error for error, _, _ in errors] for i, errors in sampled.errors.items()}


def one_input(errors: Sequence[float], spread: float) -> RelativeError:
    """The same for one input, over its elements, as if independent: t on the logarithm of their mean, to first order."""
    mean = float(np.mean(errors))
    ratio = mean / spread if spread > 0 else math.nan
    n = len(errors)
    if n < 2 or not ratio > 0:
        return RelativeError(Interval(ratio, math.nan, math.nan, n))
    error = float(np.std(errors, ddof=1)) / math.sqrt(n) / mean
    reach = float(stats.t.ppf(0.975, n - 1)) * error
    return RelativeError(Interval(ratio, ratio * math.exp(-reach), ratio * math.exp(reach), n), math.log(ratio), error)


@contextmanager
def quiet(seed: int) -> Iterator[None]:
    """Random numbers of the model's own: the caller's go on as if nothing had happened."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def none(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None
