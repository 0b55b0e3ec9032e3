"""Rotation of images: quarter turns, exact, and any angle within a disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.grid import on_grid, to_map
from erlangen.symmetries.sampling import bilinear, center, lost, offsets, radius, window, windowed
from erlangen.symmetries.spectrum import gradient
from erlangen.symmetries.symmetry import Symmetry

Angles: TypeAlias = tuple[float, float]
LEAST = 1.0  # degrees: below it a pair is no rotation worth a forward pass


@dataclass(frozen=True)
class QuarterTurns(Symmetry):
    """The group C₄: an element k turns the picture counterclockwise by k·90°, exactly. An oblong image changes shape."""

    name: ClassVar[str] = "quarter-turns"
    unit: ClassVar[str] = "degrees"

    def generators(self, x: Tensor) -> Sequence[int]:
        return (1,)

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[int]:
        return [int(k) for k in 1 + rng.permutation(3)[:n]]

    def act(self, x: Tensor, g: int) -> Tensor:
        """x (..., H, W) turned; (..., W, H) for odd g."""
        return torch.rot90(x, g, (-2, -1))

    def act_output(self, y: Tensor, g: int, x: Tensor) -> Tensor | None:
        return on_grid(y, x, lambda cells: self.act(cells, g))

    def size(self, g: int) -> float:
        return between(0, g * 90)

    def label(self, g: int) -> str:
        return f"{g * 90 % 360}°"


@dataclass(frozen=True)
class Rotation(Symmetry):
    """Rotation about the center by any angle. An element is a pair of angles (a, b), in degrees counterclockwise: g = b - a.

    No turn of pixels but quarter turns is exact, and a model sees the blur of the others. So two turned pictures are compared,
    one by a and one by b, whose angles mirror each other about a multiple of 45°: pixels have that mirror symmetry, so both are
    blurred alike. Both are first faded, within a disk, to the mean of the picture: no border tells how a picture was turned.
    Interpolation is bilinear and written with plain indexing, as `grid_sample` has no forward-mode derivative.
    quarter: only turns by multiples of 90°, which are all that act on maps.
    """

    quarter: bool = False

    name: ClassVar[str] = "rotation"
    unit: ClassVar[str] = "degrees"

    def fitted(self, x: Tensor, y: Tensor) -> Rotation:
        """Quarter turns for a square map or grid of tokens, any angle for a vector; where none acts, this symmetry as it is."""
        cells = to_map(y, x)
        return replace(self, quarter=True) if cells is not None and square(cells, x) else self

    def generators(self, x: Tensor) -> Sequence[Angles]:
        """A quarter turn, which maps pixels of the disk onto pixels."""
        return ((0.0, 90.0),)

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Angles]:
        """b - a uniform in ±180° but for ±1°, about one of eight axes."""
        if self.quarter:
            return [(0.0, float(angle)) for angle in 90 * (1 + rng.permutation(3)[:n])]
        halves = rng.uniform(LEAST, 180, n) * rng.choice((-0.5, 0.5), n)
        return [(float(axis - half), float(axis + half)) for axis, half in zip(45 * rng.integers(8, size=n), halves, strict=True)]

    def act(self, x: Tensor, g: Angles) -> Tensor:
        return turned(x, g[1])

    def reference(self, x: Tensor, g: Angles) -> Tensor:
        return turned(x, g[0])

    def act_output(self, y: Tensor, g: Angles, x: Tensor) -> Tensor | None:
        """y turned by b - a; None for a map where that is not a multiple of 90°, or the map is not square."""
        turns, rest = divmod(round(g[1] - g[0], 9), 90)

        def moved(cells: Tensor) -> Tensor | None:
            return None if rest or not square(cells, x) else torch.rot90(cells, int(turns), (-2, -1))

        return on_grid(y, x, moved)

    def loss(self, x: Tensor, g: Angles) -> float:
        """RMS over the disk of what turning by b and back changes, in units of the spread there; its mirror, a, loses alike."""
        picture = windowed(x, radius(x))[1]  # 0 outside, and in the mean: over the whole image it is the same ratio
        return lost(picture, spun(spun(picture, g[1]), -g[1]))

    def tangent(self, x: Tensor) -> Sequence[Tensor]:
        """d/dt of x turned by t degrees within its disk, at `reference(x, (0, 90))`; () where only quarter turns act.

        w·(v ∂x/∂u - u ∂x/∂v)·π/180,  (u, v) = (row, column) from the center, w the window, x taken as periodic
        """
        if self.quarter:
            return ()
        down, right = gradient(x)
        u, v = (offset.to(x.dtype) for offset in offsets(x))
        return ((v * down - u * right) * window(x, radius(x)).to(x.dtype) * (math.pi / 180),)

    def size(self, g: Angles) -> float:
        return between(*g)

    def label(self, g: Angles) -> str:
        return f"{g[1] - g[0]:.4g}°, from {g[0]:.4g}° to {g[1]:.4g}°"


def turned(x: Tensor, angle: float) -> Tensor:
    """x (C, H, W), faded to its mean from the disk on, turned counterclockwise by an angle in degrees."""
    mean, picture = windowed(x, radius(x))
    return (mean + spun(picture, angle)).to(x.dtype)


def spun(picture: Tensor, angle: float) -> Tensor:
    """A picture (C, H, W) that is 0 outside its disk, turned: pixel (u, v) from the center is read at (c·u + s·v, c·v - s·u)."""
    turns, rest = divmod(angle % 360, 90)
    c, s = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    for _ in range(int(turns)):
        c, s = -s, c  # exact, so that quarter turns are
    u, v = offsets(picture)
    row, column = center(picture)
    return bilinear(picture, c * u + s * v + row, c * v - s * u + column)


def square(cells: Tensor, x: Tensor) -> bool:
    """Whether a map lies on a square grid over a square image."""
    return cells.shape[-2] == cells.shape[-1] and x.shape[-2] == x.shape[-1]


def between(a: float, b: float) -> float:
    """The angle from a to b the shorter way round, 0 ... 180."""
    return abs((b - a + 180) % 360 - 180)
