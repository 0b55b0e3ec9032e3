"""Functions of arrays and lists in place of tensors, and of inputs without a batch axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from erlangen.auditing.model import map_tensors


@dataclass(frozen=True)
class NumpyCall:
    """A function of NumPy arrays, called with tensors."""

    function: Callable[..., Any]

    def __call__(self, *args: Any, **named: Any) -> Any:
        to_array = lambda tensor: tensor.detach().cpu().numpy()  # noqa: E731
        return to_tensors(self.function(*map_tensors(args, to_array), **map_tensors(named, to_array)))


@dataclass(frozen=True)
class FromArrays:
    """A function of tensors that returns arrays, or lists of numbers."""

    function: Callable[..., Any]

    def __call__(self, *args: Any, **named: Any) -> Any:
        return to_tensors(self.function(*args, **named))


@dataclass(frozen=True)
class Unbatched:
    """A function of inputs without a batch axis, called with batches of one."""

    function: Callable[..., Any]

    def __call__(self, *args: Any, **named: Any) -> Any:
        output = self.function(*map_tensors(args, lambda tensor: tensor[0]), **map_tensors(named, lambda tensor: tensor[0]))
        return map_tensors(to_tensors(output), lambda tensor: tensor[None])


def to_tensors(value: Any) -> Any:
    """The value with NumPy's arrays and numbers as tensors, and likewise lists of numbers, or of such lists of one length."""
    if isinstance(value, (np.ndarray, np.generic)) or is_array(value):
        return torch.as_tensor(value)
    if isinstance(value, Mapping):
        return {name: to_tensors(entry) for name, entry in value.items()}
    return type(value)(to_tensors(entry) for entry in value) if type(value) in (list, tuple) else value


def is_array(value: Any) -> bool:
    """Whether a list holds numbers, or lists of numbers of one length."""
    if not isinstance(value, list) or not value:
        return False
    if all(isinstance(entry, (bool, int, float)) for entry in value):
        return True
    return all(is_array(entry) and len(entry) == len(value[0]) for entry in value)
