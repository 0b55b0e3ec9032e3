"""One part of what a model returns, by its name or its place: what `--select` names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from torch import Tensor

from erlangen.auditing.calling import ModelError


@dataclass(frozen=True)
class Part:
    """Takes the part of this name, or at this place from 0, out of a dict, a tuple or an object with fields."""

    name: str

    def __call__(self, output: Any) -> Tensor:
        """The part. Raises ModelError, which lists the parts, if there is none, or if it is not a tensor."""
        parts = parts_of(output)
        part = parts.get(self.name)
        if part is None and self.name.lstrip("-").isdigit() and -len(parts) <= int(self.name) < len(parts):
            part = list(parts.values())[int(self.name)]
        if part is None:
            there = f"it returns {', '.join(parts)}" if parts else f"it returns a {type(output).__name__}"
            raise ModelError(f"the model returns no {self.name!r} to select; {there}")
        if not isinstance(part, Tensor):
            raise ModelError(f"{self.name!r} of what the model returns is a {type(part).__name__} instead of a tensor")
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


def parts_of(output: Any) -> dict[str, Any]:
    """What a model returns, by name; the entries of a tuple or list are named by their places."""
    if isinstance(output, Mapping):
        return {str(name): part for name, part in output.items()}
    if isinstance(output, (tuple, list)):
        names = getattr(output, "names", None) or getattr(output, "_fields", None) or range(len(output))
        return {str(name): part for name, part in zip(names, output, strict=True)}
    if is_dataclass(output) and not isinstance(output, type):
        return {field.name: getattr(output, field.name) for field in fields(output)}
    return {}


def as_select(select: Any) -> Any:
    """A function that takes the tensor to judge out of an output: `select` itself, or that of a name or place."""
    return Part(str(select)) if isinstance(select, (str, int)) else select
