"""A symmetry as a check: f(g·x) beside g·f(x), one pair for each input and element."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.calling import CannotBeAskedError, describe_error
from erlangen.auditing.model import Model
from erlangen.auditing.pair import Elements, Outputs, Pair
from erlangen.auditing.rewriter import NoTwinError
from erlangen.symmetries.symmetry import Symmetry

Sides: TypeAlias = dict[int, "Tensor | str"]  # outputs by place, or why there is none


@dataclass(frozen=True)
class SymmetryCheck:
    """Checks a symmetry. Every call for a chunk of inputs has the same inputs in the same places, moved or not, so that an effect
    of the batch size cannot be mistaken for one of g.
    """

    symmetry: Symmetry
    kind: ClassVar[str] = "symmetry"

    @property
    def name(self) -> str:
        return self.symmetry.name or type(self.symmetry).__name__

    @property
    def default(self) -> bool:
        return self.symmetry.default

    @property
    def strict(self) -> bool:
        return self.symmetry.strict

    @property
    def informational(self) -> bool:
        return self.symmetry.informational

    @property
    def unit(self) -> str:
        return self.symmetry.unit

    @property
    def advice(self) -> str:
        return self.symmetry.advice

    def draw(
        self, model: Model, inputs: Sequence[Any], outputs: Outputs, indices: Sequence[int], n: int, rng: np.random.Generator
    ) -> Elements:
        """Those of `Check.draw`. The input that `sweep` has fewest elements for gets all of these, too."""
        fitted = {i: self.symmetry.fitted(inputs[i], outputs[i]) for i in indices}
        swept = {i: tuple(symmetry.sweep(inputs[i])) for i, symmetry in fitted.items()}
        if not n:
            drawn = {i: tuple(symmetry.generators(inputs[i])) for i, symmetry in fitted.items()}
        elif all(symmetry is self.symmetry for symmetry in fitted.values()):
            together = self.symmetry.elements_of([inputs[i] for i in indices], n, rng)
            drawn = {i: tuple(elements) for i, elements in zip(indices, together, strict=True)}
        else:
            drawn = {i: tuple(symmetry.elements(inputs[i], n, rng)) for i, symmetry in fitted.items()}
        smallest = min((i for i in indices if swept[i]), key=lambda i: len(swept[i]), default=None)
        if smallest is not None:
            known = set(drawn[smallest])
            drawn[smallest] += tuple(g for g in swept[smallest] if g not in known)
        return {i: elements for i, elements in drawn.items() if elements}

    def scope(self, inputs: Sequence[Any], outputs: Outputs) -> str:
        """What was tried, in one short clause: on the input that is swept, or else on the first. "" if that is plain."""
        fitted = {i: self.symmetry.fitted(inputs[i], y) for i, y in outputs.items()}
        swept = {i: len(symmetry.sweep(inputs[i])) for i, symmetry in fitted.items()}
        chosen = min((i for i in fitted if swept[i]), key=lambda i: swept[i], default=next(iter(fitted), None))
        return "" if chosen is None else fitted[chosen].scope(inputs[chosen])

    def pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: Elements) -> Iterator[Pair]:
        """One element at a time for all inputs that share a call; then what one input has beyond that, many elements a call."""
        for chunk in model.chunks_of(inputs, list(elements)):
            counts = sorted(len(elements[i]) for i in chunk)
            swept = any(self.symmetry.sweep(inputs[i]) for i in chunk) and model.adapter.separates_inputs
            common = counts[-1] if not swept else counts[-2] if len(counts) > 1 else 0
            for place in range(common):
                yield from self._pairs(
                    model, inputs, outputs, [(i, elements[i][place]) for i in chunk if place < len(elements[i])]
                )
            size, known = model.fixed_batch or model.batch_size, dict[int, Sides]()
            for i in chunk:
                for start in range(common, len(elements[i]), size):
                    calls = [(i, g) for g in elements[i][start : start + size]]
                    yield from self._pairs(model, inputs, outputs, calls, known)

    def _pairs(
        self,
        model: Model,
        inputs: Sequence[Any],
        outputs: Outputs,
        calls: Sequence[tuple[int, Any]],
        known: dict[int, Sides] | None = None,
    ) -> Iterator[Pair]:
        """A pair for each (input, element). known: outputs for copies of the one input that all share, by their number."""
        symmetries = {i: self.symmetry.fitted(inputs[i], outputs[i]) for i in dict(calls)}
        moved, reference, failures = {}, {}, {}
        for place, (i, g) in enumerate(calls):
            try:
                moved[place], reference[place] = symmetries[i].act(inputs[i], g), symmetries[i].reference(inputs[i], g)
            except Exception as error:
                failures[place] = describe_error(error)
        actual, expected = dict[int, Tensor | str](failures), dict[int, Tensor | str](failures)
        for group in alike(model, moved):
            actual |= attempt(model, group, [moved[place] for place in group])
            if len(group) == len(moved) and known is None:  # then those that did not change have their outputs from such a call
                expected |= {place: outputs[calls[place][0]] for place in group}
                group = [place for place in group if reference[place] is not inputs[calls[place][0]]]
            expected |= repeated(model, group, [reference[place] for place in group], known)
        for place, (i, g) in enumerate(calls):
            y, y_g, symmetry = expected[place], actual[place], symmetries[i]
            failure = next((side for side in (y, y_g) if isinstance(side, str)), "")
            aligned = failure or align(symmetry, y, y_g, g, inputs[i])
            if symmetry.optional(g) and isinstance(aligned, tuple) and became_infinite(*aligned):
                aligned = "NaN or infinity"
            if isinstance(aligned, str):
                refused = symmetry.optional(g) or isinstance(aligned, Refusal)
                yield Pair(
                    i, g, symmetry.label(g), None, None, failure="" if refused else aligned, refused=aligned if refused else ""
                )
            elif aligned is not None:
                left, right = (model.rows(side) for side in aligned)
                loss, size = symmetry.loss(inputs[i], g), symmetry.size(g)
                changed = differ(reference[place], moved[place])
                yield Pair(i, g, symmetry.label(g), left, right, moved=changed, loss=loss, size=size)


class Refusal(str):
    """Why a model cannot be asked for an output, in place of the output: no failure of the model."""


def became_infinite(y: Tensor, y_g: Tensor) -> bool:
    """Whether y_g has NaN or infinity, and y has not."""
    return bool(y.isfinite().all()) and not bool(y_g.isfinite().all())


def alike(model: Model, moved: Mapping[int, Any]) -> list[list[int]]:
    """Places of the inputs that share a call once they are moved: one group, unless elements change shapes in several ways.

    Each group is then compared with its own references, so that both calls are of one size.
    """
    if not model.adapter.separates_inputs:
        return [list(moved)] if moved else []
    groups: dict[Hashable, list[int]] = {}
    for place, x in moved.items():
        groups.setdefault(model.key(x), []).append(place)
    return list(groups.values())


def repeated(model: Model, places: Sequence[int], inputs: Sequence[Any], known: dict[int, Sides] | None) -> Sides:
    """`attempt`, but copies of one input are called only once in each number."""
    if known is None or any(x is not inputs[0] for x in inputs):
        return attempt(model, places, inputs)
    if len(inputs) not in known:
        known[len(inputs)] = attempt(model, range(len(inputs)), inputs)
    return {place: known[len(inputs)][number] for number, place in enumerate(places)}


def align(symmetry: Symmetry, y: Any, y_g: Any, g: Any, x: Any) -> tuple[Tensor, Tensor] | str | None:
    """What `symmetry.align` returns; if the two sides cannot be compared, the reason."""
    try:
        aligned = symmetry.align(y, y_g, g, x)
    except Exception as error:
        return f"the outputs cannot be compared: {describe_error(error)}"
    if aligned is not None and aligned[0].shape != aligned[1].shape:
        return f"the output changes its shape from {tuple(aligned[0].shape)} to {tuple(aligned[1].shape)}"
    return aligned


def attempt(model: Model, indices: Sequence[int], inputs: Sequence[Any]) -> dict[int, Tensor | str]:
    """Outputs by index. If the call fails, each input is tried alone; one that still fails gets the exception in words."""
    if not indices:
        return {}
    try:
        return dict(zip(indices, model(inputs), strict=True))
    except NoTwinError:
        raise  # not the fault of this element
    except Exception:
        outputs: dict[int, Tensor | str] = {}
        for i, x in zip(indices, inputs, strict=True):
            try:
                outputs[i] = model([x])[0]
            except CannotBeAskedError as error:
                outputs[i] = Refusal(error)
            except Exception as error:
                outputs[i] = describe_error(error)
        return outputs


def differ(x: Any, y: Any) -> bool:
    """Whether two inputs differ in any bit."""
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return x.shape != y.shape or not torch.equal(x, y)
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() != y.keys() or any(differ(x[name], y[name]) for name in x)
    if is_dataclass(x) and is_dataclass(y):
        return any(differ(getattr(x, field.name), getattr(y, field.name)) for field in fields(x))
    return bool(x != y)
