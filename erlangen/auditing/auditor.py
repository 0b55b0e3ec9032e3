"""Measures the checks of one audit. What the numbers mean is decided in `verdict`."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing import numbers
from erlangen.auditing.blame import place_of
from erlangen.auditing.calling import describe_error
from erlangen.auditing.class_scores import are_scores
from erlangen.auditing.conditions import Condition, Elsewhere, Repeat
from erlangen.auditing.declarations import Declaration
from erlangen.auditing.domain import Domain
from erlangen.auditing.model import Model
from erlangen.auditing.not_finite import first_not_finite
from erlangen.auditing.pair import Check, Elements, Outputs, Pair
from erlangen.auditing.request import AuditRequest
from erlangen.auditing.rewriter import NoTwinError
from erlangen.auditing.shared_calls import part_name
from erlangen.auditing.state import quiet
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.auditing.tally import FLOOR, MARGIN, Bad, Exactness, Tally, count, rounding_floor, with_contrasts
from erlangen.auditing.twin import Twin
from erlangen.auditing.verdict import Evidence
from erlangen.errors import ErlangenError
from erlangen.statistics.clustered import Moments, RelativeError
from erlangen.statistics.intervals import Interval

FEW = 4  # inputs that decide on exactness
AGREES = 1e-2  # of RMS(y): a larger difference between a model and its twin is none of rounding
AMPLIFIED = 1024  # eps·RMS(y): rounding errors of the model beyond this are not put down to rounding


@dataclass(frozen=True, kw_only=True)
class Auditor:
    """What all checks of an audit share, for one output. declaration: what the user said of it. repeats: whether the model
    repeats itself, as far as is known.
    """

    request: AuditRequest
    domain: Domain
    model: Model
    inputs: Sequence[Any]
    outputs: Outputs
    moments: Moments
    twin: Twin
    declaration: Declaration = field(default_factory=Declaration)
    repeats: bool = True

    @property
    def few(self) -> list[int]:
        """The inputs on which exactness is decided."""
        return self.model.chunks(self.inputs)[0][:FEW]

    @property
    def functions(self) -> list[Callable[..., Any]]:
        """What the calls of its checks go to: the model, and its twin."""
        return [model.function for model in (self.model, self.twin.model) if model is not None]

    @property
    def spread(self) -> float:
        """Of the outputs, over inputs and sites."""
        return numbers.spread(self.moments)

    @cached_property
    def few_outputs(self) -> Outputs:
        """Of the few inputs, in a batch of their own: a smaller batch may change them."""
        with quiet(self.request.seed):
            return dict(zip(self.few, self.model([self.inputs[i] for i in self.few]), strict=True))

    @cached_property
    def columns(self) -> tuple[Tensor, Tensor]:
        """Of each column of the outputs and each contrast, its spread over all rows, and what rounding adds up to; (2D,) each."""
        rows = with_contrasts(torch.cat([self.model.rows(y).double() for y in self.outputs.values()]))  # (S, 2D)
        floor = torch.full(rows.shape[1:], FLOOR * self.model.eps * self.moments.rms, dtype=torch.float64)
        noise = self.twin.column_noise
        return rows.std(0, correction=0), floor if noise is None else torch.minimum(MARGIN * noise, floor)

    def rng(self, check: Check) -> np.random.Generator:
        """Random numbers for this check alone, so that its result does not depend on which others are run."""
        return np.random.default_rng([self.request.seed, *check.name.encode()])

    def measure(self, check: Check) -> Evidence:
        """All numbers of a check; if it raises an error itself, only what that says, since all other checks must be reported."""
        try:
            return self.measure_pairs(check)
        except Exception as error:
            return self.unmeasured(check, describe_fault(error))

    def unmeasured(self, check: Check, fault: str) -> Evidence:
        """The evidence of a check that could not be made."""
        nothing = Tally()
        return Evidence(
            sampled=nothing,
            exactness=None,
            estimate=self.estimate(nothing),
            p=math.nan,
            spread=self.spread,
            rms=self.moments.rms,
            eps=self.model.eps,
            threshold=self.request.threshold,
            strict=check.strict,
            repeats=self.repeats,
            fault=fault,
        )

    def measure_pairs(self, check: Check) -> Evidence:
        """All numbers of a check. Its p is that of this test alone."""
        sampled = self.sample(check)
        estimate = self.estimate(sampled)
        exactness = self.exactness(check, sampled)
        return Evidence(
            sampled=sampled,
            exactness=exactness,
            estimate=estimate,
            lossless=self.lossless(check, sampled),
            p=estimate.p_value(self.request.threshold),
            spread=self.spread,
            rms=self.moments.rms,
            eps=self.model.eps,
            threshold=self.request.threshold,
            strict=check.strict,
            repeats=self.repeats or isinstance(check, Repeat),
            only_exact=self.request.only_exact,
            served_floor=self.served_floor(exactness),
            bitwise=isinstance(check, Repeat),
            by_constants=isinstance(check, SymmetryCheck) and check.symmetry.by_constants,
            flips=numbers.flips(sampled, self.outputs),
            column=numbers.worst_column(sampled, *self.columns) if sampled.columns else None,
            refusal=check.refusal(self.model) if isinstance(check, Condition) else "",
            scope=check.scope(self.inputs, self.outputs) if isinstance(check, SymmetryCheck) else "",
            not_finite=self.where_not_finite(check, sampled),
            exhausted=0 < max(map(len, sampled.errors.values()), default=0) < self.request.elements,
        )

    def where_not_finite(self, check: Check, sampled: Tally) -> str:
        """The layer that first returns NaN or infinity, for the first input with a pair of these; '' if that is not known."""
        if sampled.first_not_finite is None:
            return ""
        i, element = sampled.first_not_finite
        x, seed = self.inputs[i], self.request.seed
        where = first_not_finite(self.model, x, seed)
        if where or not isinstance(check, SymmetryCheck):
            return where
        return first_not_finite(self.model, check.symmetry.fitted(x, self.outputs[i]).act(x, element), seed)

    def amplified(self, sampled: Tally) -> float:
        """Rounding errors of the model in units of eps·RMS(y): those against its twin, or those that a check saw.

        A true leak looks like amplified rounding here, but rounding in float64 is 10⁹ times smaller, and the leak is not.
        """
        if self.model.eps < 1e-12:  # rounding is as large in the twin
            return 0.0
        seen = 0.0 if sampled.loss or not self.moments.rms > 0 else sampled.largest / self.moments.rms
        seen = seen if seen < AGREES else 0.0  # a model with such rounding errors would have no twin
        return max(self.twin.noise, seen) / self.model.eps

    def served_floor(self, exactness: Exactness | None) -> float:
        """What rounding may add up to in the model as it is served, in units of RMS(y).

        At most 1024 eps of its noise count: a float32 path that computes something else would excuse itself by its own error.
        """
        in_float64 = exactness.leak / exactness.eps if exactness is not None and exactness.holds else 0.0
        return rounding_floor(self.model.eps, max(min(self.twin.noise / self.model.eps, AMPLIFIED), in_float64))

    def sample(self, check: Check) -> Tally:
        """Random elements for every input, on the model as it is."""
        if self.request.only_exact:
            elements = check.draw(self.model, self.inputs, self.few_outputs, self.few, 2, self.rng(check))
            return self.count_on_model(check, elements, self.few_outputs)
        indices, n = list(range(len(self.inputs))), self.request.elements
        return self.count_on_model(check, check.draw(self.model, self.inputs, self.outputs, indices, n, self.rng(check)))

    def estimate(self, tally: Tally) -> RelativeError:
        """Mean error over spread, with its interval."""
        return numbers.estimate(numbers.errors_of(tally), len(self.inputs), self.moments)

    def count_on_model(self, check: Check, elements: Elements, outputs: Outputs | None = None) -> Tally:
        """The pairs of these elements, on the model as it is. outputs: what they are compared with; by default, of all inputs."""
        with quiet(self.request.seed + 1):  # other random numbers than those behind the outputs
            return self.count(check.pairs(self.model, self.inputs, self.outputs if outputs is None else outputs, elements))

    def count(self, pairs: Iterator[Pair]) -> Tally:
        """In a sequence, the worst position counts: a leak at one position is a leak."""
        return count(pairs, worst_site=bool(self.domain.site), classes=self.classes)

    @cached_property
    def classes(self) -> bool:
        """Whether the largest entry of an output may be the predicted class."""
        return are_scores(list(self.outputs.values()), part_name(self.model))

    def exactness(self, check: Check, sampled: Tally) -> Exactness | None:
        """Errors on generators: on the twin, or on the model itself if there is no twin or only the twin fails."""
        if isinstance(check, Elsewhere):
            return None
        if self.is_gross(sampled) or (isinstance(check, Repeat) and self.request.only_exact):
            return self.exactness_of_sampled(sampled)
        twin = self.twin.model
        if twin is None or isinstance(check, Repeat):
            return self.exactness_of_model(check, sampled)
        try:
            exactness = self.exactness_of_twin(check, sampled, twin)
        except NoTwinError:
            return self.exactness_of_model(check, sampled)
        fails_alone = (exactness.tally.not_finite or exactness.tally.failed) and not (sampled.not_finite or sampled.failed)
        return self.exactness_of_model(check, sampled) if fails_alone else exactness

    def exactness_of_twin(self, check: Check, sampled: Tally, twin: Model) -> Exactness:
        """Generators on a few inputs, and the worst sampled elements again: generators alone would miss leaks that only some
        elements show, such as a leak at one position, or an aggregation that fails for some orders of nodes.
        """
        inputs, outputs = self.twin.inputs, self.twin.outputs
        elements = check.draw(twin, inputs, outputs, self.few, 0, self.rng(check))
        with quiet(self.request.seed + 1):
            tally = self.count(check.pairs(twin, inputs, outputs, elements))
            for bad in self.worst_again(check, sampled):
                reference = {bad.input: self.answer_of_twin(check, twin, bad.input)}
                for pair in check.pairs(twin, inputs, reference, {bad.input: (bad.element,)}):
                    tally.add(pair)
        return Exactness(tally=tally, eps=twin.eps, precision="in float64", amplified=self.amplified(sampled))

    def worst_again(self, check: Check, sampled: Tally) -> list[Bad]:
        """The worst sampled pairs, which the twin is asked again; only the worst where that takes whole batches, or for speed."""
        if sampled.loss:
            return []
        if not isinstance(check, SymmetryCheck) or self.request.only_exact:
            return sorted(sampled.worst)[-1:]
        return sampled.worst

    def answer_of_twin(self, check: Check, twin: Model, i: int) -> Tensor:
        """f(x) in float64: alone, as f(g·x) will be; for a condition on the batch, in the batch that the model had it in."""
        inputs = self.twin.inputs
        if isinstance(check, SymmetryCheck):
            return twin([inputs[i]])[0]
        if self.request.only_exact:
            return self.twin.outputs[i]
        chunk = next(chunk for chunk in twin.chunks(inputs) if i in chunk)
        return twin.once([inputs[j] for j in chunk])[chunk.index(i)]

    def exactness_of_model(self, check: Check, sampled: Tally) -> Exactness:
        """Generators on a few inputs, and the largest sampled error, in the model's own precision."""
        elements = check.draw(self.model, self.inputs, self.few_outputs, self.few, 0, self.rng(check))
        tally = self.count_on_model(check, elements, self.few_outputs)
        if not sampled.loss:
            tally.largest = max(tally.largest, sampled.largest)
        return self.exactness_of_sampled(tally)

    def exactness_of_sampled(self, tally: Tally) -> Exactness:
        """That of pairs that the model itself was asked."""
        is_double = self.model.eps < 1e-15
        precision = "in float64" if is_double else f"in the model's own precision, eps {self.model.eps:.1e}"
        return Exactness(tally=tally, eps=self.model.eps, precision=precision)

    def is_gross(self, sampled: Tally) -> bool:
        """Whether exactness alone is asked, and what the model itself did is no rounding: then its twin need not be asked.

        A model whose rounding errors are as large as that has no twin.
        """
        error = sampled.largest / self.moments.rms if self.moments.rms > 0 and not sampled.loss else 0.0
        return self.request.only_exact and error > max(AGREES, self.served_floor(None))

    def lossless(self, check: Check, sampled: Tally) -> Interval | None:
        """Error / spread on the generators, if random elements lose more than the threshold."""
        if sampled.mean_loss <= self.request.threshold:
            return None
        elements = check.draw(self.model, self.inputs, self.outputs, range(len(self.inputs)), 0, self.rng(check))
        return self.estimate(self.count_on_model(check, elements)).interval


def describe_fault(error: Exception) -> str:
    """Why a check raised an error. If no code but ours did, its traceback goes to stderr."""
    if isinstance(error, ErlangenError):
        return str(error)
    if place_of(error):
        return f"the check failed: {describe_error(error)}"
    traceback.print_exception(error)
    return f"internal error (please report it, with the lines above): {describe_error(error)}"
