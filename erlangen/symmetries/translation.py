"""Translation of images and volumes by whole pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries import spectrum
from erlangen.symmetries.grid import closes, on_grid, shift_in_cells, shift_pair, stride
from erlangen.symmetries.layout import layout_of, readings_of
from erlangen.symmetries.motion import Motion, shift
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.symmetry import Symmetry, check_choice, check_least

Shift: TypeAlias = tuple[int, ...]  # along the rows and columns; of a volume, (depth, rows, columns)
Border: TypeAlias = Literal["circular", "zeros"]


@dataclass(frozen=True)
class Translation(Symmetry):
    """The group of shifts (rows, columns); an element g = (dy, dx) moves the picture down and to the right. A volume (C, D, H, W)
    has shifts (dz, dy, dx).

    border: `circular` wraps around and is a true group action; `zeros` fills with 0, which loses pixels. So g·x is then compared
    with g⁻¹·g·x, which has lost the same pixels, and maps are compared only where both show the same part of the picture.
    stride: only multiples of it are drawn; `fitted` sets it to the smallest shift that moves a map or tokens by whole cells.
    reading: how outputs are read; by default, in the likeliest way.

    Raises ValueError for another border, or a stride below 1.
    """

    border: Border = "circular"
    stride: Shift = (1, 1)
    reading: Reading | None = None

    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    unit: ClassVar[str] = "pixels"
    advice: ClassVar[str] = (
        "Zero padding (for circular shifts), strides and flattening reveal where things are. Blur before strides, and pool "
        "globally."
    )

    def __post_init__(self) -> None:
        check_choice(type(self), "border", self.border, Border)
        check_least(type(self), "stride", self.stride, 1)

    @property
    def name(self) -> str:  # type: ignore[override]
        return "translation" if self.border == "circular" else f"translation-{self.border}"

    def fitted(self, x: Tensor, y: Tensor) -> Translation:
        """Restricted to shifts by whole cells of y; unchanged if there is no such shift."""
        restricted = replace(self, stride=stride(y, x, self.reading))
        return restricted if restricted.generators(x) else self

    def readings(self, x: Tensor, y: Tensor) -> Sequence[Translation]:
        return [replace(self, reading=reading) for reading in readings_of(y, x)]

    def generators(self, x: Tensor) -> Sequence[Shift]:
        """One stride along each axis."""
        steps, most = self.steps(x), self.most(x)
        axes = [axis for axis in reversed(range(len(steps))) if most[axis] > 0]
        return [tuple(step * (axis == k) for k, step in enumerate(steps)) for axis in axes]

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Shift]:
        """Distinct shifts, uniformly: over the whole torus (circular), or up to a quarter of each side (zeros)."""
        steps, most = self.steps(x), self.most(x)
        counts = [side // step for side, step in zip(x.shape[1:], steps, strict=True)]
        least = [-far if self.border == "zeros" else far - count + 1 for far, count in zip(most, counts, strict=True)]
        return draw_shifts(list(zip(least, most, strict=True)), steps, n, rng)

    def steps(self, x: Tensor) -> Shift:
        """The stride along each axis of x."""
        return self.stride if len(self.stride) == x.ndim - 1 else (1,) * (x.ndim - 1)

    def most(self, x: Tensor) -> Shift:
        """The longest shift along each axis, in strides."""
        sides = zip(x.shape[1:], self.steps(x), strict=True)
        if self.border == "circular":
            return tuple(side // step // 2 for side, step in sides)
        # on a coarse grid, one cell if half of the picture stays
        return tuple((side // 4 if step <= side // 4 else side // 2) // step for side, step in sides)

    def act(self, x: Tensor, g: Shift) -> Tensor:
        """x (..., H, W) moved by g, of the same shape."""
        axes = tuple(range(-len(g), 0))
        moved = torch.roll(x, g, dims=axes)
        if self.border == "zeros":
            for axis, by in zip(axes, g, strict=True):
                side = x.shape[axis]
                moved.narrow(axis, 0 if by > 0 else max(side + by, 0), min(abs(by), side)).zero_()
        return moved

    def reference(self, x: Tensor, g: Shift) -> Tensor:
        return x if self.border == "circular" else self.act(self.act(x, g), tuple(-by for by in g))

    def act_output(self, y: Tensor, g: Sequence[float], x: Tensor) -> Tensor | None:
        """y moved by g in cells; None if that is no whole number, or if the map does not close to a circle as the image does."""
        layout = layout_of(y, x, self.reading)

        def shift_map(cells: Tensor) -> Tensor | None:
            by = None if layout is None or (self.border == "circular" and not closes(layout, x)) else shift_in_cells(layout, g)
            return None if by is None else self.act(cells, by)

        return on_grid(y, x, shift_map, self.reading)

    def align(self, y: Tensor, y_g: Tensor, g: Sequence[float], x: Tensor) -> tuple[Tensor, Tensor] | None:
        return shift_pair(y, y_g, g, x, self.border == "circular", self.reading)

    def motion(self, x: Tensor, g: Sequence[float]) -> Motion:
        return shift(x, (g[0], g[1]), "circular" if self.border == "circular" else "cut")

    def scope(self, x: Tensor) -> str:
        return describe_scope(self.stride, self.reading, "px" if x.ndim == 3 else "voxels")

    def tangent(self, x: Tensor) -> Sequence[Tensor]:
        """-∂x/∂row and -∂x/∂column per pixel of x as a sum of waves; () for zero-filled or strided shifts."""
        if self.border != "circular" or set(self.stride) != {1} or x.ndim != 3:
            return ()
        down, right = spectrum.gradient(x)
        return -down, -right

    def size(self, g: Shift) -> float:
        return math.hypot(*g)

    def label(self, g: Shift) -> str:
        return describe_shift(g)


def draw_shifts(ranges: Sequence[tuple[int, int]], step: Shift, n: int, rng: np.random.Generator) -> list[Shift]:
    """At most n distinct shifts (i·step, j·step, ...), not all 0, with i, j, ... in these ranges, both ends included."""
    sizes = [last - first + 1 for first, last in ranges]
    still = int(np.ravel_multi_index([-first for first, _ in ranges], sizes))  # the index of the identity: skipped
    count = math.prod(sizes) - 1
    places = rng.choice(count, size=min(n, count), replace=False)
    shifts = np.stack(np.unravel_index(places + (places >= still), sizes), 1) + [first for first, _ in ranges]
    return [tuple(int(by) for by in shift) for shift in shifts * np.array(step)]


def describe_scope(stride: Shift, reading: Reading | None, unit: str) -> str:
    """`shifts by multiples of 2 px, output read as a map`; "" if there is nothing to say."""
    each = " and ".join(dict.fromkeys(str(step) for step in stride if step != 1))
    asked = [f"only shifts by multiples of {each} {unit}"] if each else []
    return ", ".join([*asked, *([str(reading)] if reading is not None else [])])


def describe_shift(g: Sequence[float]) -> str:
    """`2 px down, 3 px left`."""
    names = (("back", "front"), ("down", "up"), ("right", "left"))[-len(g) :]
    parts = [f"{abs(pixels):.4g} px {way[pixels < 0]}" for pixels, way in zip(g, names, strict=True) if pixels]
    return ", ".join(parts) or "not at all"
