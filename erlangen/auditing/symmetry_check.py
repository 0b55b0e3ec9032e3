"""A symmetry as a check: f(g·x) beside g·f(x), one pair for each input and element."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.calling import describe_error
from erlangen.auditing.model import Model
from erlangen.auditing.pair import Elements, Outputs, Pair
from erlangen.auditing.rewriter import NoTwinError
from erlangen.symmetries.symmetry import Symmetry


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
        moved, reference, failures = {}, {}, {}
        for i, g in elements.items():
            try:
                moved[i], reference[i] = symmetries[i].act(inputs[i], g), symmetries[i].reference(inputs[i], g)
            except Exception as error:
                failures[i] = describe_error(error)
        possible = [i for i in elements if i not in failures]
        actual = failures | attempt(model, possible, [moved[i] for i in possible])
        changed = [i for i in possible if reference[i] is not inputs[i]]
        expected = {i: outputs[i] for i in possible} | failures | attempt(model, changed, [reference[i] for i in changed])
        for i, g in elements.items():
            y, y_g, label = expected[i], actual[i], symmetries[i].label(g)
            failure = next((side for side in (y, y_g) if isinstance(side, str)), "")
            aligned = failure or align(symmetries[i], y, y_g, g, inputs[i])
            if isinstance(aligned, str):
                yield Pair(i, g, label, None, None, failure=aligned)
            elif aligned is not None:
                left, right = (model.adapter.sites(side) for side in aligned)
                loss, size = symmetries[i].loss(inputs[i], g), symmetries[i].size(g)
                yield Pair(i, g, label, left, right, moved=differ(reference[i], moved[i]), loss=loss, size=size)


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
