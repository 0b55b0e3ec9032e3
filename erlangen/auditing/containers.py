"""What a model returns, taken apart: every entry of a tuple, a dict or an object, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor, nn

DEPTH = 6  # containers inside containers


def parts_of(output: Any) -> dict[str, Any]:
    """What a model returns, by name; the entries of a tuple or list are named by their places."""
    if isinstance(output, Mapping):
        return {str(name): part for name, part in output.items()}
    if isinstance(output, (tuple, list)):
        names = getattr(output, "names", None) or getattr(output, "_fields", None) or range(len(output))
        return {str(name): part for name, part in zip(names, output, strict=True)}
    if is_dataclass(output) and not isinstance(output, type):
        return {field.name: getattr(output, field.name) for field in fields(output)}
    return attributes_of(output)


def attributes_of(output: Any) -> dict[str, Any]:
    """The attributes of an object of the user's own, in the order in which they were set; {} for anything else."""
    kind = type(output)
    if isinstance(output, (Tensor, nn.Module, type)) or kind.__module__ == "builtins" or callable(output):
        return {}
    slots = [name for base in kind.__mro__ for name in as_names(getattr(base, "__slots__", ()))]
    named = {name: getattr(output, name) for name in slots if hasattr(output, name)} | vars_of(output)
    return {name: part for name, part in named.items() if not name.startswith("_")}


def as_names(slots: Any) -> tuple[str, ...]:
    """`__slots__` may be a single name."""
    return (slots,) if isinstance(slots, str) else tuple(slots)


def vars_of(output: Any) -> dict[str, Any]:
    return dict(vars(output)) if hasattr(output, "__dict__") else {}


def tensors_of(output: Any) -> dict[str, Tensor]:
    """All tensors in what a model returns: `logits`, `1`, `hidden.0`. A tensor that is returned twice has its first name only."""
    found: dict[str, Tensor] = {}
    for name, tensor in walk(output, (), DEPTH):
        if not any(tensor is other for other in found.values()):
            found.setdefault(name, tensor)
    return found


def walk(output: Any, path: tuple[str, ...], depth: int) -> Iterator[tuple[str, Tensor]]:
    """Every tensor with its path, in order."""
    if isinstance(output, Tensor):
        yield ".".join(path), output
    elif depth:
        for name, part in parts_of(output).items():
            yield from walk(part, (*path, name), depth - 1)
