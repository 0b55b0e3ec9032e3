"""Rotation of images: exact quarter turns, and any angle within a disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.grid import on_grid, to_map
from erlangen.symmetries.layout import layout_of, readings_of
from erlangen.symmetries.motion import Motion, about, quarter_turns, rotation
from erlangen.symmetries.reading import Layout, Reading
from erlangen.symmetries.sampling import center, fade, interpolate, offsets, radius, relative_change, window
from erlangen.symmetries.spectrum import gradient
from erlangen.symmetries.symmetry import Symmetry

Angles: TypeAlias = tuple[float, float]
LEAST = 1.0  # degrees: a smaller rotation is not worth a forward pass


@dataclass(frozen=True)
class QuarterTurns(Symmetry):
    """The group C₄: an element k rotates the picture counterclockwise by k·90°, exactly. An oblong image changes its shape.

    reading: how outputs are read; by default, in the likeliest way. Steps from left to right do not turn.
    """

    reading: Reading | None = None

    name: ClassVar[str] = "quarter-turns"
    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    cyclic: ClassVar[int] = 4
    unit: ClassVar[str] = "degrees"
    advice: ClassVar[str] = "Train with rotated images, average over the four rotations, or use group convolutions."

    def readings(self, x: Tensor, y: Tensor) -> Sequence[QuarterTurns]:
        return [replace(self, reading=reading) for reading in readings_of(y, x, strides=False)]

    def generators(self, x: Tensor) -> Sequence[int]:
        return (1,)

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[int]:
        return [int(k) for k in 1 + rng.permutation(3)[:n]]

    def act(self, x: Tensor, g: int) -> Tensor:
        """x (..., H, W) rotated; (..., W, H) for odd g."""
        return torch.rot90(x, g, (-2, -1))

    def act_output(self, y: Tensor, g: int, x: Tensor) -> Tensor | None:
        if g % 2 and runs_across(layout_of(y, x, self.reading)):
            return None
        return on_grid(y, x, lambda cells: self.act(cells, g), self.reading)

    def motion(self, x: Tensor, g: int) -> Motion:
        return quarter_turns(x, g)

    def power(self, g: int) -> int:
        return g

    def scope(self, x: Tensor) -> str:
        return "" if self.reading is None else str(self.reading)

    def size(self, g: int) -> float:
        return angle_between(0, g * 90)

    def label(self, g: int) -> str:
        return f"{g * 90 % 360}°"


@dataclass(frozen=True)
class Rotation(Symmetry):
    """Rotation about the center by any angle. An element is a pair of angles (a, b) in degrees counterclockwise: g = b - a.

    Only quarter turns of pixels are exact, and a model would see the blur of all others. So a picture rotated by b is compared
    with one rotated by a, where a and b mirror each other about a multiple of 45°: since the pixel grid has this symmetry, both
    are equally blurred. Outside a disk, both fade to the mean of the picture, so that no border shows how it was rotated.
    Interpolation is bilinear and uses plain indexing, since `grid_sample` has no forward-mode derivative.

    quarter: only multiples of 90°, the only rotations that act on maps. reading: how outputs are read; by default, in the
    likeliest way.
    """

    quarter: bool = False
    reading: Reading | None = None

    name: ClassVar[str] = "rotation"
    unit: ClassVar[str] = "degrees"
    advice: ClassVar[str] = "Train with rotated images, or use steerable or group convolutions."

    def fitted(self, x: Tensor, y: Tensor) -> Rotation:
        """Restricted to quarter turns for a square map or grid of tokens; unchanged otherwise."""
        cells = to_map(y, x, self.reading)
        return replace(self, quarter=True) if cells is not None and is_square(cells, x) else self

    def readings(self, x: Tensor, y: Tensor) -> Sequence[Rotation]:
        return [replace(self, reading=reading) for reading in readings_of(y, x, strides=False)]

    def generators(self, x: Tensor) -> Sequence[Angles]:
        """A quarter turn, which maps pixels of the disk onto pixels."""
        return ((0.0, 90.0),)

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Angles]:
        """b - a uniform in ±180° without ±1°, about one of eight axes."""
        if self.quarter:
            return [(0.0, float(angle)) for angle in 90 * (1 + rng.permutation(3)[:n])]
        halves = rng.uniform(LEAST, 180, n) * rng.choice((-0.5, 0.5), n)
        return [(float(axis - half), float(axis + half)) for axis, half in zip(45 * rng.integers(8, size=n), halves, strict=True)]

    def act(self, x: Tensor, g: Angles) -> Tensor:
        return rotate(x, g[1])

    def reference(self, x: Tensor, g: Angles) -> Tensor:
        return rotate(x, g[0])

    def act_output(self, y: Tensor, g: Angles, x: Tensor) -> Tensor | None:
        """y rotated by b - a; None for a map if that is not a multiple of 90° or the map is not square."""
        turns, rest = divmod(round(g[1] - g[0], 9), 90)

        def rotate_map(cells: Tensor) -> Tensor | None:
            return None if rest or not is_square(cells, x) else torch.rot90(cells, int(turns), (-2, -1))

        return on_grid(y, x, rotate_map, self.reading)

    def motion(self, x: Tensor, g: Angles) -> Motion:
        row, column = center(x)
        return about(x, (row + 0.5, column + 0.5), rotation(g[1] - g[0]))

    def scope(self, x: Tensor) -> str:
        return "" if self.reading is None else str(self.reading)

    def loss(self, x: Tensor, g: Angles) -> float:
        """RMS change within the disk after rotating by b and back, in units of the spread there; the mirrored a loses as much."""
        picture = fade(x, radius(x))[1]  # 0 outside the disk and on average, so the whole image gives the same ratio
        return relative_change(picture, rotate_in_disk(rotate_in_disk(picture, g[1]), -g[1]))

    def tangent(self, x: Tensor) -> Sequence[Tensor]:
        """d/dt of x rotated by t degrees within its disk, at `reference(x, (0, 90))`; () if only quarter turns act.

        w·(v ∂x/∂u - u ∂x/∂v)·π/180,  (u, v) = (row, column) from the center, w the window, x periodic
        """
        if self.quarter:
            return ()
        down, right = gradient(x)
        u, v = (offset.to(x.dtype) for offset in offsets(x))
        return ((v * down - u * right) * window(x, radius(x)).to(x.dtype) * (math.pi / 180),)

    def size(self, g: Angles) -> float:
        return angle_between(*g)

    def label(self, g: Angles) -> str:
        return f"{g[1] - g[0]:.4g}°, from {g[0]:.4g}° to {g[1]:.4g}°"


def rotate(x: Tensor, angle: float) -> Tensor:
    """x (C, H, W), faded to its mean outside the disk and rotated counterclockwise by an angle in degrees."""
    mean, picture = fade(x, radius(x))
    return (mean + rotate_in_disk(picture, angle)).to(x.dtype)


def rotate_in_disk(picture: Tensor, angle: float) -> Tensor:
    """A picture (C, H, W), 0 outside its disk, rotated: pixel (u, v) from the center is read at (c·u + s·v, c·v - s·u)."""
    turns, rest = divmod(angle % 360, 90)
    c, s = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    for _ in range(int(turns)):
        c, s = -s, c  # exact, so that quarter turns are exact
    u, v = offsets(picture)
    row, column = center(picture)
    return interpolate(picture, c * u + s * v + row, c * v - s * u + column)


def runs_across(layout: Layout | None) -> bool:
    """Whether an output is read as steps from left to right, which no other image has from top to bottom."""
    return layout is not None and layout.output == "steps"


def is_square(cells: Tensor, x: Tensor) -> bool:
    """Whether both the map and the image are square."""
    return cells.shape[-2] == cells.shape[-1] and x.shape[-2] == x.shape[-1]


def angle_between(a: float, b: float) -> float:
    """The smaller angle between a and b, 0 to 180 degrees."""
    return abs((b - a + 180) % 360 - 180)
