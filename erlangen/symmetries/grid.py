"""Where the parts of an output lie in the image: maps, tokens of a ViT put back on their grid, and vectors, which have no place.

One output y of one image x (C, H, W) is a vector (D,), a map (C', h, w), or tokens (T, D) with T = k + h·w: k class or register
tokens first, which have no place and so are invariant, then the grid, row by row. A grid has the image's aspect ratio, which also
tells a map (C', h, w) from one with channels last. A map of one cell is a pooled vector. Any other list of vectors with as many
rows as a grid would have, the queries of a detector, cannot be told from tokens: reduce it before it gets here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

LEADING = (0, 1, 2, 4, 5)  # class token, class and distillation token, four registers, class token and four registers


def grid(y: Tensor, x: Tensor) -> tuple[int, int, int] | None:
    """(k, h, w): leading tokens, rows and columns of y, an output for x; (k, 1, 1) for a vector; None where y fits no grid."""
    if y.dim() <= 1:
        return 0, 1, 1
    if y.dim() == 3:
        h, w = y.shape[-2:]
        return (0, h, w) if like((h, w), x) else None
    if y.dim() != 2:
        return None
    for rounded in (False, True):  # the image's very ratio first: with some more tokens in front, others are near to it
        for k in LEADING:
            for side in sides(len(y) - k, x):
                if like(side, x, rounded):
                    return k, *side
    return None


def sides(count: int, x: Tensor) -> Iterator[tuple[int, int]]:
    """Rows and columns of `count` cells whose ratio is nearest to the image's, none finer than its pixels."""
    height, width = x.shape[-2:]
    least = math.isqrt(max(count, 0) * height // width)
    for rows in (least, least + 1):  # the root is rounded down
        columns, rest = divmod(count, rows) if rows else (0, 1)
        if not rest and 0 < columns <= width and rows <= height:
            yield rows, columns


def like(side: tuple[int, int], x: Tensor, rounded: bool = True) -> bool:
    """Whether a grid has the image's aspect ratio, `rounded`: up to the one row or column that a stride rounds away."""
    (h, w), (height, width) = side, x.shape[-2:]
    return abs(h * width - w * height) < (max(height, width) if rounded else 1)


def to_map(y: Tensor, x: Tensor) -> Tensor | None:
    """y as a map (C', h, w), without its leading tokens; None where y is a vector or fits no grid."""
    found = grid(y, x)
    if found is None or found[1:] == (1, 1):
        return None
    k, h, w = found
    return y if y.dim() == 3 else y[k:].T.reshape(-1, h, w)


def from_map(cells: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The inverse of `to_map`: cells (C', h', w') in the form of y, behind its leading tokens; h', w' may be others than y's."""
    found = grid(y, x)
    if found is None:
        raise ValueError(f"from_map: an output {tuple(y.shape)} fits no grid on an image {tuple(x.shape)}")
    if y.dim() == 3:
        return cells
    return torch.cat([y[: found[0]], cells.flatten(1).T])


def on_grid(y: Tensor, x: Tensor, change: Callable[[Tensor], Tensor | None]) -> Tensor | None:
    """`change` applied to the map in y; a vector as it is; None where y fits no grid or `change` has no answer."""
    found = grid(y, x)
    if found is None:
        return None
    cells = to_map(y, x)
    if cells is None:
        return y
    changed = change(cells)
    return None if changed is None else from_map(changed, y, x)


def stride(y: Tensor, x: Tensor) -> tuple[int, int]:
    """The least shift of x, in whole pixels, that shifts y by whole cells: H / gcd(H, h), and so for W; (1, 1) for a vector."""
    cells = to_map(y, x)
    if cells is None:
        return 1, 1
    (height, width), (h, w) = x.shape[-2:], cells.shape[-2:]
    return height // math.gcd(height, h), width // math.gcd(width, w)


def shift_in_cells(cells: Tensor, x: Tensor, g: tuple[float, float]) -> tuple[int, int] | None:
    """g·h/H, the shift g of x in cells of a map (C', h, w); None where it is not whole."""
    down, right = (pixels * n / side for pixels, n, side in zip(g, cells.shape[-2:], x.shape[-2:], strict=True))
    if max(abs(down - round(down)), abs(right - round(right))) > 1e-9:  # sides are below 10⁵: only rounding is this small
        return None
    return round(down), round(right)
