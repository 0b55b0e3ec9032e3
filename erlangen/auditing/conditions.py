"""Checks that change the call, not the input: the second time, other neighbors in the batch, another precision or device."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.model import Model, map_tensors
from erlangen.auditing.pair import Elements, Outputs, Pair
from erlangen.auditing.symmetry_check import attempt, in_words
from erlangen.auditing.twin import NoTwinError


@dataclass(frozen=True)
class Repeat:
    """The same call again: dropout, sampling, and whatever a model remembers of the call before."""

    name: str = "repeat"
    kind: ClassVar[str] = "condition"
    strict: ClassVar[bool] = True
    informational: ClassVar[bool] = False
    unit: ClassVar[str] = ""

    def draw(
        self, model: Model, inputs: Sequence[Any], outputs: Outputs, indices: Sequence[int], n: int, rng: np.random.Generator
    ) -> Elements:
        return dict.fromkeys(indices, (2, 3))

    def pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: Elements) -> Iterator[Pair]:
        for chunk in model.chunks_of(inputs, list(elements)):
            for call in elements[chunk[0]]:
                again = attempt(model, chunk, [inputs[i] for i in chunk])
                for i in chunk:
                    yield compared(model, i, call, f"call {call}", outputs[i], again[i])


@dataclass(frozen=True)
class BatchComposition:
    """Each input alone, and among other neighbors than before: what a model says of one must not depend on them.

    An element names the neighbors, by their indices; () is alone. An input that no other shares a shape with has itself.
    """

    name: str = "batch-composition"
    kind: ClassVar[str] = "condition"
    strict: ClassVar[bool] = True
    informational: ClassVar[bool] = False
    unit: ClassVar[str] = ""

    def draw(
        self, model: Model, inputs: Sequence[Any], outputs: Outputs, indices: Sequence[int], n: int, rng: np.random.Generator
    ) -> Elements:
        kin: dict[Hashable, list[int]] = {}
        for i, x in enumerate(inputs):
            kin.setdefault(model.adapter.kin(x), []).append(i)
        drawn: dict[int, Sequence[Any]] = {}
        for i in indices:
            if model.fixed_batch == 1 or (outputs[i].ndim < 2 and not model.adapter.tells_apart):
                continue  # one answer for all that a call holds: there is no answer for each
            others = [j for j in kin[model.adapter.kin(inputs[i])] if j != i] or [i]
            most = min(3, len(others), (model.fixed_batch or len(inputs) + 4) - 1)
            sets = [tuple(rng.choice(others, most, replace=False).tolist()) for _ in range(max(1, min(n, 4) - 1))]
            drawn[i] = ((), *sets)
        return drawn

    def pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: Elements) -> Iterator[Pair]:
        for i, drawn in elements.items():
            for neighbors in drawn:
                try:
                    batch, place = among(inputs, i, neighbors)
                    y: Tensor | str = model.once(batch)[place]
                except NoTwinError:
                    raise
                except Exception as error:
                    y = in_words(error)
                label = f"beside inputs {', '.join(map(str, neighbors))}" if neighbors else "alone"
                yield compared(model, i, neighbors, label, outputs[i], y)


def among(inputs: Sequence[Any], i: int, neighbors: Sequence[int]) -> tuple[list[Any], int]:
    """Input i in the middle of its neighbors, and its place: what comes before it in a batch may matter, or what comes after."""
    place = (len(neighbors) + 1) // 2
    others = [inputs[j] for j in neighbors]
    return [*others[:place], inputs[i], *others[place:]], place


@dataclass(frozen=True)
class Elsewhere:
    """The same model, copied, in another precision or on another device."""

    name: str
    dtype: torch.dtype | None = None
    device: str | None = None
    informational: bool = True
    kind: ClassVar[str] = "condition"
    strict: ClassVar[bool] = False
    unit: ClassVar[str] = ""

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
                yield compared(model, i, self.name, self.name, outputs[i], again[i])


def compared(model: Model, i: int, element: Any, label: str, y: Tensor, again: Tensor | str) -> Pair:
    """The output as it was beside what another call made of it."""
    if isinstance(again, str):
        return Pair(i, element, label, None, None, failure=again)
    if again.shape != y.shape:
        failure = f"the output changes its shape: {tuple(y.shape)} and {tuple(again.shape)}"
        return Pair(i, element, label, None, None, failure=failure)
    return Pair(i, element, label, model.adapter.sites(y), model.adapter.sites(again))
