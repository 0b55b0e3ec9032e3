"""A model as an audit calls it: inputs in, one output each. Inputs of one shape share a call; nothing is ever padded."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from erlangen.errors import ErlangenError


class ModelError(ErlangenError):
    """The user's model or inputs failed to load or run."""

    exit_code = 4


class Adapter(Protocol):
    """How one kind of input becomes a call, and what comes back becomes one output an input.

    tells_apart: whether the model is told where one input of a call ends and the next begins.
    """

    @property
    def tells_apart(self) -> bool: ...

    def key(self, x: Any) -> Hashable:
        """Inputs of equal keys share a call."""
        ...

    def kin(self, x: Any) -> Hashable:
        """Inputs of equal kin could share a call, though the model may not know where one ends and the next begins."""
        ...

    def collate(self, batch: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and named arguments of the call."""
        ...

    def split(self, output: Any, batch: Sequence[Any]) -> list[Tensor]:
        """One tensor an input, without a batch dimension. Raises ModelError where the output does not fit the batch."""
        ...

    def sites(self, y: Tensor) -> Tensor:
        """An output as rows (S, D): S pixels, positions or nodes; a vector is one site."""
        ...


@dataclass(frozen=True, kw_only=True)
class Model:
    """A callable with its adapter. `module`: the torch module behind it, where there is one; eps: of its least precise part.

    fixed_batch: the one batch size that the model takes (a graph exported so): a short batch is filled with its last input again.
    """

    function: Callable[..., Any]
    adapter: Adapter
    name: str = "model"
    module: nn.Module | None = None
    eps: float = field(default_factory=lambda: torch.finfo(torch.float32).eps)
    batch_size: int = 32
    fixed_batch: int | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def chunks(self, inputs: Sequence[Any]) -> list[list[int]]:
        """Indices of the inputs of each call: of one key, in the order given, at most `batch_size`."""
        groups: dict[Hashable, list[int]] = {}
        for index, x in enumerate(inputs):
            groups.setdefault(self.adapter.key(x), []).append(index)
        size = self.fixed_batch or self.batch_size
        return [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]

    def chunks_of(self, inputs: Sequence[Any], indices: Sequence[int]) -> list[list[int]]:
        """The same for some of the inputs, by their indices."""
        return [[indices[place] for place in chunk] for chunk in self.chunks([inputs[i] for i in indices])]

    def __call__(self, inputs: Sequence[Any]) -> list[Tensor]:
        """f(x) of every input, on the CPU, without gradients."""
        outputs: dict[int, Tensor] = {}
        for chunk in self.chunks(inputs):
            outputs.update(zip(chunk, self.once([inputs[index] for index in chunk]), strict=True))
        return [outputs[index] for index in range(len(inputs))]

    def once(self, batch: Sequence[Any]) -> list[Tensor]:
        """One call for all of `batch`, whatever its size."""
        filled = [*batch, *[batch[-1]] * ((self.fixed_batch or len(batch)) - len(batch))]
        args, kwargs = self.adapter.collate(filled)
        args, kwargs = to_device(args, self.device), to_device(kwargs, self.device)
        with torch.no_grad():
            output = self.function(*args, **kwargs)
        return [y.detach().to("cpu") for y in self.adapter.split(output, filled)[: len(batch)]]


def to_device(value: Any, device: torch.device) -> Any:
    """Tensors in tuples, lists and dicts, moved."""
    return map_tensors(value, lambda tensor: tensor.to(device))


def map_tensors(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """`value` with every tensor in it changed; tuples, lists and dicts are rebuilt, all else is kept."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {name: map_tensors(entry, change) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map_tensors(entry, change) for entry in value)
    return value


def precision_of(module: nn.Module | None, output: Tensor) -> torch.dtype:
    """The least precise floating dtype among the output and the parameters."""
    dtypes = {output.dtype} if output.is_floating_point() else set()
    if module is not None:
        dtypes |= {parameter.dtype for parameter in module.parameters() if parameter.is_floating_point()}
    return max(dtypes or {torch.float32}, key=lambda dtype: torch.finfo(dtype).eps)
