"""Translation of images by less than a pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import numpy as np
from torch import Tensor

from erlangen.symmetries import spectrum
from erlangen.symmetries.grid import on_grid, shift_in_cells, to_map
from erlangen.symmetries.sampling import lost
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.translation import Translation, in_words

Offset: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class SubpixelTranslation(Symmetry):
    """Shifts g = (dy, dx) by fractions of a pixel, down and to the right, wrapped around: wave k of x times e^(-2πi k g/H).

    A group action on images without the wave of two pixels, which a shift by half a pixel wipes out: g·x is compared with x
    without that wave too, and `loss` says how much it was. It overshoots at edges, as any exact interpolation: natural images
    look a little sharper for it. Only shifts by whole cells act on a map, so only a map finer than the image has sub-pixel ones.
    step: the least shift that acts, in pixels; None: any.
    """

    step: Offset | None = None

    name: ClassVar[str] = "translation-subpixel"
    unit: ClassVar[str] = "pixels"

    def fitted(self, x: Tensor, y: Tensor) -> SubpixelTranslation:
        """Shifts by whole cells of y that are not whole pixels; where there are none, this symmetry as it is."""
        cells = to_map(y, x)
        if cells is None:
            return self
        restricted = replace(self, step=(x.shape[-2] / cells.shape[-2], x.shape[-1] / cells.shape[-1]))
        return restricted if restricted.generators(x) else self

    def generators(self, x: Tensor) -> Sequence[Offset]:
        """Half a pixel, or one step, along each axis."""
        down, right = self.step or (0.5, 0.5)
        return [g for g in ((0.0, right), (down, 0.0)) if between(g) and self.reaches(x, g)]

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Offset]:
        """Uniformly, less than a pixel along each axis; with a step, among its multiples up to a quarter of each side."""
        if self.step is None:
            return [(float(down), float(right)) for down, right in rng.uniform(-1, 1, (n, 2))]
        down, right = self.step
        most = [int(side / 4 // step) for side, step in zip(x.shape[-2:], self.step, strict=True)]
        candidates = [(i * down, j * right) for i in range(-most[0], most[0] + 1) for j in range(-most[1], most[1] + 1)]
        candidates = [g for g in candidates if between(g)]
        return [candidates[int(place)] for place in rng.permutation(len(candidates))[:n]]

    def reaches(self, x: Tensor, g: Offset) -> bool:
        """Whether a shift is within a quarter of each side, or below a pixel."""
        return all(pixels <= max(side / 4, 1) for pixels, side in zip(g, x.shape[-2:], strict=True))

    def act(self, x: Tensor, g: Offset) -> Tensor:
        return spectrum.shifted(x, g)

    def reference(self, x: Tensor, g: Offset) -> Tensor:
        return spectrum.shifted(x, (0.0, 0.0))

    def act_output(self, y: Tensor, g: Offset, x: Tensor) -> Tensor | None:
        """y moved by g·h/H cells; None where that is not whole."""

        def moved(cells: Tensor) -> Tensor | None:
            by = shift_in_cells(cells, x, g)
            return None if by is None else Translation().act(cells, by)

        return on_grid(y, x, moved)

    def loss(self, x: Tensor, g: Offset) -> float:
        """RMS of the waves of two pixels, in units of x's spread. The reference lacks them too, so nothing is judged by them."""
        return lost(x, self.reference(x, g))

    def tangent(self, x: Tensor) -> Sequence[Tensor]:
        """-∂x/∂row and -∂x/∂column, per pixel; () where a step leaves no such group."""
        return Translation().tangent(x) if self.step is None else ()

    def size(self, g: Offset) -> float:
        return math.hypot(*g)

    def label(self, g: Offset) -> str:
        return in_words(g)


def between(g: Offset) -> bool:
    """Whether g takes a pixel to a place between pixels."""
    return any(abs(pixels - round(pixels)) > 1e-9 for pixels in g)
