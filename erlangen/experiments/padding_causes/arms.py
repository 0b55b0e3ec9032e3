"""The arms of `padding-causes`: one net, whose padding, last layer and pool are changed one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["zeros", "replicate", "reflect", "circular"]
Axis: TypeAlias = Literal["both", "rows", "columns"]

SIDE = 32  # pixels of an image
CHANNELS = (3, 32, 32, 64, 64)
STRIDES = (1, 2, 2, 2)
KERNEL = 3
FIELD = 17  # pixels that a unit of the last map sees: 3, then 2·1, 2·2 and 2·4 more
LAYERS = len(STRIDES)


@dataclass(frozen=True, kw_only=True)
class Border:
    """What four 3×3 convolutions read beyond the border, and what is pooled after them.

    width: pixels of padding on each side. mode, axis, scale: what they are filled with, along which axis, and a factor of it: the
    other axis has zeros, and so have the corners. last: padding before and after the last layer's input, if it is not `width`.
    last_stride: of the last layer. center: side of the central part of the last map that is pooled, if not all of it is.
    """

    width: int
    mode: Mode = "zeros"
    axis: Axis = "both"
    scale: float = 1.0
    last: tuple[int, int] | None = None
    last_stride: int = STRIDES[-1]
    center: int | None = None

    def along(self, axis: Axis) -> Mode:
        """What stands above and below (rows), or left and right (columns)."""
        return self.mode if self.axis in ("both", axis) else "zeros"

    def paddings(self) -> tuple[tuple[int, int], ...]:
        """The padding before and after the input of each layer, in pixels."""
        return ((self.width, self.width),) * (LAYERS - 1) + (self.last or (self.width, self.width),)

    def strides(self) -> tuple[int, ...]:
        return (*STRIDES[:-1], self.last_stride)

    def sides(self) -> tuple[int, ...]:
        """The side of the image and of the map after each layer: ⌊(n + before + after - 3) / s⌋ + 1 pixels."""
        sides = [SIDE]
        for (before, after), stride in zip(self.paddings(), self.strides(), strict=True):
            sides.append((sides[-1] + before + after - KERNEL) // stride + 1)
        return tuple(sides)

    def pooled(self) -> range:
        """The rows of the last map that are pooled; the columns are the same."""
        side, kept = self.sides()[-1], self.center or self.sides()[-1]
        return range((side - kept) // 2, (side - kept) // 2 + kept)

    def cells(self) -> int:
        """How many places of the last map are pooled."""
        return len(self.pooled()) ** 2


ARMS = {
    "valid": Border(width=0),
    "valid 4x4": Border(width=0, last_stride=1),
    "sconv": Border(width=1),
    "sconv 8x8": Border(width=1, last_stride=1),
    "sconv 7x7": Border(width=1, last_stride=1, last=(1, 0)),
    "sconv center 6x6": Border(width=1, last_stride=1, center=6),
    "sconv 5x5": Border(width=1, last=(1, 2)),
    "fconv": Border(width=2),
    "fconv 12x12": Border(width=2, last_stride=1),
    "fconv center 4x4": Border(width=2, center=4),
    "reflect": Border(width=2, mode="reflect"),
    "reflect rows": Border(width=2, mode="reflect", axis="rows"),
    "reflect columns": Border(width=2, mode="reflect", axis="columns"),
    "replicate": Border(width=2, mode="replicate"),
    "replicate rows": Border(width=2, mode="replicate", axis="rows"),
    "replicate columns": Border(width=2, mode="replicate", axis="columns"),
    "replicate x0.5": Border(width=2, mode="replicate", scale=0.5),
    "replicate x2": Border(width=2, mode="replicate", scale=2.0),
}
"""The report's paddings are valid, sconv, fconv, replicate and reflect. The others change one thing about
one of them: the last layer's stride or padding, by which the last map gets the side in the name; what of it is pooled; one axis;
or a factor of the border."""
