"""How an output is laid out over its image: as a map, as the tokens of a ViT on their grid, or as a vector without positions.

The output y of one image x (C, H, W) is a vector (D,), a map (C', h, w), or tokens (T, D) with T = k + h·w: first k class or
register tokens, which have no position and so are invariant, then the grid, row by row. A grid has the aspect ratio of the image;
this also distinguishes a map (C', h, w) from one with channels last. A map of one cell counts as a pooled vector. Any other list
of vectors with as many rows as a grid, such as the queries of a detector, looks like tokens: reduce it first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

LEADING = (0, 1, 2, 4, 5)  # class; class and distillation; four registers; class and four registers


def grid(y: Tensor, x: Tensor) -> tuple[int, int, int] | None:
    """(k, h, w): leading tokens, rows and columns of y, an output for x. (0, 1, 1) for a vector; None if y fits no grid."""
    if y.dim() <= 1:
        return 0, 1, 1
    if y.dim() == 3:
        h, w = y.shape[-2:]
        return (0, h, w) if has_ratio_of(x, (h, w)) else None
    if y.dim() != 2:
        return None
    for rounded in (False, True):  # the exact aspect ratio first: with other leading tokens, other grids may come close
        for k in LEADING:
            for side in possible_sides(len(y) - k, x):
                if has_ratio_of(x, side, rounded):
                    return k, *side
    return None


def possible_sides(count: int, x: Tensor) -> Iterator[tuple[int, int]]:
    """Rows and columns of `count` cells, with about the aspect ratio of the image and no finer than its pixels."""
    height, width = x.shape[-2:]
    least = math.isqrt(max(count, 0) * height // width)
    for rows in (least, least + 1):  # the root is rounded down
        columns, rest = divmod(count, rows) if rows else (0, 1)
        if not rest and 0 < columns <= width and rows <= height:
            yield rows, columns


def has_ratio_of(x: Tensor, side: tuple[int, int], rounded: bool = True) -> bool:
    """Whether a grid has the image's aspect ratio. rounded: up to one row or column, which a stride may round away."""
    (h, w), (height, width) = side, x.shape[-2:]
    return abs(h * width - w * height) < (max(height, width) if rounded else 1)


def to_map(y: Tensor, x: Tensor) -> Tensor | None:
    """y as a map (C', h, w), without its leading tokens; None if y is a vector or fits no grid."""
    layout = grid(y, x)
    if layout is None or layout[1:] == (1, 1):
        return None
    k, h, w = layout
    return y if y.dim() == 3 else y[k:].T.reshape(-1, h, w)


def from_map(cells: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The inverse of `to_map`: cells (C', h', w') in the layout of y, after its leading tokens; h' and w' may differ from y's."""
    layout = grid(y, x)
    if layout is None:
        raise ValueError(f"an output of shape {tuple(y.shape)} fits no grid over an image of shape {tuple(x.shape)}")
    if y.dim() == 3:
        return cells
    return torch.cat([y[: layout[0]], cells.flatten(1).T])


def on_grid(y: Tensor, x: Tensor, change: Callable[[Tensor], Tensor | None]) -> Tensor | None:
    """y with `change` applied to its map; a vector unchanged; None if y fits no grid or `change` returns None."""
    if grid(y, x) is None:
        return None
    cells = to_map(y, x)
    if cells is None:
        return y
    changed = change(cells)
    return None if changed is None else from_map(changed, y, x)


def stride(y: Tensor, x: Tensor) -> tuple[int, int]:
    """The smallest shift of x in pixels that shifts y by whole cells: H / gcd(H, h), likewise for W; (1, 1) for a vector."""
    cells = to_map(y, x)
    if cells is None:
        return 1, 1
    (height, width), (h, w) = x.shape[-2:], cells.shape[-2:]
    return height // math.gcd(height, h), width // math.gcd(width, w)


def shift_in_cells(cells: Tensor, x: Tensor, g: tuple[float, float]) -> tuple[int, int] | None:
    """g·h/H, the shift g of x in cells of a map (C', h, w); None if that is not a whole number."""
    down, right = (pixels * n / side for pixels, n, side in zip(g, cells.shape[-2:], x.shape[-2:], strict=True))
    if max(abs(down - round(down)), abs(right - round(right))) > 1e-9:  # with sides below 10⁵, only rounding is this small
        return None
    return round(down), round(right)
