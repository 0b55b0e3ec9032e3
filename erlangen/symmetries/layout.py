"""All ways in which an output can be read, from its shape and that of its input: the likeliest first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

from torch import Tensor

from erlangen.symmetries.reading import ONE, Layout, Output, Reading
from erlangen.symmetries.strides import axis_strides, has_ratio, map_strides, mixed_strides

LEADING = (0, 1, 2, 4, 5)  # class; class and distillation; four registers; class and four registers
MOST_LEADING = 32  # leading tokens, of which all numbers are tried


def layouts(y: Tensor, x: Tensor) -> list[Layout]:
    """All ways to read y, an output for an image x (C, H, W), a volume (C, D, H, W) or a series (C, T), the likeliest first, as a
    vector last.
    """
    return list(layouts_of_shape(tuple(y.shape), tuple(x.shape)))


@lru_cache(maxsize=1024)
def layouts_of_shape(shape: tuple[int, ...], of: tuple[int, ...]) -> tuple[Layout, ...]:
    """The same for the shapes of an output and of an input."""
    if len(of) == 4:
        return tuple(volume_layouts(shape, of[1:]))
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
        found = [*map_layouts(shape[1:], sides), *pixel_layouts(shape[:2], sides)]
        if not any(layout.likely for layout in found):
            found += [Layout("map", 0, shape[1:], stride) for stride in mixed_strides(shape[1:], sides)]
        return ordered([*found, vector])
    if len(shape) != 2:
        return [vector]
    if shape[0] == 1:
        return [Layout("vector")]
    pixels, tokens = pixel_layouts(shape, sides), list(token_layouts(shape[0], sides))
    steps = step_layouts(shape[0], sides, not tokens and sides[0] != sides[1])
    first = pixels if shape == sides else []
    return ordered([*first, *tokens, *steps, *pixels, *other_token_layouts(shape[0], sides), vector])


def volume_layouts(shape: tuple[int, ...], sides: tuple[int, ...]) -> list[Layout]:
    """The same for a volume with these sides (D, H, W)."""
    vector = Layout("vector", 0, (1, 1, 1), (ONE, ONE, ONE), len(shape) <= 1 or max(shape[1:]) == 1)
    if vector.likely:
        return [vector]
    if len(shape) == 2:
        return ordered([*cube_layouts(shape[0], sides), vector])
    grids: list[tuple[Output, tuple[int, ...]]] = [("map", shape[1:])] if len(shape) == 4 else []
    grids += [("pixels", shape[:3])] if len(shape) in (3, 4) else []
    grids.sort(key=lambda grid: grid[1] != sides)  # the volume's own sides first
    found = []
    for output, side in grids:
        own = output == "map" or side == sides
        strides = dict.fromkeys([*map_strides(side, sides), *mixed_strides(side, sides)])
        found += [Layout(output, 0, side, stride, own) for stride in strides]
    return ordered([*found, vector])


def cube_layouts(count: int, sides: tuple[int, ...]) -> Iterator[Layout]:
    """Tokens on a grid of cubes that cover a volume, behind the usual numbers of leading tokens."""
    for k in LEADING:
        for s in range(1, min(sides) + 1):
            side = tuple(pixels // s for pixels in sides)
            if all(pixels % s == 0 for pixels in sides) and math.prod(side) == count - k > 1:
                yield Layout("tokens", k, side, (Fraction(s),) * 3)


def step_layouts(count: int, sides: tuple[int, int], likely: bool) -> list[Layout]:
    """Those of steps along the width, and of steps along the height. likely: whether to take as many as there are rows, or
    columns, for that.
    """
    height, width = Fraction(sides[0]), Fraction(sides[1])
    down, right = (likely and count == side for side in sides)
    across = [Layout("steps", 0, (1, count), (height, s), right, "width") for s in axis_strides(count, sides[1])[:3]]
    return across + [Layout("steps", 0, (count, 1), (s, width), down, "height") for s in axis_strides(count, sides[0])[:3]]


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
    found = [
        Reading(
            layout.output,
            layout.stride if strides else None,
            tuple(y.shape),
            layout.along,
            len(layout.side),
            layout.leading if layout.output == "tokens" else None,
        )
        for layout in layouts(y, x)
    ]
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


def other_token_layouts(count: int, sides: tuple[int, int]) -> Iterator[Layout]:
    """Grids of square patches that cover the image, behind other numbers of leading tokens."""
    for k in range(MOST_LEADING + 1):
        for side in possible_sides(count - k, sides) if k not in LEADING else ():
            if has_ratio(side, sides, rounded=False) and sides[0] % side[0] == 0 and side != (1, 1):
                yield Layout("tokens", k, side, (Fraction(sides[0], side[0]),) * 2, False)


def possible_sides(count: int, sides: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Rows and columns of `count` cells, with about the aspect ratio of the image and no finer than its pixels."""
    height, width = sides
    least = math.isqrt(max(count, 0) * height // width)
    for rows in (least, least + 1):  # the root is rounded down
        columns, rest = divmod(count, rows) if rows else (0, 1)
        if not rest and 0 < columns <= width and rows <= height:
            yield rows, columns
