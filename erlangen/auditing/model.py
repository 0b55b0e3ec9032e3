"""A model as an audit calls it: inputs in, one output each. Inputs of one shape share a call; nothing is padded."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from erlangen.auditing.calling import Select, select_tensor
from erlangen.auditing.choice import Choice
from erlangen.auditing.rows import real_rows


class Adapter(Protocol):
    """How a batch of inputs becomes one call of the model, and how its return value becomes one output per input.

    separates_inputs: whether the model knows where one input of a call ends and the next begins.
    """

    @property
    def separates_inputs(self) -> bool: ...

    def key(self, x: Any) -> Hashable:
        """Inputs with equal keys can share a call."""
        ...

    def collate(self, batch: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and named arguments of the call."""
        ...

    def split(self, y: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        """One tensor per input, without a batch dimension. Raises ModelError if the output does not fit the batch."""
        ...

    def sites(self, y: Tensor) -> Tensor:
        """An output as rows (S, D), one per pixel, position or node; a vector is a single row."""
        ...


@dataclass(frozen=True, kw_only=True)
class Model:
    """A callable with its adapter. select: takes the tensor to judge out of what it returns.

    module: the torch module behind it, if any. eps: the machine epsilon of its coarsest operation. fixed_batch: the only batch
    size that an exported graph accepts; a shorter batch is filled up with copies of its last input. notes: how it is called.
    unpromised: names of checks that it may fail by right. choice: which outputs are to be judged, if the model returns several.
    output: how its output is read unless the user declares it, as in `AuditRequest`; None if that is not known.
    """

    function: Callable[..., Any]
    adapter: Adapter
    select: Select | None = None
    name: str = "model"
    module: nn.Module | None = None
    eps: float = field(default_factory=lambda: torch.finfo(torch.float32).eps)
    batch_size: int = 32
    fixed_batch: int | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    notes: tuple[str, ...] = ()
    unpromised: tuple[str, ...] = ()
    choice: Choice = field(default_factory=Choice)
    output: str | None = None

    def key(self, x: Any) -> Hashable:
        """Inputs with equal keys do share a call: only if the model knows where one ends and the next begins."""
        return self.adapter.key(x) if self.adapter.separates_inputs else id(x)

    def chunks(self, inputs: Sequence[Any]) -> list[list[int]]:
        """Indices of the inputs of each call: at most `batch_size` with equal keys, in the order given."""
        groups: dict[Hashable, list[int]] = {}
        for index, x in enumerate(inputs):
            groups.setdefault(self.key(x), []).append(index)
        size = self.fixed_batch or self.batch_size
        return [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]

    def chunks_of(self, inputs: Sequence[Any], indices: Sequence[int]) -> list[list[int]]:
        """The same for the inputs at `indices`."""
        return [[indices[place] for place in chunk] for chunk in self.chunks([inputs[i] for i in indices])]

    def __call__(self, inputs: Sequence[Any]) -> list[Tensor]:
        """f(x) of every input, on the CPU, without gradients."""
        outputs: dict[int, Tensor] = {}
        for chunk in self.chunks(inputs):
            outputs.update(zip(chunk, self.once([inputs[index] for index in chunk]), strict=True))
        return [outputs[index] for index in range(len(inputs))]

    def once(self, batch: Sequence[Any]) -> list[Tensor]:
        """f(x) for a whole batch in one call, whatever its size."""
        filled = [*batch, *[batch[-1]] * ((self.fixed_batch or len(batch)) - len(batch))]
        args, kwargs = self.adapter.collate(filled)
        args, kwargs = to_device(args, self.device), to_device(kwargs, self.device)
        with torch.no_grad():
            y = select_tensor(self.function(*args, **kwargs), self.select)
        y = y.detach().to("cpu", copy=True)  # the model may write its next answer into the same memory
        return self.adapter.split(y, filled)[: len(batch)]

    def rows(self, y: Tensor) -> Tensor:
        """An output as rows (S, D) of real numbers, one per pixel, position or node; a vector is a single row."""
        return real_rows(self.adapter.sites(y))


def to_device(value: Any, device: torch.device) -> Any:
    """`value` with all tensors in it on `device`."""
    return map_tensors(value, lambda tensor: tensor.to(device))


def map_tensors(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """`value` with every tensor in it changed. Tuples, lists and dicts are rebuilt; everything else is kept."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {name: map_tensors(entry, change) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map_tensors(entry, change) for entry in value)
    return value
