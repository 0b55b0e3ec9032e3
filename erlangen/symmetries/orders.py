"""Permutations of n items: elements of the symmetric group S_n as small values."""

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
    """A permutation g: item k of g·x is item `g.on(n)[k]` of x.

    It stores no list: many orders of a million edges fit in memory.
    kind: `swap` exchanges the items `first` and `first` + 1; `cycle` moves all items by one; `random` is drawn from `seed`,
    uniformly among all permutations but the identity. number: counts the elements of one draw; 0 if fixed. of, moved: the number
    of items it was made for, and the share of them that it moves.
    """

    kind: Literal["swap", "cycle", "random"]
    first: int = 0
    seed: int = 0
    number: int = 0
    of: int = 2
    moved: float = 1.0

    def on(self, n: int) -> Tensor:
        """The permutation of n items, (n,) int64; n may differ from `of`. A single item stays in place."""
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

    def describe(self, items: str) -> str:
        """`tokens 0<->1`, `cycle of 12 tokens`, `random order #3`."""
        if self.kind == "swap":
            return f"{items} {self.first}<->{self.first + 1}"
        if self.kind == "cycle":
            return f"cycle of {self.of} {items}"
        return f"random order #{self.number}" if self.number else "a fixed random order"


def generators(items: np.ndarray, fixed: bool = False) -> Sequence[Order]:
    """A swap of two neighbors and the cycle, which generate S_n. fixed: also a fixed random order, since some models fail only
    on some orders.

    items (n,): what is ordered. Equal items are indistinguishable; every order returned changes the sequence of items.
    """
    distinct = np.flatnonzero(items[1:] != items[:-1])
    if not len(distinct):
        return ()
    made = [Order("swap", first=int(distinct[0])), Order("cycle"), *([Order("random", seed=20)] if fixed else [])]
    return _distinct(made, items)


def elements(items: np.ndarray, n: int, rng: np.random.Generator) -> Sequence[Order]:
    """At most n orders that arrange `items` (n,) in distinct ways, uniformly; none keeps the original arrangement."""
    drawn: dict[int, Order] = {hash(items.tobytes()): Order("random")}  # the original arrangement, dropped at the end
    wanted = min(n, count_arrangements(items) - 1)
    while len(drawn) <= wanted:
        order = Order("random", seed=int(rng.integers(2**63)), number=len(drawn))
        arranged = items[order._on(len(items))]
        drawn.setdefault(hash(arranged.tobytes()), _with_share_moved(order, items))
    return list(drawn.values())[1:]


def count_arrangements(items: np.ndarray) -> int:
    """n! / (a! b! ...), where a, b, ... are the counts of equal items; at most about 10¹⁷."""
    counts = np.unique(items, return_counts=True)[1]
    logarithm = math.lgamma(len(items) + 1) - sum(math.lgamma(count + 1) for count in counts.tolist())
    return round(math.exp(min(logarithm, 39.0)))


def _distinct(orders: Sequence[Order], items: np.ndarray) -> list[Order]:
    """Without orders that arrange `items` as an earlier one does."""
    first = {items[order._on(len(items))].tobytes(): order for order in reversed(orders)}
    return [_with_share_moved(order, items) for order in reversed(first.values()) if order in orders]


def _with_share_moved(order: Order, items: np.ndarray) -> Order:
    moved = float((order._on(len(items)) != np.arange(len(items))).mean())
    return Order(order.kind, order.first, order.seed, order.number, len(items), moved)


def permute_rows(y: Tensor, n: int, order: Callable[[], Tensor]) -> Tensor | None:
    """The rows of y (n, D) in another order; a vector (D,) unchanged; None if y does not have one row per item."""
    if y.ndim < 2:
        return y
    return y[order().to(y.device)] if y.ndim == 2 and len(y) == n else None
