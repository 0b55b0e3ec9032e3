"""The order in which the edges of a graph are listed."""

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
class EdgeOrder(Symmetry):
    """S_E reorders the list of edges and their attributes. Edges have no order, so y (N, D) and vectors (D,) must not change."""

    name: ClassVar[str] = "edge-order"
    default: ClassVar[bool] = True
    unit: ClassVar[str] = "share of edges moved"
    advice: ClassVar[str] = (
        "The output depends on the order of the edges. Look for an aggregation that reads them in order (LSTM)."
    )

    def generators(self, x: Graph) -> Sequence[Order]:
        return orders.generators(np.arange(x.edge_index.shape[1]), fixed=True)

    def elements(self, x: Graph, n: int, rng: np.random.Generator) -> Sequence[Order]:
        return orders.elements(np.arange(x.edge_index.shape[1]), n, rng)

    def act(self, x: Graph, g: Order) -> Graph:
        return x.with_edges(g.on(x.edge_index.shape[1]).to(x.edge_index.device))

    def act_output(self, y: Tensor, g: Order, x: Graph) -> Tensor | None:
        return y if y.ndim < 2 or len(y) == len(x) else None

    def size(self, g: Order) -> float:
        return g.moved

    def label(self, g: Order) -> str:
        return g.describe("edges")
