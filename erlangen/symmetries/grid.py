"""An output on the grid of its image: as a map of cells, moved along with the image.

The output y of one image x (C, H, W) is read in one of the ways of `layout`. Unless a `reading` says otherwise, a grid has the
aspect ratio of the image or leaves as many pixels over along both axes; this also distinguishes a map (C', h, w) from one with
channels last. A map of one cell counts as a pooled vector. Any other list of vectors with as many rows as a grid, such as the
queries of a detector, looks like tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
from torch import Tensor

from erlangen.symmetries.layout import layout_of, layouts
from erlangen.symmetries.reading import Layout, Reading


def grid(y: Tensor, x: Tensor, reading: Reading | None = None) -> tuple[int, ...] | None:
    """(k, h, w): leading tokens, rows and columns of y, an output for x. (0, 1, 1) for a vector; None if y fits no grid."""
    layout = layout_of(y, x, reading)
    return None if layout is None else (layout.leading, *layout.side)


def to_map(y: Tensor, x: Tensor, reading: Reading | None = None) -> Tensor | None:
    """y as a map (C', h, w), of a volume (C', d, h, w), without its leading tokens; None if y is a vector or fits no grid. For a
    series h = 1.
    """
    layout = layout_of(y, x, reading)
    return None if layout is None else cells_of(y, x, layout)


def cells_of(y: Tensor, x: Tensor, layout: Layout) -> Tensor | None:
    """`to_map` for a layout."""
    if max(layout.side) == 1:
        return None
    if layout.output == "map":
        return y[:, None] if x.ndim == 2 else y
    if layout.output == "pixels":
        return y[None] if y.ndim == len(layout.side) else y.movedim(-1, 0)
    if y.ndim == 1:
        return y.reshape(1, *layout.side)
    return y[layout.leading :].T.reshape(-1, *layout.side)


def from_map(cells: Tensor, y: Tensor, x: Tensor, reading: Reading | None = None) -> Tensor:
    """The inverse of `to_map`: cells (C', h', w') in the form of y, after its leading tokens; h' and w' may differ from y's."""
    layout = layout_of(y, x, reading)
    if layout is None:
        raise ValueError(f"an output of shape {tuple(y.shape)} fits no grid over an image of shape {tuple(x.shape)}")
    return in_form_of(y, x, cells, layout)


def in_form_of(y: Tensor, x: Tensor, cells: Tensor, layout: Layout) -> Tensor:
    """`from_map` for a layout."""
    if layout.output == "map":
        return cells[:, 0] if x.ndim == 2 else cells
    if layout.output == "pixels":
        return cells[0] if y.ndim == len(layout.side) else cells.movedim(0, -1)
    return cells.flatten() if y.ndim == 1 else torch.cat([y[: layout.leading], cells.flatten(1).T])


def on_grid(y: Tensor, x: Tensor, change: Callable[[Tensor], Tensor | None], reading: Reading | None = None) -> Tensor | None:
    """y with `change` applied to its map; a vector unchanged; None if y fits no grid or `change` returns None."""
    if layout_of(y, x, reading) is None:
        return None
    cells = to_map(y, x, reading)
    if cells is None:
        return y
    changed = change(cells)
    return None if changed is None else from_map(changed, y, x, reading)


def stride(y: Tensor, x: Tensor, reading: Reading | None = None) -> tuple[int, ...]:
    """The smallest shift of x in pixels that shifts y by whole cells, along each axis; 1 for a vector."""
    layout = layout_of(y, x, reading)
    if layout is None or max(layout.side) == 1:
        return (1,) * len(sides_of(x))
    return tuple(1 if axis == layout.across else step.numerator for axis, step in enumerate(layout.stride))


def shift_in_cells(layout: Layout, g: Sequence[float]) -> tuple[int, ...] | None:
    """The shift g of the image in cells of a map; None if that is not a whole number."""
    moves = [0.0 if axis == layout.across else float(pixels) for axis, pixels in enumerate(g)]
    cells = [pixels / float(step) for pixels, step in zip(moves, layout.stride, strict=True)]
    if max(abs(by - round(by)) for by in cells) > 1e-9:  # with sides below 10⁵, only rounding is this small
        return None
    return tuple(round(by) for by in cells)


def shift_pair(
    y: Tensor, y_g: Tensor, g: Sequence[float], x: Tensor, circular: bool, reading: Reading | None = None
) -> tuple[Tensor, Tensor] | None:
    """The cells of y that a shift of the image by g takes to cells of y_g, and the latter; vectors as they are.

    None if y fits no grid, if g moves no whole cells, or if no cell stays in sight. Without `circular`, nothing wraps around:
    content that entered at the border is cut. Where `reading` does not say which of several strides y has, as of the output of an
    inner layer without padding, that with the smallest error is taken.
    """
    pairs = [pair_by(layout, y, y_g, g, x, circular) for layout in candidates(y, x, reading)]
    acting = [pair for pair in pairs if pair is not None]
    return acting[0] if len(acting) == 1 else min(acting, key=distance, default=None)


def candidates(y: Tensor, x: Tensor, reading: Reading | None) -> list[Layout]:
    """How y may be read; in one way only if that is known, or if the cells cover the image as its pixels do."""
    first = layout_of(y, x, reading)
    if first is None:
        return []
    if closes(first, x) or (reading is not None and reading.covers(y)):
        return [first]
    return [layout for layout in layouts(y, x) if layout.likely and layout.output == first.output]


def distance(pair: tuple[Tensor, Tensor]) -> float:
    """Mean squared difference; infinite where shapes differ."""
    expected, actual = pair
    return float((actual.double() - expected.double()).square().mean()) if expected.shape == actual.shape else math.inf


def pair_by(
    layout: Layout, y: Tensor, y_g: Tensor, g: Sequence[float], x: Tensor, circular: bool
) -> tuple[Tensor, Tensor] | None:
    """`shift_pair` for one layout."""
    cells = cells_of(y, x, layout)
    if cells is None or y_g.shape != y.shape:
        return y, y_g
    after = cells_of(y_g, x, layout)
    assert after is not None
    by = shift_in_cells(layout, g)
    if by is None:
        return None
    axes = zip(layout.side, by, sides_of(x), layout.stride, strict=True)
    for axis, (count, moved, side, step) in enumerate(axes, start=1):
        source, target = wrapped(count, moved, side, step) if circular else direct(count, moved)
        if not len(source):
            return None
        cells, after = cells.index_select(axis, source.to(cells.device)), after.index_select(axis, target.to(after.device))
    return in_form_of(y, x, cells, layout), in_form_of(y_g, x, after, layout)


def sides_of(x: Tensor) -> tuple[int, ...]:
    """Rows and columns of an image (C, H, W), or of a series (C, T) as one row; (D, H, W) of a volume."""
    return (1, x.shape[1]) if x.ndim == 2 else tuple(x.shape[1:])


def closes(layout: Layout, x: Tensor) -> bool:
    """Whether the cells along both axes cover the image, so that they wrap around as it does."""
    return all(count * step == side for count, step, side in zip(layout.side, layout.stride, sides_of(x), strict=True))


def direct(cells: int, by: int) -> tuple[Tensor, Tensor]:
    """(from, to) of the cells of an axis that stay on it when all move by so many."""
    first = min(max(-by, 0), cells)
    source = torch.arange(first, max(cells - max(by, 0), first))
    return source, source + by


def wrapped(cells: int, by: int, side: int, step: Fraction) -> tuple[Tensor, Tensor]:
    """(from, to): cells of y that a cyclic shift of the image takes to cells of y_g, along one axis of `cells` cells.

    The circle has side / step cells. Where that is no whole number nothing wraps around, and where it is another number than
    `cells`, there are cells without a counterpart.
    """
    target = torch.arange(cells)
    source, circle = target - by, Fraction(side) / step
    outside = (source < 0) | (source >= cells)
    if circle.denominator == 1:
        source = torch.where(outside, source % int(circle), source)
    kept = (source >= 0) & (source < cells)
    return source[kept], target[kept]
