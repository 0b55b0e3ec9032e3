"""A graph as graph networks take it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Graph:
    """Node features x (N, F) and edges edge_index (2, E) from row 0 to row 1, as in PyTorch Geometric.

    nodes, edges: further tensors by name, with one row per node or edge: `pos`, `edge_attr`, `edge_weight`.
    """

    x: Tensor
    edge_index: Tensor
    nodes: dict[str, Tensor] = field(default_factory=dict)
    edges: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    def relabel(self, order: Tensor) -> Graph:
        """The same graph with its nodes listed in another order: new node k is old node order[k]. order (N,): a permutation."""
        new = torch.empty_like(order)
        new[order] = torch.arange(len(order), device=order.device)
        nodes = {name: rows[order] for name, rows in self.nodes.items()}
        return Graph(self.x[order], new[self.edge_index], nodes, self.edges)

    def with_edges(self, index: Tensor) -> Graph:
        """The same nodes with the edges at `index` (E',), which may reorder, repeat or omit edges."""
        edges = {name: rows[index] for name, rows in self.edges.items()}
        return Graph(self.x, self.edge_index[:, index], self.nodes, edges)
