"""A graph as a graph network takes it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Graph:
    """Node features x (N, F), edges edge_index (2, E) from row 0 to row 1; PyTorch Geometric's names and conventions.

    nodes, edges: further tensors with one row a node, or an edge, by their names: `pos`, `edge_attr`, `edge_weight`.
    """

    x: Tensor
    edge_index: Tensor
    nodes: dict[str, Tensor] = field(default_factory=dict)
    edges: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    def relabeled(self, order: Tensor) -> Graph:
        """The same graph, its nodes listed in another order: new node k is old node order[k]; order (N,) a permutation."""
        new = torch.empty_like(order)
        new[order] = torch.arange(len(order), device=order.device)
        nodes = {name: rows[order] for name, rows in self.nodes.items()}
        return Graph(self.x[order], new[self.edge_index], nodes, self.edges)

    def with_edges(self, index: Tensor) -> Graph:
        """The edges at `index`, (E',): reordered, repeated or fewer."""
        edges = {name: rows[index] for name, rows in self.edges.items()}
        return Graph(self.x, self.edge_index[:, index], self.nodes, edges)
