"""Checks that change the call instead of the input: repeat it, change the batch around an input, the precision or the device."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError, describe_error
from erlangen.auditing.model import Model, map_tensors
from erlangen.auditing.pair import Elements, Outputs, Pair
from erlangen.auditing.rewriter import NoTwinError
from erlangen.auditing.symmetry_check import attempt

ONE_AT_A_TIME = "the model takes one input at a time (fixed batch 1)"


class Condition:
    """What the conditions have in common; their attributes mean the same as those of a `Symmetry`."""

    kind: ClassVar[str] = "condition"
    default: ClassVar[bool] = False
    strict: ClassVar[bool] = False
    unit: ClassVar[str] = ""

    def refusal(self, model: Model) -> str:
        """Why this check cannot be asked of a model; '' if it can, or if the reason is not known."""
        return ""


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
        return dict.fromkeys(indices, (2, 3) if n else (4, 5, 6))  # some models keep a state with a period

    def pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: Elements) -> Iterator[Pair]:
        for chunk in model.chunks_of(inputs, list(elements)):
            for call in elements[chunk[0]]:
                again = attempt(model, chunk, [inputs[i] for i in chunk])
                for i in chunk:
                    yield compare(model, i, call, f"call {call}", outputs[i], again[i])


@dataclass(frozen=True)
class BatchComposition(Condition):
    """Replace half of the inputs of a call by others, in another order: an output must not depend on the input's neighbors.

    The size of the batch stays, because another size may run other kernels, which round differently; `BatchSize` asks about it.
    An element is the whole batch, as indices. An input that was alone in its call, because no other has its shape, is doubled.
    """

    name: ClassVar[str] = "batch-composition"
    default: ClassVar[bool] = True
    strict: ClassVar[bool] = True
    informational: ClassVar[bool] = False
    advice: ClassVar[str] = (
        "Call model.eval() if batch normalization still trains. Otherwise, look for a sum, maximum, norm or scale that is taken "
        "over the whole batch (dynamic quantization takes one); in a graph network, for a layer that needs the `batch` vector."
    )

    def refusal(self, model: Model) -> str:
        return ONE_AT_A_TIME if model.fixed_batch == 1 else ""

    def draw(
        self, model: Model, inputs: Sequence[Any], outputs: Outputs, indices: Sequence[int], n: int, rng: np.random.Generator
    ) -> Elements:
        drawn: dict[int, list[Any]] = {}
        groups: dict[Hashable, list[int]] = {}
        for i, x in enumerate(inputs):
            groups.setdefault(model.adapter.key(x), []).append(i)
        for chunk in model.chunks_of(inputs, list(outputs)):  # the calls that the outputs come from
            kept = [i for i in chunk if i in set(indices) and shares_calls(model, outputs[i])]
            if not kept:
                continue
            others = [i for i in groups[model.adapter.key(inputs[chunk[0]])] if i not in chunk]
            for _ in range(max(1, min(n, 4) - 1)):
                for batch in mixed(rng.permutation(kept).tolist(), others, len(chunk), model.fixed_batch, rng):
                    for i in {i for i in batch if i in kept}:
                        drawn.setdefault(i, []).append(batch)
        return {i: tuple(batches) for i, batches in drawn.items()}

    def pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: Elements) -> Iterator[Pair]:
        asked: dict[tuple[int, ...], list[int]] = {}  # inputs by the batch that they share
        for i, batches in elements.items():
            for batch in batches:
                asked.setdefault(batch, []).append(i)
        for batch, members in asked.items():
            answers = call(model, [inputs[j] for j in batch])
            for i in members:
                y = answers if isinstance(answers, str) else answers[last_place(batch, i)]
                yield compare(model, i, batch, describe_neighbors(batch, i), outputs[i], y)


@dataclass(frozen=True)
class BatchSize(Condition):
    """Pass each input alone: its output must not depend on how many share a call. The element is the size of the batch.

    Kernels for another size may add numbers in another order, so only an error above the threshold counts as broken.
    """

    name: ClassVar[str] = "batch-size"
    default: ClassVar[bool] = True
    informational: ClassVar[bool] = False
    advice: ClassVar[str] = "Look for a mean, norm or branch that depends on the number of inputs in a call."

    def refusal(self, model: Model) -> str:
        return "" if model.fixed_batch is None else f"the model takes batches of {model.fixed_batch} only"

    def draw(
        self, model: Model, inputs: Sequence[Any], outputs: Outputs, indices: Sequence[int], n: int, rng: np.random.Generator
    ) -> Elements:
        if model.fixed_batch is not None:
            return {}
        sizes = {i: len(chunk) for chunk in model.chunks_of(inputs, list(outputs)) for i in chunk}
        return {i: (2,) if sizes[i] == 1 else (1,) for i in indices if shares_calls(model, outputs[i])}

    def pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: Elements) -> Iterator[Pair]:
        for i, sizes in elements.items():
            for size in sizes:
                answers = call(model, [inputs[i]] * size)
                label = "alone" if size == 1 else f"{size} copies in one call"
                yield compare(model, i, size, label, outputs[i], answers if isinstance(answers, str) else answers[0])


def shares_calls(model: Model, y: Tensor) -> bool:
    """Whether a call can have several inputs, and its output has a part for each."""
    return model.fixed_batch != 1 and (y.ndim >= 2 or model.adapter.separates_inputs)


def mixed(
    kept: Sequence[int], others: Sequence[int], size: int, fixed: int | None, rng: np.random.Generator
) -> Iterator[tuple[int, ...]]:
    """Batches of `size` inputs in random order. Each of `kept` is in one, whose other half are `others`, or else copies."""
    size = max(size, 2) if fixed is None else min(size, fixed)
    half = max(1, size // 2)
    for start in range(0, len(kept), half):
        members = list(kept[start : start + half])
        pool = list(others) if others else members
        batch = members + rng.choice(pool, size - len(members)).tolist()
        yield tuple(rng.permutation(batch).tolist())


def call(model: Model, batch: Sequence[Any]) -> list[Tensor] | str:
    """The outputs of one call, or its exception in words."""
    try:
        return model.once(batch)
    except NoTwinError:
        raise
    except Exception as error:
        return describe_error(error)


def last_place(batch: Sequence[int], i: int) -> int:
    """Where input i is in a batch; the last of several places, since the first may be where it was alone."""
    return max(place for place, member in enumerate(batch) if member == i)


def describe_neighbors(batch: Sequence[int], i: int) -> str:
    """`beside inputs 3, 8, 8 and 28 more`"""
    others = list(batch)
    others.remove(i)
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return f"beside inputs {', '.join(map(str, others[:3]))}{more}"


@dataclass(frozen=True, kw_only=True)
class Elsewhere(Condition):
    """Run a copy of the model in another precision or on another device."""

    name: str
    advice: str
    dtype: torch.dtype | None = None
    device: str | None = None
    informational: bool = False

    def refusal(self, model: Model) -> str:
        if model.module is None:
            return "there is no torch module to copy"
        return "this machine has no CUDA device" if self.device == "cuda" and not torch.cuda.is_available() else ""

    def draw(
        self, model: Model, inputs: Sequence[Any], outputs: Outputs, indices: Sequence[int], n: int, rng: np.random.Generator
    ) -> Elements:
        return {} if self.refusal(model) else dict.fromkeys(indices, (self.name,))

    def pairs(self, model: Model, inputs: Sequence[Any], outputs: Outputs, elements: Elements) -> Iterator[Pair]:
        if model.module is None or not elements:
            return
        device = model.device if self.device is None else torch.device(self.device)
        if self.device is not None and model.device.type == device.type:
            device = torch.device("cpu")  # a model that is there already is compared with itself elsewhere
        try:
            copied = copy.deepcopy(model.module).to(device=device, dtype=self.dtype)
        except Exception as error:
            place = device if self.device else self.name
            raise ModelError(f"the model cannot be copied to {place}: {describe_error(error)}") from error

        def cast(tensor: Tensor) -> Tensor:
            return tensor.to(dtype=self.dtype) if tensor.is_floating_point() and self.dtype else tensor

        def function(*args: Any, **kwargs: Any) -> Any:
            return copied(*map_tensors(args, cast), **map_tensors(kwargs, cast))

        there = replace(model, function=function, module=copied, device=device)
        for chunk in model.chunks_of(inputs, list(elements)):
            again = attempt(there, chunk, [inputs[i] for i in chunk])
            for i in chunk:
                yield compare(model, i, self.name, f"on {device}" if self.device else self.name, outputs[i], again[i])


def compare(model: Model, i: int, element: Any, label: str, y: Tensor, again: Tensor | str) -> Pair:
    """A pair of two calls' outputs for the same input."""
    if isinstance(again, str):
        return Pair(i, element, label, None, None, failure=again)
    if again.shape != y.shape:
        failure = f"the output changes its shape from {tuple(y.shape)} to {tuple(again.shape)}"
        return Pair(i, element, label, None, None, failure=failure)
    return Pair(i, element, label, model.rows(y), model.rows(again))
