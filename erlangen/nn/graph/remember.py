"""Values derived from a graph, kept as long as its tensor lives and is not changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

Value = TypeVar("Value")
_REMEMBERED: Any = WeakTensorKeyDictionary()  # tensor -> (its state, {key: a value derived from it})


def remember(tensor: Tensor, key: Hashable, derive: Callable[[], Value]) -> Value:
    """derive(), cached by tensor object and key, until the tensor changes (see `unchanged`).

    The derived value must not refer to the tensor itself, or neither would ever be freed.
    """
    if torch.compiler.is_compiling():
        return derive()
    known = _REMEMBERED.get(tensor)
    if known is None or not unchanged(known[0], (tensor,)):
        known = (state((tensor,)), {})
        _REMEMBERED[tensor] = known
    if key not in known[1]:
        with torch.inference_mode(False):  # a value derived during evaluation must be usable in training
            known[1][key] = derive()
    return cast(Value, known[1][key])


def reading_waits(tensor: Tensor) -> bool:
    """Whether the host waits for the device when it reads a value of the tensor."""
    return tensor.is_cuda


def state(tensors: tuple[Tensor, ...]) -> tuple[object, ...]:
    """What `unchanged` needs to tell whether a tensor has been changed: a copy, or on CUDA its version and its address.

    A tensor that was made in inference mode has no version, and is copied on CUDA too.
    """
    return tuple(
        (one._version, one.data_ptr()) if reading_waits(one) and not one.is_inference() else one.clone() for one in tensors
    )


def unchanged(before: tuple[object, ...], tensors: tuple[Tensor, ...]) -> bool:
    """Whether the tensors are as they were when `state` was called.

    On a CPU the contents are compared (0.2 ms for 200k edges), so no change goes unnoticed. On CUDA that would make the host wait
    for the device in every call; there the version counts, which every operation in place raises. A change that bypasses it goes
    unnoticed: through `.data`, through memory shared by DLPack or with a kernel of one's own, or by the replay of a CUDA graph
    that writes to the tensor. Pass a new tensor after such a change.
    """
    return all(
        torch.equal(old, new) if isinstance(old, Tensor) else old == (new._version, new.data_ptr())
        for old, new in zip(before, tensors, strict=True)
    )
