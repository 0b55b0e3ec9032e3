"""Outputs that are boxes or keypoints: rows of coordinates, which move with the picture, and further columns, which stay.

    xyxy     left, top, right, bottom        cxcywh   center, width, height
    xywh     left, top, width, height        xy       a point

A detector returns a set: its boxes may come in another order for g·x. So those of g·f(x) and of f(g·x) are matched, one to one,
with the smallest sum of squared differences, and there is no error only if both sets are the same. Where content leaves the
picture, only boxes are compared whose center is in sight on both sides. A row whose coordinates are all 0, or all -1, is padding,
except for signed points, for which these are the middle and a corner of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from erlangen.symmetries.motion import Motion, Pair, inside
from erlangen.symmetries.symmetry import check_choice

Format: TypeAlias = Literal["xyxy", "xywh", "cxcywh", "xy"]
PLACES: dict[Format, tuple[tuple[int, ...], tuple[int, ...]]] = {  # columns that are places: of rows (y), and of columns (x)
    "xyxy": ((1, 3), (0, 2)),
    "xywh": ((1,), (0,)),
    "cxcywh": ((1,), (0,)),
    "xy": ((1,), (0,)),
}
MOST = 300  # boxes of one input that are matched: among more, boxes at random would lie within a tenth of the spread


@dataclass(frozen=True)
class Boxes:
    """How coordinates are written. normalized: in units of the picture's sides, from 0 to 1. signed: from -1 to 1 across the
    picture. ordered: rows are compared in their order.

    centers: pixels are counted from 0 to side - 1 at their centers, and not from 0 to side at their edges.

    Raises ValueError for another format, and for coordinates that are both normalized and signed.
    """

    format: Format = "xyxy"
    normalized: bool = False
    ordered: bool = False
    centers: bool = False
    signed: bool = False

    def __post_init__(self) -> None:
        check_choice(type(self), "format", self.format, Format)
        if self.normalized and self.signed:
            raise ValueError("Boxes: coordinates are normalized, from 0 to 1, or signed, from -1 to 1, but not both")

    @property
    def width(self) -> int:
        """Columns that are coordinates."""
        return 2 if self.format == "xy" else 4

    def unit(self, sides: Pair) -> Pair:
        """Pixels in a unit of the coordinates, along rows and columns."""
        if not (self.normalized or self.signed):
            return 1.0, 1.0
        share = 0.5 if self.signed else 1.0
        return share * (sides[0] - self.centers), share * (sides[1] - self.centers)

    def __str__(self) -> str:
        """`boxes (xyxy, normalized)`"""
        is_points = self.format == "xy"
        flags = {"normalized": self.normalized, "signed": self.signed, "ordered": self.ordered and not is_points}
        said = [*([] if is_points else [self.format]), *(name for name, is_set in flags.items() if is_set)]
        return ("keypoints" if is_points else "boxes") + (f" ({', '.join(said)})" if said else "")


def split_box(y: Tensor, boxes: Boxes, sides: Pair) -> tuple[Tensor, Tensor]:
    """Centers and sizes (N, 2) of rows y (N, D), each as (row, column) in pixels from the upper left edge."""
    first, second = y[:, :2], y[:, 2:4] if boxes.width == 4 else torch.zeros_like(y[:, :2])
    center = {"xyxy": (first + second) / 2, "xywh": first + second / 2}.get(boxes.format, first)
    size = second - first if boxes.format == "xyxy" else second
    unit = y.new_tensor(boxes.unit(sides))
    return (center.flip(1) + float(boxes.signed)) * unit + 0.5 * boxes.centers, size.flip(1) * unit


def join_box(y: Tensor, center: Tensor, size: Tensor, boxes: Boxes, sides: Pair) -> Tensor:
    """The inverse of `split_box`, with the further columns of y."""
    unit = y.new_tensor(boxes.unit(sides))
    center, size = ((center - 0.5 * boxes.centers) / unit - float(boxes.signed)).flip(1), (size / unit).flip(1)
    if boxes.format == "xy":
        return torch.cat([center, y[:, 2:]], 1)
    first = center if boxes.format == "cxcywh" else center - size / 2
    return torch.cat([first, center + size / 2 if boxes.format == "xyxy" else size, y[:, 4:]], 1)


def padding(y: Tensor, boxes: Boxes) -> Tensor:
    """Rows without a box, (N,)."""
    coordinates = y[:, : boxes.width]
    if boxes.signed and boxes.format == "xy":
        return torch.zeros(len(y), dtype=torch.bool)
    return (coordinates == 0).all(1) | (coordinates == -1).all(1)


def move_boxes(y: Tensor, boxes: Boxes, motion: Motion) -> Tensor | None:
    """The rows y (N, D) where the motion takes them; None for boxes that would not be upright."""
    if boxes.width == 4 and not motion.keeps_axes:
        return None
    center, size = split_box(y, boxes, motion.before)
    moved = join_box(y, motion.of(center), motion.of_sizes(size), boxes, motion.after)
    return torch.where(padding(y, boxes)[:, None], y, moved)


def pair_boxes(y: Tensor, y_g: Tensor, boxes: Boxes, motion: Motion) -> tuple[Tensor, Tensor] | None:
    """The boxes g·y and y_g as pairs of rows, computed in float64. None if g does not act on such boxes, or none is in sight.

    Raises ValueError for more boxes than can be matched.
    """
    pair = pair_wide(y.double(), y_g.double(), boxes, motion)
    return None if pair is None else (pair[0].to(y.dtype), pair[1].to(y_g.dtype))


def pair_wide(y: Tensor, y_g: Tensor, boxes: Boxes, motion: Motion) -> tuple[Tensor, Tensor] | None:
    """`pair_boxes` in float64."""
    expected, actual = move_boxes(y, boxes, motion), y_g
    if expected is None:
        return None
    if motion.border == "cut":
        expected, actual = in_sight(y, expected, actual, boxes, motion)
    if not len(expected) and not len(actual):
        return None
    longest = max(len(expected), len(actual))
    expected, actual = (torch.cat([rows, rows.new_zeros(longest - len(rows), rows.shape[1])]) for rows in (expected, actual))
    if motion.border == "circular":
        unit = boxes.unit(motion.after)
        return match(expected, actual, boxes, (motion.after[0] / unit[0], motion.after[1] / unit[1]))
    return match(expected, actual, boxes, None)


def in_sight(y: Tensor, expected: Tensor, actual: Tensor, boxes: Boxes, motion: Motion) -> tuple[Tensor, Tensor]:
    """The rows of both whose center lies in the picture before and after; of ordered ones, where that is so on both sides."""
    before, after = split_box(y, boxes, motion.before)[0], split_box(expected, boxes, motion.after)[0]
    there = split_box(actual, boxes, motion.after)[0]
    kept = inside(before, motion.before) & inside(after, motion.after) & ~padding(y, boxes)
    found = inside(motion.back(there), motion.before) & inside(there, motion.after) & ~padding(actual, boxes)
    if boxes.ordered and len(y) == len(actual):
        kept = found = kept | found
    return expected[kept], actual[found]


def match(expected: Tensor, actual: Tensor, boxes: Boxes, circle: Pair | None) -> tuple[Tensor, Tensor]:
    """Both (N, D), in an order in which they agree best. circle: sides of a picture that wraps around; of two places that differ
    by a side, the expected one is taken to where the actual one is.
    """
    if not boxes.ordered:
        if len(expected) > MOST:
            raise ValueError(
                f"{len(expected)} boxes are too many to match (at most {MOST}): declare them as ordered, or select the best"
            )
        rows, columns = linear_sum_assignment(costs(expected, actual, boxes, circle).numpy())
        expected, actual = expected[torch.from_numpy(rows)], actual[torch.from_numpy(columns)]
    turns = torch.zeros_like(expected)
    for side, places in zip(circle or (), PLACES[boxes.format], strict=False):
        turns[:, places] = whole_turns((actual - expected)[:, places].mean(1), side)[:, None]
    return expected + turns, actual


def costs(expected: Tensor, actual: Tensor, boxes: Boxes, circle: Pair | None) -> Tensor:
    """Squared differences of all rows, (N, N); of places on a circle, the shortest."""
    total = expected.new_zeros(len(expected), len(actual))
    placed = [places for _, places in zip(circle or (), PLACES[boxes.format], strict=False)]
    for side, places in zip(circle or (), placed, strict=True):
        turns = whole_turns(actual[:, places].mean(1) - expected[:, places].mean(1)[:, None], side)
        for k in places:
            total += (expected[:, k, None] + turns - actual[:, k]).square()
    for k in set(range(expected.shape[1])) - {k for places in placed for k in places}:
        total += (expected[:, k, None] - actual[:, k]).square()
    return total


def whole_turns(difference: Tensor, side: float) -> Tensor:
    """The multiple of a side that is nearest to a difference."""
    return (difference / side).round() * side
