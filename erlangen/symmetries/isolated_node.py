"""An isolated node, added to a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.graph import Graph
from erlangen.symmetries.symmetry import Symmetry


@dataclass(frozen=True)
class IsolatedNode(Symmetry):
    """g = v appends a copy of node v, with all its tensors but without edges: the N old rows of y must not change.

    No message from the new node reaches the others unless a layer looks at all nodes: a norm over nodes, a virtual node, or
    attention. A vector (D,) for the whole graph rightly changes, since sums and means count the new node: g does not act on it.
    """

    name: ClassVar[str] = "isolated-node"
    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    advice: ClassVar[str] = "A node without edges changes the others. Look for normalization or attention over all nodes."

    def generators(self, x: Graph) -> Sequence[int]:
        """Copies of the first and of the last node."""
        return sorted({0, len(x) - 1}) if len(x) else ()

    def elements(self, x: Graph, n: int, rng: np.random.Generator) -> Sequence[int]:
        """Copies of distinct nodes, uniformly."""
        return [int(node) for node in rng.permutation(len(x))[:n]]

    def act(self, x: Graph, g: int) -> Graph:
        node = min(g, len(x) - 1)  # the last node of a smaller graph
        nodes = {name: torch.cat([rows, rows[node, None]]) for name, rows in x.nodes.items()}
        return Graph(torch.cat([x.x, x.x[node, None]]), x.edge_index, nodes, x.edges)

    def align(self, y: Tensor, y_g: Tensor, g: int, x: Graph) -> tuple[Tensor, Tensor] | None:
        expected = self.act_output(y, g, x)
        return None if expected is None else (expected, y_g[: len(x)])

    def act_output(self, y: Tensor, g: int, x: Graph) -> Tensor | None:
        return y if y.ndim == 2 and len(y) == len(x) else None

    def label(self, g: int) -> str:
        return f"an isolated copy of node {g}"
