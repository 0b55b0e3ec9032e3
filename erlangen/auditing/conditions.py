"""Checks that change the call instead of the input: repeat it, change the batch around an input, the precision or the device."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.calling import describe_error
from erlangen.auditing.model import Model, map_tensors
from erlangen.auditing.pair import Elements, Outputs, Pair
from erlangen.auditing.rewriter import NoTwinError
from erlangen.auditing.symmetry_check import attempt


class Condition:
    """What the conditions have in common; their attributes mean the same as those of a `Symmetry`."""

    kind: ClassVar[str] = "condition"
    default: ClassVar[bool] = False
    strict: ClassVar[bool] = False
    unit: ClassVar[str] = ""


@dataclass(frozen=True)
class Repeat(Condition):
    """Repeat the same call: fails for dropout, for sampling, and for state that is kept between calls."""

    name: ClassVar[str] = "repeat"
    default: ClassVar[bool] = True
    strict: ClassVar[bool] = True
    informational: ClassVar[bool] = False
    advice: ClassVar[str] = (
        "Call model.eval(). If that is not enough, seed or remove the random numbers in forward, and reset state between calls."
    )

    def draw(
        self, model: Model, inputs: Sequence[Any], outputs: Outputs, indices: Sequence[int], n: int, rng: np.random.Generator
    ) -> Elements:
        return dict.fromkeys(indices, (2, 3))

    def pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: Elements) -> Iterator[Pair]:
        for chunk in model.chunks_of(inputs, list(elements)):
            for call in elements[chunk[0]]:
                again = attempt(model, chunk, [inputs[i] for i in chunk])
                for i in chunk:
                    yield compare(model, i, call, f"call {call}", outputs[i], again[i])


@dataclass(frozen=True)
class BatchComposition(Condition):
    """Pass each input alone, and together with other inputs than before: its output must not depend on them.

    An element lists the indices of these neighbors; () means alone. An input whose shape no other input has is its own neighbor.
    """

    name: ClassVar[str] = "batch-composition"
    default: ClassVar[bool] = True
    strict: ClassVar[bool] = True
    informational: ClassVar[bool] = False
    advice: ClassVar[str] = (
        "Call model.eval() if batch normalization still trains. Otherwise, look for a sum, maximum or norm over the batch; in a "
        "graph network, for a layer that needs the `batch` vector."
    )

    def draw(
        self, model: Model, inputs: Sequence[Any], outputs: Outputs, indices: Sequence[int], n: int, rng: np.random.Generator
    ) -> Elements:
        keys = [model.adapter.key(x) for x in inputs]
        drawn: dict[int, Sequence[Any]] = {}
        for i in indices:
            if model.fixed_batch == 1 or (outputs[i].ndim < 2 and not model.adapter.separates_inputs):
                continue  # one output for the whole call: no output belongs to one input
            others = [j for j, key in enumerate(keys) if key == keys[i] and j != i] or [i]
            most = min(3, len(others), (model.fixed_batch or len(inputs) + 4) - 1)
            sets = [tuple(rng.choice(others, most, replace=False).tolist()) for _ in range(max(1, min(n, 4) - 1))]
            drawn[i] = ((), *sets)
        return drawn

    def pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: Elements) -> Iterator[Pair]:
        for i, drawn in elements.items():
            for neighbors in drawn:
                try:
                    batch, place = make_batch(inputs, i, neighbors)
                    y: Tensor | str = model.once(batch)[place]
                except NoTwinError:
                    raise
                except Exception as error:
                    y = describe_error(error)
                label = f"beside inputs {', '.join(map(str, neighbors))}" if neighbors else "alone"
                yield compare(model, i, neighbors, label, outputs[i], y)


def make_batch(inputs: Sequence[Any], i: int, neighbors: Sequence[int]) -> tuple[list[Any], int]:
    """Input i between its neighbors, since inputs before or after it may matter; and its place in the batch."""
    place = (len(neighbors) + 1) // 2
    others = [inputs[j] for j in neighbors]
    return [*others[:place], inputs[i], *others[place:]], place


@dataclass(frozen=True, kw_only=True)
class Elsewhere(Condition):
    """Run a copy of the model in another precision or on another device."""

    name: str
    advice: str
    dtype: torch.dtype | None = None
    device: str | None = None
    informational: bool = False

    def draw(
        self, model: Model, inputs: Sequence[Any], outputs: Outputs, indices: Sequence[int], n: int, rng: np.random.Generator
    ) -> Elements:
        return {} if model.module is None else dict.fromkeys(indices, (self.name,))

    def pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: Elements) -> Iterator[Pair]:
        assert model.module is not None
        copied = copy.deepcopy(model.module).to(device=self.device, dtype=self.dtype)

        def cast(tensor: Tensor) -> Tensor:
            return tensor.to(dtype=self.dtype) if tensor.is_floating_point() and self.dtype else tensor

        def function(*args: Any, **kwargs: Any) -> Any:
            return copied(*map_tensors(args, cast), **map_tensors(kwargs, cast))

        device = model.device if self.device is None else torch.device(self.device)
        there = replace(model, function=function, module=copied, device=device)
        for chunk in model.chunks_of(inputs, list(elements)):
            again = attempt(there, chunk, [inputs[i] for i in chunk])
            for i in chunk:
                yield compare(model, i, self.name, self.name, outputs[i], again[i])


def compare(model: Model, i: int, element: Any, label: str, y: Tensor, again: Tensor | str) -> Pair:
    """A pair of two calls' outputs for the same input."""
    if isinstance(again, str):
        return Pair(i, element, label, None, None, failure=again)
    if again.shape != y.shape:
        failure = f"the output changes its shape from {tuple(y.shape)} to {tuple(again.shape)}"
        return Pair(i, element, label, None, None, failure=failure)
    return Pair(i, element, label, model.adapter.sites(y), model.adapter.sites(again))
