"""Orders of n things: the symmetric group S_n in small values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Order:
    """A permutation g: thing k of g·x is thing `g.on(n)[k]` of x. It keeps no list: many orders of a million edges fit in memory.

    kind: `swap` of things `first` and `first` + 1; `cycle`, where all move by one; `random`, drawn from `seed`, uniform but for
    the identity. number: which of those drawn together, 0 for a fixed one. of, moved: how many things there were when it was
    made, and which share of them it moves.
    """

    kind: Literal["swap", "cycle", "random"]
    first: int = 0
    seed: int = 0
    number: int = 0
    of: int = 2
    moved: float = 1.0

    def on(self, n: int) -> Tensor:
        """The permutation of n things, (n,) int64; where n is not `of`, the like of it. One thing stays where it is."""
        return torch.from_numpy(self._on(n))

    def _on(self, n: int) -> np.ndarray:
        places = np.arange(n)
        if n < 2:
            return places
        if self.kind == "cycle":
            return np.roll(places, -1)
        if self.kind == "swap":
            k = min(self.first, n - 2)
            places[[k, k + 1]] = k + 1, k
            return places
        rng = np.random.default_rng(self.seed)
        while True:
            order = rng.permutation(n)
            if (order != places).any():
                return order

    def words(self, things: str) -> str:
        """`tokens 0<->1`, `cycle of 12 tokens`, `random order #3`."""
        if self.kind == "swap":
            return f"{things} {self.first}<->{self.first + 1}"
        if self.kind == "cycle":
            return f"cycle of {self.of} {things}"
        return f"random order #{self.number}" if self.number else "a fixed random order"


def generators(things: np.ndarray, fixed: bool = False) -> Sequence[Order]:
    """A swap of neighbors and the cycle: they make up S_n. fixed: one scrambled order too, for what fails only on some of them.

    things (n,): what is ordered; equal entries cannot be told apart, and no order given leaves `things` as they are.
    """
    distinct = np.flatnonzero(things[1:] != things[:-1])
    if not len(distinct):
        return ()
    made = [Order("swap", first=int(distinct[0])), Order("cycle"), *([Order("random", seed=20)] if fixed else [])]
    return _different(made, things)


def elements(things: np.ndarray, n: int, rng: np.random.Generator) -> Sequence[Order]:
    """At most n orders that arrange `things` (n,) in different ways, uniformly, none as they are."""
    found: dict[int, Order] = {hash(things.tobytes()): Order("random")}  # as they are: dropped in the end
    wanted = min(n, arrangements(things) - 1)
    while len(found) <= wanted:
        order = Order("random", seed=int(rng.integers(2**63)), number=len(found))
        arranged = things[order._on(len(things))]
        found.setdefault(hash(arranged.tobytes()), _counted(order, things))
    return list(found.values())[1:]


def arrangements(things: np.ndarray) -> int:
    """n! / (a! b! ...) for a, b, ... things that are equal; 10¹⁷ stands for all that is more."""
    counts = np.unique(things, return_counts=True)[1]
    logarithm = math.lgamma(len(things) + 1) - sum(math.lgamma(count + 1) for count in counts.tolist())
    return round(math.exp(min(logarithm, 39.0)))


def _different(orders: Sequence[Order], things: np.ndarray) -> list[Order]:
    """Without those that arrange `things` as one before them does."""
    found = {things[order._on(len(things))].tobytes(): order for order in reversed(orders)}
    return [_counted(order, things) for order in reversed(found.values()) if order in orders]


def _counted(order: Order, things: np.ndarray) -> Order:
    moved = float((order._on(len(things)) != np.arange(len(things))).mean())
    return Order(order.kind, order.first, order.seed, order.number, len(things), moved)


def permuted(y: Tensor, n: int, order: Callable[[], Tensor]) -> Tensor | None:
    """Rows y (n, D) in another order; a vector (D,) as it is; None for what has a row for none of the n things."""
    if y.ndim < 2:
        return y
    return y[order().to(y.device)] if y.ndim == 2 and len(y) == n else None
