"""One part of what a model returns, by its name or its place: what `--select` names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from erlangen.auditing.calling import ModelError, with_article
from erlangen.auditing.containers import parts_of, tensors_of


@dataclass(frozen=True)
class Part:
    """Takes the part of this name, or at this place from 0, out of a dict, a tuple or an object with fields.

    A part inside another one is named by its path, `hidden.0`.
    """

    name: str

    def __call__(self, output: Any) -> Tensor:
        """The part. Raises ModelError, which lists the parts, if there is none, or if it is not a tensor."""
        parts = parts_of(output)
        part = parts.get(self.name)
        if part is None and self.name.lstrip("-").isdigit() and -len(parts) <= int(self.name) < len(parts):
            part = list(parts.values())[int(self.name)]
        if part is None:
            part = tensors_of(output).get(self.name)
        if part is None:
            there = f"it returns {', '.join(parts)}" if parts else f"it returns {with_article(type(output).__name__)}"
            raise ModelError(f"the model returns no {self.name!r} to select; {there}")
        if not isinstance(part, Tensor):
            kind = with_article(type(part).__name__)
            raise ModelError(f"{self.name!r} of what the model returns is {kind} instead of a tensor")
        return part


class NamedOutputs(tuple[Tensor, ...]):
    """The outputs of a graph, in order; `names` has the name of each."""

    names: tuple[str, ...] = ()


def named_outputs(outputs: Mapping[str, Tensor]) -> Tensor | NamedOutputs:
    """Several outputs with their names, or the only one."""
    if len(outputs) == 1:
        return next(iter(outputs.values()))
    named = NamedOutputs(outputs.values())
    named.names = tuple(outputs)
    return named


def as_select(select: Any) -> Any:
    """A function that takes the tensor to judge out of an output: `select` itself, or that of a name or place."""
    return Part(str(select)) if isinstance(select, (str, int)) else select
