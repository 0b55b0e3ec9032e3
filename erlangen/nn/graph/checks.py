"""Checks that every graph layer makes of its input. Each raises ValueError with one line that says what to do.

On a CPU they are made in every call. On CUDA, where reading a value makes the host wait for the device, they are made once: of
edges when a layer first sees them or they have changed (see `remember`), and of features and weights when a tensor of their shape
first comes with these edges. A NaN that comes later shows in the output.
"""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.nn.graph.remember import reading_waits, remember


def check_edge_index(edge_index: Tensor, num_sources: int, num_targets: int | None = None) -> None:
    """Raise ValueError unless edge_index is int64, (2, E) and within [0, num_sources) and [0, num_targets)."""
    if edge_index.dtype != torch.int64:
        raise ValueError(f"edge_index must have dtype torch.int64, not {edge_index.dtype}: convert it with edge_index.long()")
    if edge_index.ndim != 2 or edge_index.shape[0] != 2:
        raise ValueError(
            f"edge_index must have shape (2, E), with sources in row 0 and targets in row 1, but has {tuple(edge_index.shape)}"
        )
    counts = (num_sources, num_sources if num_targets is None else num_targets)
    if reading_waits(edge_index):
        remember(edge_index, ("range", *counts), lambda: check_ends(edge_index, counts))
    else:
        check_ends(edge_index, counts)


def check_ends(edge_index: Tensor, counts: tuple[int, int]) -> None:
    """Raise ValueError unless the sources and the targets of edge_index (2, E) are below their counts."""
    for ends, count, role in zip(edge_index, counts, ("source", "target"), strict=True):
        check_range(ends, count, role)


def check_range(index: Tensor, count: int, role: str) -> None:
    """Raise ValueError if an entry of index (E,) is not a node in [0, count). The message names the first such edge.

    Skipped under torch.compile, as `check_finite` is, because reading values would break the compiled graph in two.
    """
    if torch.compiler.is_compiling() or not len(index):
        return
    low, high = torch.aminmax(index)
    if low < 0 or high >= count:
        edge = int(((index < 0) | (index >= count)).nonzero()[0])
        raise ValueError(
            f"edge_index has {role} {int(index[edge])} at edge {edge}, but there are {count} nodes, counted from 0: "
            "pass features for every node, or remove the edge"
        )


def check_edge_weight(edge_weight: Tensor, num_edges: int, graph: Tensor | None = None) -> None:
    """Raise ValueError unless there is a floating-point weight for each edge, and none is NaN. graph: as in `check_finite`."""
    if edge_weight.shape != (num_edges,):
        raise ValueError(f"edge_weight must have shape ({num_edges},), one weight per edge, but has {tuple(edge_weight.shape)}")
    if not edge_weight.is_floating_point():
        raise ValueError(f"edge_weight must have a floating-point dtype, not {edge_weight.dtype}: convert it with .float()")
    check_finite("edge_weight", edge_weight, graph)


def check_finite(name: str, values: Tensor, graph: Tensor | None = None) -> None:
    """Raise ValueError, which names the first one, if a value is NaN. Infinite values are allowed.

    graph: edges that the values come with; on CUDA only the first values of a shape and dtype that come with them are checked.
    """
    if torch.compiler.is_compiling():
        return
    if graph is not None and reading_waits(values):
        remember(graph, ("finite", name, values.shape, values.dtype), lambda: refuse_nan(name, values))
    else:
        refuse_nan(name, values)


def refuse_nan(name: str, values: Tensor) -> None:
    """Raise ValueError if a value is NaN."""
    if values.detach().sum().isnan() and (nan := values.isnan()).any():  # the sum takes a tenth of the time
        place = ", ".join(str(int(position)) for position in nan.nonzero()[0])
        raise ValueError(f"{name} is NaN at [{place}] ({int(nan.sum())} in all): fix the input, or the layer that made it")
