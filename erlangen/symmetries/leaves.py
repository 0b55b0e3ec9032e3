"""The tensors of an input, whether it is a tensor itself or a record of tensors: compared, counted and converted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor


def leaves(x: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of every tensor and plain value in x: ('', x) of a tensor, ('.edges[weight]', ...) of a graph's weights."""
    if isinstance(x, dict):
        for name, value in x.items():
            yield from leaves(value, f"{path}[{name}]")
    elif is_dataclass(x) and not isinstance(x, type):
        for field in fields(x):
            yield from leaves(getattr(x, field.name), f"{path}.{field.name}")
    else:
        yield path, x


def floating(x: Any) -> list[Tensor]:
    """The tensors of x that hold floating-point numbers."""
    return [leaf for _, leaf in leaves(x) if isinstance(leaf, Tensor) and leaf.is_floating_point()]


def map_floating(x: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """x with every tensor of floating-point numbers changed."""
    if isinstance(x, Tensor):
        return change(x) if x.is_floating_point() else x
    if isinstance(x, dict):
        return {name: map_floating(value, change) for name, value in x.items()}
    if is_dataclass(x) and not isinstance(x, type):
        return replace(x, **{field.name: map_floating(getattr(x, field.name), change) for field in fields(x)})
    return x


def apart(x: Any, y: Any) -> float:
    """Largest difference of two inputs or outputs, relative to their largest entry: 0 where they agree in every bit.

    Infinite where anything but floating-point numbers differs: shapes, dtypes, integers, the names of parts.
    """
    left, right = dict(leaves(x)), dict(leaves(y))
    if type(x) is not type(y) or left.keys() != right.keys():
        return math.inf
    return max((leaf_apart(left[path], right[path]) for path in left), default=0.0)


def leaf_apart(x: Any, y: Any) -> float:
    """`apart` of two leaves."""
    if not (isinstance(x, Tensor) and isinstance(y, Tensor)):
        return 0.0 if type(x) is type(y) and x == y else math.inf
    if x.shape != y.shape or x.dtype != y.dtype:
        return math.inf
    if torch.equal(x, y):
        return 0.0
    if not x.is_floating_point():
        return math.inf
    largest = float(torch.stack([x.abs().max(), y.abs().max()]).max())
    difference = float((x.double() - y.double()).abs().max()) / largest
    return math.inf if math.isnan(difference) else difference


def eps_of(*values: Any) -> float:
    """Of the coarsest precision among their tensors; that of float64 where there are none."""
    return max(
        (torch.finfo(leaf.dtype).eps for value in values for leaf in floating(value)), default=torch.finfo(torch.float64).eps
    )
