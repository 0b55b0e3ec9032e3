"""How an element moves the points of a picture: for outputs that are coordinates, such as boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Pair: TypeAlias = tuple[float, float]
Border: TypeAlias = Literal["whole", "circular", "cut"]
EDGE = 1e-6  # pixels: a point this far outside is still in the picture


@dataclass(frozen=True)
class Motion:
    """A point p = (row, column) goes to matrix·p + offset. Both are in pixels from the upper left edge: the picture is (0, 0) to
    (H, W), and the center of its first pixel is (½, ½).

    before, after: height and width of the two pictures. border: `circular` if what leaves comes back on the other side, `cut` if
    it is lost, `whole` if nothing leaves.
    """

    matrix: tuple[Pair, Pair]
    offset: Pair
    before: Pair
    after: Pair
    border: Border = "whole"

    @property
    def keeps_axes(self) -> bool:
        """Whether rows and columns go to rows or columns, so that a box stays one."""
        return all(min(abs(entry) for entry in row) < 1e-9 for row in self.matrix)

    def of(self, points: Tensor) -> Tensor:
        """Points (N, 2) moved."""
        return points @ points.new_tensor(self.matrix).T + points.new_tensor(self.offset)

    def of_sizes(self, sizes: Tensor) -> Tensor:
        """Heights and widths (N, 2) of boxes that move."""
        return sizes @ sizes.new_tensor(self.matrix).abs().T

    def back(self, points: Tensor) -> Tensor:
        """The points (N, 2) that g takes here."""
        inverse: Tensor = torch.linalg.inv(points.new_tensor(self.matrix))
        return (points - points.new_tensor(self.offset)) @ inverse.T


def inside(points: Tensor, sides: Pair) -> Tensor:
    """Which points (N, 2) lie in a picture with these sides, (N,)."""
    return ((points >= -EDGE) & (points <= points.new_tensor(sides) + EDGE)).all(1)


def shift(x: Tensor, g: Pair, border: Border) -> Motion:
    """The picture x (C, H, W) moved by g."""
    sides = float(x.shape[-2]), float(x.shape[-1])
    return Motion(((1.0, 0.0), (0.0, 1.0)), (float(g[0]), float(g[1])), sides, sides, border)


def still(x: Tensor) -> Motion:
    """Nothing moves."""
    return shift(x, (0.0, 0.0), "whole")


def about(x: Tensor, middle: Pair, matrix: tuple[Pair, Pair]) -> Motion:
    """A linear map about a point (row, column) of the picture, which keeps its sides."""
    (a, b), (c, d) = matrix
    row, column = middle
    offset = row - a * row - b * column, column - c * row - d * column
    sides = float(x.shape[-2]), float(x.shape[-1])
    return Motion(matrix, offset, sides, sides)


def rotation(angle: float) -> tuple[Pair, Pair]:
    """Of (row, column), counterclockwise by degrees; multiples of 90 exactly."""
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    c, s = (round(value) * 1.0 if angle % 90 == 0 else value for value in (c, s))
    return (c, -s), (s, c)


def quarter_turns(x: Tensor, k: int) -> Motion:
    """The picture x (C, H, W) rotated counterclockwise by k·90°: a point (r, c) goes to (W - c, r), k times."""
    h, w = float(x.shape[-2]), float(x.shape[-1])
    corner = [(0.0, 0.0), (w, 0.0), (h, w), (0.0, h)][k % 4]
    return Motion(rotation(90.0 * k), corner, (h, w), (w, h) if k % 2 else (h, w))
