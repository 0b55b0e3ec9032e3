"""Permutation of the nodes of a graph."""

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
    """S_N renumbers the nodes of the same graph: rows of y (N, D) move along, a vector (D,) must not change."""

    name: ClassVar[str] = "node-permutation"
    default: ClassVar[bool] = True
    unit: ClassVar[str] = "share of nodes moved"
    advice: ClassVar[str] = (
        "The output depends on how nodes are numbered. Look for a layer that reads rows in order, or for ties broken by order."
    )

    def generators(self, x: Graph) -> Sequence[Order]:
        """A swap, a cycle and a fixed random order: some layers (PyTorch Geometric's median) fail only on some orders."""
        return orders.generators(np.arange(len(x)), fixed=True)

    def elements(self, x: Graph, n: int, rng: np.random.Generator) -> Sequence[Order]:
        return orders.elements(np.arange(len(x)), n, rng)

    def act(self, x: Graph, g: Order) -> Graph:
        return x.relabel(g.on(len(x)).to(x.x.device))

    def act_output(self, y: Tensor, g: Order, x: Graph) -> Tensor | None:
        return orders.permute_rows(y, len(x), lambda: g.on(len(x)))

    def size(self, g: Order) -> float:
        return g.moved

    def label(self, g: Order) -> str:
        return g.describe("nodes")
