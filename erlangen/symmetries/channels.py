"""Permutation of an image's channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from torch import Tensor

from erlangen.symmetries.symmetry import Symmetry

Order: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class ChannelPermutation(Symmetry):
    """The group of orders of the channels: channel k of g·x is channel g[k] of x.

    Outputs are expected to stay as they are, maps too: their channels are others. An image of one channel has no elements.
    """

    name: ClassVar[str] = "channel-permutation"

    def generators(self, x: Tensor) -> Sequence[Order]:
        """The first two swapped, and all moved by one: they make up every order."""
        count = len(x)
        if count < 2:
            return ()
        swap, cycle = (1, 0, *range(2, count)), (*range(1, count), 0)
        return (swap,) if count == 2 else (swap, cycle)

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Order]:
        """Different ones, uniformly."""
        identity = tuple(range(len(x)))
        found: dict[Order, None] = {}
        others = math.factorial(min(len(x), 20)) - 1  # 20! is more than anyone draws
        while len(found) < min(n, others):
            order = tuple(int(k) for k in rng.permutation(len(x)))
            if order != identity:
                found[order] = None
        return list(found)

    def act(self, x: Tensor, g: Order) -> Tensor:
        """x (C, H, W) with its channels in the order g."""
        return x[list(g)]

    def label(self, g: Order) -> str:
        return "channels " + ", ".join(map(str, g))
