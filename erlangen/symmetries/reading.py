"""The ways in which an output can be read: as a vector, as a map, as a value for each pixel, as tokens or as steps.

    vector   whatever its shape, it has no positions: (D,), or several heads (heads, D)
    map      (C', h, w); for a series, (C', t); for a volume, (C', d, h, w)
    pixels   a map with its classes last, (h, w, K), or without any, (h, w): a depth or a class for each pixel; for a volume, of
             each voxel
    tokens   (k + h·w, D): k class or register tokens without a position, then the grid, row by row
    steps    (t, D): rows in time, or, for an image, along its width or its height; (t,) for a series: a number per step

Cell c of an axis sees the pixels around offset + stride·c. The stride is H / h where all of the image is seen. A convolution
without padding sees no window across the border, h = (H - kernel) / stride + 1, and one with much padding has h > H / stride.
Shifts ask for the stride alone, since both outputs have the same offset.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

from torch import Tensor

Output: TypeAlias = Literal["vector", "map", "pixels", "tokens", "steps"]
OUTPUTS: tuple[Output, ...] = get_args(Output)
Along: TypeAlias = Literal["width", "height"]
Stride: TypeAlias = tuple[Fraction, ...]
ONE = Fraction(1)


@dataclass(frozen=True)
class Layout:
    """leading: tokens before the grid. side: its rows and columns, of a volume (d, h, w), all 1 for a vector. stride: pixels a
    cell, along each axis.

    likely: whether it is read so without being told, or having been tried. along: the axis of an image that steps run along; a
    shift along the other one leaves them as they are.
    """

    output: Output
    leading: int = 0
    side: tuple[int, ...] = (1, 1)
    stride: Stride = (ONE, ONE)
    likely: bool = True
    along: Along | None = None

    @property
    def across(self) -> int | None:
        """The axis of the grid that nothing moves along; None if there is none."""
        return None if self.along is None else 0 if self.along == "width" else 1

    def __str__(self) -> str:
        """`a map of 4 × 4 cells of 2 px`"""
        if self.output == "vector":
            return "a vector"
        if self.output == "steps":
            axis = 0 if self.along == "height" else 1
            return f"{self.side[axis]} steps of {self.stride[axis]} px"
        px = " × ".join(map(str, self.stride if len(set(self.stride)) > 1 else self.stride[:1]))
        cells = f"{' × '.join(map(str, self.side))} cells of {px} px"
        before = f"{self.leading} tokens, then " if self.leading else ""
        return f"{before}{'tokens on a grid' if self.output == 'tokens' else 'a map'} of {cells}"


@dataclass(frozen=True)
class Reading:
    """A way to read outputs that was declared, or found out by trying. stride: None if any will do.

    shape: of the output that it was made for; () for any. It is not applied to outputs with other features, such as those of an
    inner layer. along, leading: as of a layout, None if any will do. axes: of a grid, 3 for volumes.
    """

    output: Output
    stride: Stride | None = None
    shape: tuple[int, ...] = ()
    along: Along | None = None
    axes: int = 2
    leading: int | None = None

    def __str__(self) -> str:
        """`output read as a map with a stride of 2`"""
        article = "a " if self.output in ("vector", "map") else ""
        steps = [] if self.stride is None or self.output == "vector" else [str(s) for s in dict.fromkeys(self.stride)]
        if self.output == "steps":
            steps = steps[:1] if self.along == "height" else steps[-1:]
        along = f" along the {self.along}" if self.along else f" behind {self.leading} others" if self.leading else ""
        return f"output read as {article}{self.output}{along}" + (f" with a stride of {' × '.join(steps)}" if steps else "")

    def covers(self, y: Tensor) -> bool:
        """Whether y is an output that it was made for: of this shape, or the same features in other places."""
        if not self.shape:
            return True
        if y.ndim != len(self.shape) or self.output == "vector":
            return tuple(y.shape) == self.shape
        if y.ndim == 1:  # numbers in time, of which another text has more or fewer
            return True
        axis = 0 if self.output == "map" else -1
        plain = self.output == "pixels" and y.ndim == self.axes  # a number for each pixel
        return plain or y.shape[axis] == self.shape[axis]

    def fits(self, layout: Layout) -> bool:
        mine = self.along, self.leading, self.stride
        theirs = layout.along, layout.leading, layout.stride
        return layout.output == self.output and all(a in (None, b) for a, b in zip(mine, theirs, strict=True))
