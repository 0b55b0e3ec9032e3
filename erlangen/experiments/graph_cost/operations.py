"""What a step computes, counted as it runs: multiply-adds of every product, and the entries of everything else.

    Σ over E edges of a weight times a row of F numbers          E F multiply-adds           embedding_bag with weights
    Σ over E edges of a row of F numbers                         E F entries                 embedding_bag without
    a_v · b_u at E edges, of d numbers each                      E d multiply-adds           sparse_sampled_addmm
    another product                                              see `erlangen.measure.products`
    anything else, such as softmax                               the entries of all tensors that it reads or writes

A view costs nothing. An operation that multiplies matrices and has no formula raises `UncountedError`. Of a fused kernel only the
products are seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from erlangen.measure.products import FORMULAS, by_name, refuse

BAGS = ("_embedding_bag", "_embedding_bag_forward_only")
SAMPLED = "sparse_sampled_addmm"


def count_operations(step: Callable[[], object]) -> tuple[int, int]:
    """(multiply-adds, entries) of step(). Raises UncountedError where a product has no formula."""
    with Counter() as counter:
        step()
    return counter.multiply_adds, counter.entries


def numbers_stored(step: Callable[[], object]) -> int:
    """Numbers that the forward pass in step() keeps for the gradient, each storage once: inputs and weights are among them."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes() // tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    return sum(kept.values())


class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts multiply-adds and entries of the operations that run while it is active."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.multiply_adds, self.entries = 0, 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = function._schema.name.partition("::")[2].removesuffix("_")
        given = by_name(function, args, kwargs)
        if name in BAGS:
            result = function(*args, **kwargs)
            summed = given["indices"].numel() * given["weight"].shape[1]
            self.add(*((0, summed) if given["per_sample_weights"] is None else (summed, 0)))
            return result
        if name == SAMPLED:
            self.add(given["self"].values().numel() * given["mat1"].shape[1], 0)
            return function(*args, **kwargs)
        if formula := FORMULAS.get(name):
            result = function(*args, **kwargs)
            self.add(formula(given, result), 0)
            return result
        with self:  # without autograd, some operations arrive whole
            parts = function.decompose(*args, **kwargs)
        if parts is not NotImplemented:
            return parts
        refuse(function)
        result = function(*args, **kwargs)
        if not is_view(function):
            self.add(0, sum(map(size, tensors((args, kwargs, result)))))
        return result

    def add(self, multiply_adds: int, entries: int) -> None:
        self.multiply_adds += int(multiply_adds)
        self.entries += entries


def is_view(function: Any) -> bool:
    """Whether the operation returns another look at what it was given."""
    return any(one.alias_info is not None and not one.alias_info.is_write for one in function._schema.returns)


def size(tensor: Tensor) -> int:
    """Its entries; of a sparse matrix those that it has."""
    return tensor.numel() if tensor.layout == torch.strided else tensor.values().numel()


def tensors(value: object) -> Iterator[Tensor]:
    """All tensors in nested lists and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors(one)
