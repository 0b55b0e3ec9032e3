"""What every graph layer checks of its input before it computes. Each raises ValueError with one line that says what to do."""

from __future__ import annotations

import torch
from torch import Tensor


def check_edge_index(edge_index: Tensor, num_sources: int, num_targets: int | None = None) -> None:
    """Raise ValueError unless edge_index is int64, (2, E) and within [0, num_sources) and [0, num_targets)."""
    if edge_index.dtype != torch.int64:
        raise ValueError(f"edge_index: dtype {edge_index.dtype}, expected torch.int64: convert it with edge_index.long()")
    if edge_index.ndim != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"edge_index: shape {tuple(edge_index.shape)}, expected (2, E): row 0 sources, row 1 targets")
    counts = (num_sources, num_sources if num_targets is None else num_targets)
    for ends, count, role in zip(edge_index, counts, ("source", "target"), strict=True):
        check_range(ends, count, role)


def check_range(index: Tensor, count: int, role: str) -> None:
    """Raise ValueError where an entry of index (E,) is no node of [0, count). The text names the first such edge.

    Skipped under torch.compile, as `check_finite` is: a look at the values would break the graph in two.
    """
    if torch.compiler.is_compiling() or not len(index):
        return
    low, high = torch.aminmax(index)
    if low < 0 or high >= count:
        edge = int(((index < 0) | (index >= count)).nonzero()[0])
        raise ValueError(
            f"edge_index: {role} {int(index[edge])} at edge {edge}, but there are {count} nodes, counted from 0: "
            "pass features for every node, or drop the edge"
        )


def check_edge_weight(edge_weight: Tensor, num_edges: int) -> None:
    """Raise ValueError unless there is one weight for each edge, floating-point and not NaN."""
    if edge_weight.shape != (num_edges,):
        raise ValueError(f"edge_weight: shape {tuple(edge_weight.shape)}, expected ({num_edges},): one weight for each edge")
    if not edge_weight.is_floating_point():
        raise ValueError(f"edge_weight: dtype {edge_weight.dtype}, expected a floating-point one: convert it with .float()")
    check_finite("edge_weight", edge_weight)


def check_finite(name: str, values: Tensor) -> None:
    """Raise ValueError where a value is NaN, naming the first. Infinities pass."""
    if torch.compiler.is_compiling():
        return
    if values.detach().sum().isnan() and (nan := values.isnan()).any():  # the sum costs a tenth of looking at every value
        place = ", ".join(str(int(position)) for position in nan.nonzero()[0])
        raise ValueError(f"{name}: NaN at [{place}], {int(nan.sum())} in all: mend the input, or the layer that made it")
