"""Permutation of a graph's nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from erlangen.symmetries import orders
from erlangen.symmetries.graph import Graph
from erlangen.symmetries.orders import Order
from erlangen.symmetries.symmetry import Symmetry


@dataclass(frozen=True)
class Relabeling(Symmetry):
    """S_N renames the nodes: the graph stays the same, y (N, D) moves along row by row, a vector (D,) stays."""

    name: ClassVar[str] = "node-permutation"
    unit: ClassVar[str] = "share of nodes moved"

    def generators(self, x: Graph) -> Sequence[Order]:
        """A swap, the cycle and a fixed random order: some layers (PyTorch Geometric's median) fail on some relabelings only."""
        return orders.generators(np.arange(len(x)), fixed=True)

    def elements(self, x: Graph, n: int, rng: np.random.Generator) -> Sequence[Order]:
        return orders.elements(np.arange(len(x)), n, rng)

    def act(self, x: Graph, g: Order) -> Graph:
        return x.relabeled(g.on(len(x)).to(x.x.device))

    def act_output(self, y: Tensor, g: Order, x: Graph) -> Tensor | None:
        return orders.permuted(y, len(x), lambda: g.on(len(x)))

    def size(self, g: Order) -> float:
        return g.moved

    def label(self, g: Order) -> str:
        return g.words("nodes")
