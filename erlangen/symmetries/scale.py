"""Zooming in and out of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from torch import Tensor

from erlangen.symmetries.grid import on_grid
from erlangen.symmetries.sampling import bilinear, center, lost, offsets, radius, windowed
from erlangen.symmetries.symmetry import Symmetry

Factors: TypeAlias = tuple[float, float]
LEAST = 1.02  # a zoom by less moves no pixel of a small image far enough to see


@dataclass(frozen=True)
class Scale(Symmetry):
    """Zooming about the center. An element is a pair of factors (a, b), above 1 larger: g = b / a.

    No zoom of pixels is exact, and a model sees the blur. So two zoomed pictures are compared, by a = 1/√g and b = √g: bilinear
    weights read both at steps as far from whole pixels, so both are blurred about alike. The picture is first faded to its mean
    within a disk that stays inside the image at the largest factor: what is seen at one factor is seen at all.
    It has no generators, and no zoom acts on a map: only vectors can be judged, and never found exact.
    most: the largest g drawn, and 1 over the least.
    """

    most: float = 1.5

    name: ClassVar[str] = "scale"
    unit: ClassVar[str] = "octaves"

    def generators(self, x: Tensor) -> Sequence[Factors]:
        return ()

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Factors]:
        """log g uniform between ± log `most`, without the zooms too small to see."""
        halves = rng.uniform(math.log(LEAST), math.log(self.most), n) * rng.choice((-0.5, 0.5), n)
        return [(math.exp(-half), math.exp(half)) for half in halves]

    def act(self, x: Tensor, g: Factors) -> Tensor:
        return self.zoomed(x, g[1])

    def reference(self, x: Tensor, g: Factors) -> Tensor:
        return self.zoomed(x, g[0])

    def act_output(self, y: Tensor, g: Factors, x: Tensor) -> Tensor | None:
        """y where it is a vector; None for maps and tokens."""
        return on_grid(y, x, lambda cells: None)

    def loss(self, x: Tensor, g: Factors) -> float:
        """RMS over the disk of what zooming there and back changes, in units of the spread there; the larger of a's and b's."""
        picture = windowed(x, self.reach(x))[1]  # 0 outside, and in the mean: over the whole image it is the same ratio
        return max(lost(picture, read(read(picture, factor), 1 / factor)) for factor in g)

    def reach(self, x: Tensor) -> float:
        """Radius of the disk that the largest factor takes to the border."""
        return radius(x) / math.sqrt(self.most)

    def zoomed(self, x: Tensor, factor: float) -> Tensor:
        """x (C, H, W), faded to its mean from the disk on, zoomed by a factor."""
        mean, picture = windowed(x, self.reach(x))
        return (mean + read(picture, factor)).to(x.dtype)

    def size(self, g: Factors) -> float:
        return abs(math.log2(g[1] / g[0]))

    def label(self, g: Factors) -> str:
        return f"zoom by {g[1] / g[0]:.3g}, from {g[0]:.3g} to {g[1]:.3g}"


def read(picture: Tensor, factor: float) -> Tensor:
    """A picture (C, H, W) that is 0 outside its disk, zoomed: pixel (u, v) from the center is read at (u, v) / factor."""
    (u, v), (row, column) = offsets(picture), center(picture)
    return bilinear(picture, u / factor + row, v / factor + column)
