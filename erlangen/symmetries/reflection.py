"""Mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.grid import on_grid
from erlangen.symmetries.symmetry import Symmetry

Sides: TypeAlias = Literal["left-right", "up-down"]


@dataclass(frozen=True)
class Reflection(Symmetry):
    """The group of two elements: the identity, and the exact exchange of these sides of the picture."""

    sides: Sides = "left-right"

    default: ClassVar[bool] = True
    advice: ClassVar[str] = (
        "Train with mirrored images or average over both, unless left and right differ in meaning for your task."
    )

    @property
    def name(self) -> str:  # type: ignore[override]
        return "reflection" if self.sides == "left-right" else f"reflection-{self.sides}"

    def generators(self, x: Tensor) -> Sequence[Sides]:
        return (self.sides,)

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Sides]:
        return self.generators(x)[:n]

    def act(self, x: Tensor, g: Sides) -> Tensor:
        """x (..., H, W) with its columns, or rows, in reverse order."""
        return torch.flip(x, (-1 if g == "left-right" else -2,))

    def act_output(self, y: Tensor, g: Sides, x: Tensor) -> Tensor | None:
        return on_grid(y, x, lambda cells: self.act(cells, g))
