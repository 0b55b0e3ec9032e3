"""The ways in which an output can be read: as a vector, as a map, as a value for each pixel, as tokens or as steps.

    vector   whatever its shape, it has no positions: (D,), or several heads (heads, D)
    map      (C', h, w); for a series, (C', t)
    pixels   a map with its classes last, (h, w, K), or without any, (h, w): a depth or a class for each pixel
    tokens   (k + h·w, D): k class or register tokens without a position, then the grid, row by row
    steps    (t, D): rows in time, or, for an image, in reading order from left to right; (t,) for a series: a number per step

Cell c of an axis sees the pixels around offset + stride·c. The stride is H / h where all of the image is seen. A convolution
without padding sees no window across the border, h = (H - kernel) / stride + 1, and one with much padding has h > H / stride.
Shifts ask for the stride alone, since both outputs have the same offset.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

from torch import Tensor

Output: TypeAlias = Literal["vector", "map", "pixels", "tokens", "steps"]
OUTPUTS: tuple[Output, ...] = get_args(Output)
Stride: TypeAlias = tuple[Fraction, Fraction]
LEADING = (0, 1, 2, 4, 5)  # class; class and distillation; four registers; class and four registers
MOST_STRIDES = 6  # that are tried for one map
ONE = Fraction(1)


@dataclass(frozen=True)
class Layout:
    """leading: tokens before the grid. side: its rows and columns; (1, 1) for a vector. stride: pixels a cell, along each axis.

    likely: whether it is read so without being told, or having been tried.
    """

    output: Output
    leading: int = 0
    side: tuple[int, int] = (1, 1)
    stride: Stride = (ONE, ONE)
    likely: bool = True

    def __str__(self) -> str:
        """`a map of 4 × 4 cells of 2 px`"""
        if self.output == "vector":
            return "a vector"
        h, w = self.side
        down, right = self.stride
        if self.output == "steps":
            return f"{w} steps of {right} px"
        px = f"{right}" if down == right else f"{down} × {right}"
        cells = f"{h} × {w} cells of {px} px"
        before = f"{self.leading} tokens, then " if self.leading else ""
        return f"{before}{'tokens on a grid' if self.output == 'tokens' else 'a map'} of {cells}"


@dataclass(frozen=True)
class Reading:
    """A way to read outputs that was declared, or found out by trying. stride: None if any will do.

    shape: of the output that it was made for; () for any. It is not applied to outputs with other features, such as those of an
    inner layer.
    """

    output: Output
    stride: Stride | None = None
    shape: tuple[int, ...] = ()

    def __str__(self) -> str:
        """`output read as a map with a stride of 2`"""
        article = "a " if self.output in ("vector", "map") else ""
        steps = [] if self.stride is None or self.output == "vector" else [str(s) for s in dict.fromkeys(self.stride)]
        if self.output == "steps":
            steps = steps[-1:]
        return f"output read as {article}{self.output}" + (f" with a stride of {' × '.join(steps)}" if steps else "")

    def covers(self, y: Tensor) -> bool:
        """Whether y is an output that it was made for: of this shape, or the same features in other places."""
        if not self.shape:
            return True
        if y.ndim != len(self.shape) or self.output == "vector":
            return tuple(y.shape) == self.shape
        if y.ndim == 1:  # numbers in time, of which another text has more or fewer
            return True
        axis = 0 if self.output == "map" else -1
        return (y.ndim != 3 and self.output == "pixels") or y.shape[axis] == self.shape[axis]

    def fits(self, layout: Layout) -> bool:
        return layout.output == self.output and self.stride in (None, layout.stride)


def layouts(y: Tensor, x: Tensor) -> list[Layout]:
    """All ways to read y, an output for an image x (C, H, W) or a series x (C, T), the likeliest first, as a vector last."""
    return list(layouts_of_shape(tuple(y.shape), tuple(x.shape)))


@lru_cache(maxsize=1024)
def layouts_of_shape(shape: tuple[int, ...], of: tuple[int, ...]) -> tuple[Layout, ...]:
    """The same for the shapes of an output and of an input."""
    return tuple(series_layouts(shape, of[1]) if len(of) == 2 else image_layouts(shape, (of[-2], of[-1])))


def series_layouts(shape: tuple[int, ...], steps: int) -> list[Layout]:
    """The same for a series of so many steps. A map of one step counts as a vector."""
    if len(shape) == 1 and shape[0] > 1:  # a number for each step, or a vector
        numbers = [Layout("steps", 0, (1, shape[0]), (ONE, s), shape[0] == steps) for s in axis_strides(shape[0], steps)]
        return [*numbers, Layout("vector", likely=False)] if shape[0] == steps else [Layout("vector"), *numbers]
    vector = Layout("vector", likely=len(shape) <= 1 or (len(shape) == 2 and shape[1] == 1))
    if len(shape) != 2 or vector.likely:
        return [vector]
    rows, columns = shape
    maps = [Layout("map", 0, (1, columns), (ONE, s)) for s in axis_strides(columns, steps)]
    down = rows == steps != columns
    as_steps = [Layout("steps", 0, (1, rows), (ONE, s), down) for s in axis_strides(rows, steps)] if rows > 1 else []
    return ordered([*(as_steps if down else ()), *maps, *as_steps, vector])


def image_layouts(shape: tuple[int, ...], sides: tuple[int, int]) -> list[Layout]:
    """The same for an image with these sides."""
    vector = Layout("vector", likely=len(shape) <= 1)
    if len(shape) == 3:
        if shape[1:] == (1, 1):
            return [Layout("vector")]
        return ordered([*map_layouts(shape[1:], sides), *pixel_layouts(shape[:2], sides), vector])
    if len(shape) != 2:
        return [vector]
    if shape[0] == 1:
        return [Layout("vector")]
    steps = [Layout("steps", 0, (1, shape[0]), (Fraction(sides[0]), s), False) for s in axis_strides(shape[0], sides[1])[:3]]
    pixels, tokens = pixel_layouts(shape, sides), list(token_layouts(shape[0], sides))
    first = pixels if shape == sides else []
    return ordered([*first, *tokens, *steps, *pixels, vector])


def map_layouts(side: tuple[int, ...], sides: tuple[int, int]) -> list[Layout]:
    """Those of a map of these rows and columns, last with other strides along the two axes."""
    h, w = side
    maps = [Layout("map", 0, (h, w), stride) for stride in map_strides((h, w), sides)]
    if h and w and sides[0] % h == 0 and sides[1] % w == 0:
        maps.append(Layout("map", 0, (h, w), (Fraction(sides[0], h), Fraction(sides[1], w)), bool(maps)))
    return maps


def pixel_layouts(side: tuple[int, ...], sides: tuple[int, int]) -> list[Layout]:
    """Those of rows and columns of pixels, which are taken for that by themselves only if they are the image's own."""
    h, w = side
    return [Layout("pixels", 0, (h, w), stride, side == sides) for stride in map_strides((h, w), sides)[:2]]


def ordered(found: Sequence[Layout]) -> list[Layout]:
    """The likely ones first, without repetitions, the vector last."""
    return sorted(dict.fromkeys(found), key=lambda layout: (layout.output == "vector", not layout.likely))


def readings_of(y: Tensor, x: Tensor, strides: bool = True) -> list[Reading]:
    """`layouts`, as readings; without `strides`, one of each kind."""
    found = [Reading(layout.output, layout.stride if strides else None, tuple(y.shape)) for layout in layouts(y, x)]
    return list(dict.fromkeys(found))


def layout_of(y: Tensor, x: Tensor, reading: Reading | None = None) -> Layout | None:
    """How y is read: as `reading` says if it covers y, and otherwise in the likeliest way; None if it fits no way."""
    found = layouts(y, x)
    if reading is not None and reading.covers(y):
        kind = [layout for layout in found if layout.output == reading.output]
        return next((layout for layout in kind if reading.fits(layout)), kind[0] if kind else None)
    return found[0] if found[0].likely else None


def token_layouts(count: int, sides: tuple[int, int]) -> Iterator[Layout]:
    """Grids with the aspect ratio of the image behind the usual numbers of leading tokens: the exact ratio first, since with
    other leading tokens, other grids may come close.
    """
    for rounded in (False, True):
        for k in LEADING:
            for side in possible_sides(count - k, sides):
                if has_ratio(side, sides, rounded) and side != (1, 1):
                    yield from (Layout("tokens", k, side, stride) for stride in map_strides(side, sides)[:2])
                elif side == (1, 1) and has_ratio(side, sides, rounded):
                    yield Layout("tokens", k, side, (Fraction(sides[0]), Fraction(sides[1])))


def possible_sides(count: int, sides: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Rows and columns of `count` cells, with about the aspect ratio of the image and no finer than its pixels."""
    height, width = sides
    least = math.isqrt(max(count, 0) * height // width)
    for rows in (least, least + 1):  # the root is rounded down
        columns, rest = divmod(count, rows) if rows else (0, 1)
        if not rest and 0 < columns <= width and rows <= height:
            yield rows, columns


def has_ratio(side: tuple[int, int], sides: tuple[int, int], rounded: bool = True) -> bool:
    """Whether a grid has the image's aspect ratio. rounded: up to one row or column, which a stride may round away."""
    (h, w), (height, width) = side, sides
    return abs(h * width - w * height) < (max(height, width) if rounded else 1)


def map_strides(side: tuple[int, int], sides: tuple[int, int]) -> list[Stride]:
    """Strides, the same along both axes, with which a map of these rows and columns can lie over an image: the likeliest first.

    That is H / h if the aspect ratio is exact and H / h or h / H a whole number; then whole numbers that leave about as many
    pixels over along both axes, nearest to H / h first; then H / h and W / w where the ratio is rounded.
    """
    if not (all(side) and all(sides)):
        return []
    (h, w), (height, width) = side, sides
    proportional = Fraction(height, h), Fraction(width, w)
    exact = [proportional] if has_ratio(side, sides, rounded=False) and 1 in proportional[0].as_integer_ratio() else []
    most = max(math.ceil(pixels / max(cells - 2, 1)) for cells, pixels in zip(side, sides, strict=True))
    whole = [(Fraction(s), Fraction(s)) for s in nearest(max(proportional), most) if spare_alike(side, sides, s)]
    rounded = [proportional] if has_ratio(side, sides) else []
    return list(dict.fromkeys([*exact, *whole, *rounded]))


def axis_strides(cells: int, side: int) -> list[Fraction]:
    """The same along one axis."""
    if not (cells and side):
        return []
    most = math.ceil(side / max(cells - 2, 1))  # with padding, the first and the last cell lie half outside
    whole = [Fraction(s) for s in nearest(Fraction(side, cells), most) if spare(cells, side, s) >= least_spare(side, s)]
    exact = [Fraction(side, cells)] if side % cells == 0 or cells % side == 0 else []
    return list(dict.fromkeys([*exact, *whole, Fraction(side, cells)]))


def nearest(ratio: Fraction, most: int) -> list[int]:
    """Products of 2, 3, 5 and 7 up to `most`, the nearest to the ratio first: what a few layers with strides multiply to."""
    candidates = [s for s in range(1, most + 1) if largest_prime(s) <= 7]
    return sorted(candidates, key=lambda s: (abs(s - ratio), -s))[:MOST_STRIDES]


def largest_prime(number: int) -> int:
    """What is left of a number without its factors 2, 3, 5 and 7; at most 7 if nothing is."""
    for prime in (2, 3, 5, 7):
        while number % prime == 0:
            number //= prime
    return number


def spare(cells: int, side: int, stride: int) -> int:
    """Pixels over beside the steps between cells: the width of a kernel without padding."""
    return side - stride * (cells - 1)


def least_spare(side: int, stride: int) -> int:
    """A stride above 1 hardly has more padding than it needs; a full convolution, by all that its kernel reaches, is known."""
    return -(side // 2) if stride == 1 else -stride


def spare_alike(side: tuple[int, int], sides: tuple[int, int], stride: int) -> bool:
    """Whether kernel and padding, the same along both axes, leave these cells: up to what the stride rounds away."""
    down, right = (spare(cells, pixels, stride) for cells, pixels in zip(side, sides, strict=True))
    enough = all(extra >= least_spare(pixels, stride) for extra, pixels in zip((down, right), sides, strict=True))
    return enough and abs(down - right) < stride
