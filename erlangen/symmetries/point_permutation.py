"""Permutation of the points of a cloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from erlangen.symmetries import orders
from erlangen.symmetries.orders import Order
from erlangen.symmetries.symmetry import Symmetry


@dataclass(frozen=True)
class PointPermutation(Symmetry):
    """S_N reorders the points x (N, d): rows of y (N, D) move along, a vector (D,) must not change."""

    name: ClassVar[str] = "point-permutation"
    default: ClassVar[bool] = True
    unit: ClassVar[str] = "share of points moved"
    advice: ClassVar[str] = "The output depends on the order of the points. Pool over them with a symmetric function."

    def generators(self, x: Tensor) -> Sequence[Order]:
        """A swap, a cycle and a fixed random order: sampling and neighbor search may fail only on some orders."""
        return orders.generators(np.arange(len(x)), fixed=True)

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Order]:
        return orders.elements(np.arange(len(x)), n, rng)

    def act(self, x: Tensor, g: Order) -> Tensor:
        return x[g.on(len(x)).to(x.device)]

    def act_output(self, y: Tensor, g: Order, x: Tensor) -> Tensor | None:
        return orders.permute_rows(y, len(x), lambda: g.on(len(x)))

    def size(self, g: Order) -> float:
        return g.moved

    def label(self, g: Order) -> str:
        return g.describe("points")
