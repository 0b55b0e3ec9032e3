"""Mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.grid import on_grid
from erlangen.symmetries.layout import readings_of
from erlangen.symmetries.motion import Motion
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.symmetry import Symmetry, check_choice

Sides: TypeAlias = Literal["left-right", "up-down"]


@dataclass(frozen=True)
class Reflection(Symmetry):
    """The group of two elements: the identity, and the exact exchange of these sides of the picture.

    reading: how outputs are read; by default, in the likeliest way. Raises ValueError for other sides.
    """

    sides: Sides = "left-right"
    reading: Reading | None = None

    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    cyclic: ClassVar[int] = 2
    advice: ClassVar[str] = (
        "Train with mirrored images or average over both, unless left and right differ in meaning for your task."
    )

    def __post_init__(self) -> None:
        check_choice(type(self), "sides", self.sides, Sides)

    @property
    def name(self) -> str:  # type: ignore[override]
        return "reflection" if self.sides == "left-right" else f"reflection-{self.sides}"

    def readings(self, x: Tensor, y: Tensor) -> Sequence[Reflection]:
        return [replace(self, reading=reading) for reading in readings_of(y, x, strides=False)]

    def generators(self, x: Tensor) -> Sequence[Sides]:
        return (self.sides,)

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Sides]:
        return self.generators(x)[:n]

    def act(self, x: Tensor, g: Sides) -> Tensor:
        """x (..., H, W) with its columns, or rows, in reverse order."""
        return torch.flip(x, (-1 if g == "left-right" else -2,))

    def act_output(self, y: Tensor, g: Sides, x: Tensor) -> Tensor | None:
        return on_grid(y, x, lambda cells: self.act(cells, g), self.reading)

    def motion(self, x: Tensor, g: Sides) -> Motion:
        h, w = float(x.shape[-2]), float(x.shape[-1])
        matrix, offset = (((1.0, 0.0), (0.0, -1.0)), (0.0, w)) if g == "left-right" else (((-1.0, 0.0), (0.0, 1.0)), (h, 0.0))
        return Motion(matrix, offset, (h, w), (h, w))

    def power(self, g: Sides) -> int:
        return 1

    def scope(self, x: Tensor) -> str:
        return "" if self.reading is None else str(self.reading)
