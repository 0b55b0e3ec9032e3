"""Sums over a node's edges and dots on the edges by kernels (see `launch` for where they run; None elsewhere)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from erlangen.nn.graph import launch
from erlangen.nn.graph.launch import edge_blocks, fits, row_blocks

if TYPE_CHECKING:
    from erlangen.nn.graph.compact import Compact
    from erlangen.nn.graph.csr import CSR


def row_sums(
    csr: CSR, x: Tensor, weight: Tensor | None = None, ordered: bool = False, mean: bool = False, onto: Tensor | None = None
) -> Tensor | None:
    """Σ over the entries of each row of weight · x: x (cols, F) and weight (E,), or x (cols, heads, C) and weight (E, heads).

    -> (rows, F) or (rows, heads, C). ordered: the weight of entry e is weight[csr.order[e]]. mean: the sum is divided by the
    number of entries, if there are any. onto: a result, contiguous, to which all of it is added in place.
    """
    if not fits(x, weight, onto):
        return None
    c, heads = csr.compact, 1 if weight is None or weight.ndim == 1 else weight.shape[1]
    flags = {"WEIGHTED": weight is not None, "ORDERED": ordered, "GATHERED": True, "DIVIDED": False}
    sums = started(c, x.contiguous(), weight, c.order, heads, flags, mean, onto)
    if sums is None or c.parts is None:
        return sums
    sums = sums.div_(csr.divisor) if mean else sums
    return sums if onto is None else onto.add_(sums)


def divided_sums(csr: CSR, x: Tensor, divisor: Tensor) -> Tensor | None:
    """Σ over the entries of each row of x / divisor, both of the entry's column: x (cols, F), divisor (cols,) -> (rows, F)."""
    if not fits(x):
        return None
    flags = {"WEIGHTED": True, "ORDERED": True, "GATHERED": True, "DIVIDED": True}
    return started(csr.compact, x.contiguous(), divisor, csr.compact.col, 1, flags)


def started(
    c: Compact, x: Tensor, weight: Tensor | None, order: Tensor, heads: int, flags: dict[str, bool], mean: bool = False,
    onto: Tensor | None = None,
) -> Tensor | None:  # fmt: skip
    """The sums of each row; where rows are in pieces, without the mean and not added to anything."""
    whole = c.parts is None
    sums = onto if whole and onto is not None else x.new_empty(c.pieces, *x.shape[1:])
    constants, blocks = row_blocks(heads, x.shape[1:].numel() // heads)
    constants |= {**flags, "MEAN": whole and mean, "ADDED": whole and onto is not None}
    given = (x, x if weight is None else weight.contiguous(), c.col, order, c.rowptr, sums)
    if not launch.start("row_sums", (c.pieces, blocks), given, constants, warps=1):
        return None
    return sums if c.parts is None else joined(sums, c.parts)


def joined(sums: Tensor, parts: Tensor) -> Tensor | None:
    """The sums of the pieces of each row: sums (pieces, ...) -> (rows, ...)."""
    out = sums.new_empty(len(parts) - 1, *sums.shape[1:])
    constants, blocks = row_blocks(1, sums.shape[1:].numel())
    constants |= dict.fromkeys(("WEIGHTED", "ORDERED", "GATHERED", "DIVIDED", "MEAN", "ADDED"), False)
    given = (sums, sums, parts, parts, parts, out)
    return out if launch.start("row_sums", (len(out), blocks), given, constants, warps=1) else None


def edge_dots(csr: CSR, a: Tensor, b: Tensor) -> Tensor | None:
    """a_v · b_u for every entry (v, u): (rows, F) and (cols, F) -> (E,); (rows, heads, C) and (cols, heads, C) -> (E, heads)."""
    if not fits(a, b):
        return None
    heads, c, a, b = (1 if a.ndim == 2 else a.shape[1]), csr.compact, a.contiguous(), b.contiguous()
    constants, grid = edge_blocks(heads, a.shape[-1], len(c.col))
    out = a.new_empty(len(c.col), *a.shape[1:-1])
    return out if launch.start("edge_dots", grid, (a, b, c.row, c.col, out, len(c.col)), constants) else None
