"""Translation of images by whole pixels."""

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
from erlangen.symmetries.layout import Reading, layout_of, readings_of
from erlangen.symmetries.symmetry import Symmetry, check_choice

Shift: TypeAlias = tuple[int, int]
Border: TypeAlias = Literal["circular", "zeros"]


@dataclass(frozen=True)
class Translation(Symmetry):
    """The group of shifts (rows, columns); an element g = (dy, dx) moves the picture down and to the right.

    border: `circular` wraps around and is a true group action; `zeros` fills with 0, which loses pixels. So g·x is then compared
    with g⁻¹·g·x, which has lost the same pixels, and maps are compared only where both show the same part of the picture.
    stride: only multiples of it are drawn; `fitted` sets it to the smallest shift that moves a map or tokens by whole cells.
    reading: how outputs are read; by default, in the likeliest way.

    Raises ValueError for another border.
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
        down, right = self.most(x)
        return [g for g, most in (((0, self.stride[1]), right), ((self.stride[0], 0), down)) if most > 0]

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Shift]:
        """Distinct shifts, uniformly: over the whole torus (circular), or up to a quarter of each side (zeros)."""
        down, right = self.most(x)
        if self.border == "zeros":
            return draw_shifts((-down, down), (-right, right), self.stride, n, rng)
        rows, columns = (side // step for side, step in zip(x.shape[-2:], self.stride, strict=True))
        return draw_shifts((down - rows + 1, down), (right - columns + 1, right), self.stride, n, rng)

    def most(self, x: Tensor) -> Shift:
        """The longest shifts down and right, in strides."""
        sides = list(zip(x.shape[-2:], self.stride, strict=True))
        if self.border == "circular":
            down, right = (side // step // 2 for side, step in sides)
        else:  # on a coarse grid, one cell if half of the picture stays
            down, right = ((side // 4 if step <= side // 4 else side // 2) // step for side, step in sides)
        return down, right

    def act(self, x: Tensor, g: Shift) -> Tensor:
        """x (..., H, W) moved by g, of the same shape."""
        dy, dx = g
        moved = torch.roll(x, (dy, dx), dims=(-2, -1))
        if self.border == "zeros":
            h, w = x.shape[-2:]
            moved[..., : max(dy, 0), :] = 0
            moved[..., max(h + min(dy, 0), 0) :, :] = 0
            moved[..., :, : max(dx, 0)] = 0
            moved[..., :, max(w + min(dx, 0), 0) :] = 0
        return moved

    def reference(self, x: Tensor, g: Shift) -> Tensor:
        return x if self.border == "circular" else self.act(self.act(x, g), (-g[0], -g[1]))

    def act_output(self, y: Tensor, g: tuple[float, float], x: Tensor) -> Tensor | None:
        """y moved by g in cells; None if that is no whole number, or if the map does not close to a circle as the image does."""
        layout = layout_of(y, x, self.reading)

        def shift_map(cells: Tensor) -> Tensor | None:
            by = None if layout is None or (self.border == "circular" and not closes(layout, x)) else shift_in_cells(layout, g)
            return None if by is None else self.act(cells, by)

        return on_grid(y, x, shift_map, self.reading)

    def align(self, y: Tensor, y_g: Tensor, g: tuple[float, float], x: Tensor) -> tuple[Tensor, Tensor] | None:
        return shift_pair(y, y_g, g, x, self.border == "circular", self.reading)

    def scope(self, x: Tensor) -> str:
        return describe_scope(self.stride, self.reading, "px")

    def tangent(self, x: Tensor) -> Sequence[Tensor]:
        """-∂x/∂row and -∂x/∂column per pixel of x as a sum of waves; () for zero-filled or strided shifts."""
        if self.border != "circular" or self.stride != (1, 1):
            return ()
        down, right = spectrum.gradient(x)
        return -down, -right

    def size(self, g: Shift) -> float:
        return math.hypot(*g)

    def label(self, g: Shift) -> str:
        return describe_shift(g)


def draw_shifts(rows: tuple[int, int], columns: tuple[int, int], step: Shift, n: int, rng: np.random.Generator) -> list[Shift]:
    """At most n distinct shifts (i·step, j·step), never (0, 0), with i and j in these ranges, both ends included."""
    height, width = rows[1] - rows[0] + 1, columns[1] - columns[0] + 1
    still = -rows[0] * width - columns[0]  # the index of (0, 0), counted row by row: skipped
    count = height * width - 1
    places = rng.choice(count, size=min(n, count), replace=False)
    return [
        ((int(place) // width + rows[0]) * step[0], (int(place) % width + columns[0]) * step[1])
        for place in places + (places >= still)
    ]


def describe_scope(stride: Shift, reading: Reading | None, unit: str) -> str:
    """`shifts by multiples of 2 px, output read as a map`; "" if there is nothing to say."""
    each = " and ".join(dict.fromkeys(str(step) for step in stride if step != 1))
    asked = [f"only shifts by multiples of {each} {unit}"] if each else []
    return ", ".join([*asked, *([str(reading)] if reading is not None else [])])


def describe_shift(g: tuple[float, float]) -> str:
    """`2 px down, 3 px left`."""
    names = (("down", "up"), ("right", "left"))
    parts = [f"{abs(pixels):.4g} px {way[pixels < 0]}" for pixels, way in zip(g, names, strict=True) if pixels]
    return ", ".join(parts) or "not at all"
