"""Mirror images of volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.grid import on_grid
from erlangen.symmetries.layout import readings_of
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.symmetry import Symmetry

Axes: TypeAlias = tuple[int, ...]  # of D, H and W: those that are reversed
NAMES = "DHW"


@dataclass(frozen=True)
class VolumeReflection(Symmetry):
    """The group of eight elements that reverse some of the axes D, H and W, exactly.

    reading: how outputs are read; by default, in the likeliest way.
    """

    reading: Reading | None = None

    name: ClassVar[str] = "reflection"
    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    advice: ClassVar[str] = (
        "Train with mirrored volumes or average over them, unless the sides of the body or scene differ in meaning for your task."
    )

    def readings(self, x: Tensor, y: Tensor) -> Sequence[VolumeReflection]:
        return [replace(self, reading=reading) for reading in readings_of(y, x, strides=False)]

    def generators(self, x: Tensor) -> Sequence[Axes]:
        """One axis at a time, the last first."""
        return [(axis,) for axis in (2, 1, 0)]

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Axes]:
        """Distinct ones, uniformly."""
        choices = [axes for count in (1, 2, 3) for axes in combinations(range(3), count)]
        return [choices[int(place)] for place in rng.permutation(len(choices))[:n]]

    def act(self, x: Tensor, g: Axes) -> Tensor:
        """x (C, D, H, W) with these axes reversed."""
        return torch.flip(x, [1 + axis for axis in g])

    def act_output(self, y: Tensor, g: Axes, x: Tensor) -> Tensor | None:
        return on_grid(y, x, lambda cells: self.act(cells, g), self.reading)

    def scope(self, x: Tensor) -> str:
        return "" if self.reading is None else str(self.reading)

    def label(self, g: Axes) -> str:
        return f"{', '.join(NAMES[axis] for axis in g)} reversed"
