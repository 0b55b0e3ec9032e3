"""Rotations of volumes by quarter turns about their axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.grid import on_grid
from erlangen.symmetries.layout import readings_of
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.symmetry import Symmetry

Turn: TypeAlias = tuple[tuple[int, ...], tuple[bool, ...]]  # axis k of g·x is axis order[k] of x, reversed if flips[k]
NAMES = "DHW"


@dataclass(frozen=True)
class VolumeTurns(Symmetry):
    """The 24 rotations of a cube, exactly: each takes every axis to an axis. A volume with unequal sides changes its shape.

    reading: how outputs are read; by default, in the likeliest way.
    """

    reading: Reading | None = None

    name: ClassVar[str] = "quarter-turns"
    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    unit: ClassVar[str] = "degrees"
    advice: ClassVar[str] = "Train with rotated volumes, average over the 24 rotations, or use group convolutions."

    def readings(self, x: Tensor, y: Tensor) -> Sequence[VolumeTurns]:
        return [replace(self, reading=reading) for reading in readings_of(y, x, strides=False)]

    def generators(self, x: Tensor) -> Sequence[Turn]:
        """A quarter turn about each axis."""
        return [quarter_turn(axis) for axis in range(3)]

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Turn]:
        """Distinct rotations, uniformly."""
        return [ROTATIONS[int(place)] for place in rng.permutation(len(ROTATIONS))[:n]]

    def act(self, x: Tensor, g: Turn) -> Tensor:
        """x (C, D, H, W) rotated."""
        order, flips = g
        turned = x.permute(0, *(1 + axis for axis in order))
        return torch.flip(turned, [1 + k for k, flip in enumerate(flips) if flip])

    def act_output(self, y: Tensor, g: Turn, x: Tensor) -> Tensor | None:
        return on_grid(y, x, lambda cells: self.act(cells, g), self.reading)

    def scope(self, x: Tensor) -> str:
        return "" if self.reading is None else str(self.reading)

    def size(self, g: Turn) -> float:
        """The angle: its cosine is (trace - 1) / 2."""
        trace = sum((-1) ** flip for k, (axis, flip) in enumerate(zip(*g, strict=True)) if axis == k)
        return float(round(math.degrees(math.acos((trace - 1) / 2))))

    def label(self, g: Turn) -> str:
        axes = ", ".join(("-" if flip else "") + NAMES[axis] for axis, flip in zip(*g, strict=True))
        return f"{self.size(g):.0f}°: axes (D, H, W) from ({axes})"


def quarter_turn(axis: int) -> Turn:
    """About an axis: `torch.rot90` in the plane of the other two."""
    first, second = (k for k in range(3) if k != axis)
    order = [0, 1, 2]
    order[first], order[second] = second, first
    return tuple(order), tuple(k == first for k in range(3))


def parity(order: Sequence[int]) -> int:
    """1 if an order is reached by an odd number of swaps, 0 otherwise."""
    return sum(order[i] > order[j] for i in range(3) for j in range(i + 1, 3)) % 2


ROTATIONS: tuple[Turn, ...] = tuple(
    (order, flips)
    for order, flips in product(permutations(range(3)), product((False, True), repeat=3))
    if parity(order) == sum(flips) % 2 and (order, any(flips)) != ((0, 1, 2), False)
)
