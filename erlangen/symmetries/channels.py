"""Permutation of the channels of an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from torch import Tensor

from erlangen.symmetries.motion import Motion, still
from erlangen.symmetries.symmetry import Symmetry

Order: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class ChannelPermutation(Symmetry):
    """The symmetric group on the channels: channel k of g·x is channel g[k] of x.

    Outputs must not change, maps included: their channels are not those of the input. An image with one channel has no elements.
    """

    name: ClassVar[str] = "channel-permutation"
    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    advice: ClassVar[str] = (
        "Most models give each channel its own meaning, so this is expected unless yours must treat them alike."
    )

    def generators(self, x: Tensor) -> Sequence[Order]:
        """A swap of the first two channels, and a cyclic shift of all."""
        count = len(x)
        if count < 2:
            return ()
        swap, cycle = (1, 0, *range(2, count)), (*range(1, count), 0)
        return (swap,) if count == 2 else (swap, cycle)

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Order]:
        """Distinct permutations, uniformly."""
        identity = tuple(range(len(x)))
        drawn: dict[Order, None] = {}
        others = math.factorial(min(len(x), 20)) - 1  # nobody draws as many as 20!
        while len(drawn) < min(n, others):
            order = tuple(int(k) for k in rng.permutation(len(x)))
            if order != identity:
                drawn[order] = None
        return list(drawn)

    def act(self, x: Tensor, g: Order) -> Tensor:
        """x (C, H, W) with its channels in the order g."""
        return x[list(g)]

    def motion(self, x: Tensor, g: Order) -> Motion:
        return still(x)

    def label(self, g: Order) -> str:
        return "channels " + ", ".join(map(str, g))
