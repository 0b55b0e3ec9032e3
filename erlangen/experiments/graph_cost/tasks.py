"""The tasks of `graph-cost`: each on a series of graphs in which every node has the same number of neighbors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Layer: TypeAlias = Literal["gat", "dot", "plain", "fused"]
"""What is computed.

gat     graph attention along the edges
dot     the dot product of a Transformer, along the edges
plain   attention to all nodes, with the whole N × N matrix of weights
fused   the same in torch's kernel, which never holds that matrix
"""
Over: TypeAlias = Literal["nodes", "neighbors"]


@dataclass(frozen=True, kw_only=True)
class Count:
    """Count what a layer computes and stores on graphs of rising `sizes`: the number of nodes, or of each node's neighbors.

    fixed: the other of the two.
    """

    layer: Layer
    over: Over
    sizes: tuple[int, ...]
    fixed: int
    features: int

    def graphs(self) -> list[tuple[int, int]]:
        """(nodes, neighbors of each), graph after graph."""
        return [(size, self.fixed) if self.over == "nodes" else (self.fixed, size) for size in self.sizes]


@dataclass(frozen=True, kw_only=True)
class Time:
    """Time a layer, forward and backward, on graphs of rising `sizes` with `degree` neighbors, then on a `complete` graph.

    complete: nodes of that graph, 0 for none. kept: whether the allocator keeps its pages, so that none is faulted in again
    while the clock runs.
    """

    layer: Layer
    sizes: tuple[int, ...]
    degree: int
    complete: int
    features: int
    budget: float  # seconds for which each graph is timed, at least
    kept: bool

    def graphs(self) -> list[tuple[int, int]]:
        """(nodes, neighbors of each), graph after graph."""
        return [*((size, self.degree) for size in self.sizes), *[(self.complete, self.complete)] * bool(self.complete)]
