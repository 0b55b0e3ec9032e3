"""A symmetry as a check: f(g·x) beside g·f(x), one pair for each input and element."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.model import Model
from erlangen.auditing.pair import Elements, Outputs, Pair
from erlangen.auditing.twin import NoTwinError
from erlangen.symmetries.symmetry import Symmetry


@dataclass(frozen=True)
class SymmetryCheck:
    """Every model call of a chunk holds the same inputs in the same places, moved and unmoved: what their number does to the
    answer cannot be taken for what g does.
    """

    symmetry: Symmetry
    kind: ClassVar[str] = "symmetry"

    @property
    def name(self) -> str:
        return self.symmetry.name or type(self.symmetry).__name__

    @property
    def strict(self) -> bool:
        return self.symmetry.strict

    @property
    def informational(self) -> bool:
        return self.symmetry.informational

    @property
    def unit(self) -> str:
        return self.symmetry.unit

    def draw(
        self, model: Model, inputs: Sequence[Any], outputs: Outputs, indices: Sequence[int], n: int, rng: np.random.Generator
    ) -> Elements:
        drawn = {}
        for i in indices:
            fitted = self.symmetry.fitted(inputs[i], outputs[i])
            drawn[i] = tuple(fitted.elements(inputs[i], n, rng) if n else fitted.generators(inputs[i]))
        return {i: elements for i, elements in drawn.items() if elements}

    def pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: Elements) -> Iterator[Pair]:
        for chunk in model.chunks_of(inputs, list(elements)):
            for place in range(max(len(elements[i]) for i in chunk)):
                yield from self._pairs(model, inputs, outputs, {i: elements[i][place] for i in chunk if place < len(elements[i])})

    def _pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: dict[int, Any]) -> Iterator[Pair]:
        """One element for each of some inputs, in two calls at most."""
        symmetries = {i: self.symmetry.fitted(inputs[i], outputs[i]) for i in elements}
        moved, reference, failed = {}, {}, {}
        for i, g in elements.items():
            try:
                moved[i] = symmetries[i].act(inputs[i], g)
                reference[i] = symmetries[i].reference(inputs[i], g)
            except Exception as error:
                failed[i] = in_words(error)
        live = [i for i in elements if i not in failed]
        actual = attempt(model, live, [moved[i] for i in live])
        apart = [i for i in live if reference[i] is not inputs[i]]
        expected: dict[int, Tensor | str] = {i: outputs[i] for i in live}
        expected.update(attempt(model, apart, [reference[i] for i in apart]))
        for i, g in elements.items():
            symmetry, label = symmetries[i], symmetries[i].label(g)
            y, y_g = (failed[i], failed[i]) if i in failed else (expected[i], actual[i])
            if isinstance(y, str) or isinstance(y_g, str):
                yield Pair(i, g, label, None, None, failure=y if isinstance(y, str) else str(y_g))
                continue
            try:
                aligned = symmetry.align(y, y_g, g, inputs[i])
            except Exception as error:
                yield Pair(i, g, label, None, None, failure=f"the outputs cannot be compared: {in_words(error)}")
                continue
            if aligned is None:
                continue  # g does nothing that is defined to an output of this shape: no pair
            if aligned[0].shape != aligned[1].shape:
                shapes = " and ".join(str(tuple(side.shape)) for side in aligned)
                yield Pair(i, g, label, None, None, failure=f"the output changes its shape: {shapes}")
                continue
            left, right = (model.adapter.sites(side) for side in aligned)
            changed = differ(reference[i], moved[i])
            yield Pair(i, g, label, left, right, moved=changed, loss=symmetry.loss(inputs[i], g), size=symmetry.size(g))


def attempt(model: Model, indices: Sequence[int], inputs: Sequence[Any]) -> dict[int, Tensor | str]:
    """Outputs by index; where the call fails, one by one, and for each that fails alone the exception in words."""
    if not indices:
        return {}
    try:
        return dict(zip(indices, model(inputs), strict=True))
    except NoTwinError:
        raise  # no fault of this element
    except Exception:
        found: dict[int, Tensor | str] = {}
        for i, x in zip(indices, inputs, strict=True):
            try:
                found[i] = model([x])[0]
            except Exception as error:
                found[i] = in_words(error)
        return found


def in_words(error: BaseException) -> str:
    """The exception at the bottom of the chain, on one line: what went wrong first says most."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__


def differ(x: Any, y: Any) -> bool:
    """Whether two inputs are not the same, down to the last bit."""
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return x.shape != y.shape or not torch.equal(x, y)
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() != y.keys() or any(differ(x[name], y[name]) for name in x)
    if is_dataclass(x) and is_dataclass(y):
        return any(differ(getattr(x, field.name), getattr(y, field.name)) for field in fields(x))
    return bool(x != y)
