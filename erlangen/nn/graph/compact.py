"""A CSR structure as the kernels on a GPU read it: 32-bit indices where they fit, and long rows cut into pieces.

A program sums one row, and a node with 100,000 edges would keep it busy long after all others have finished. Rows of more than
`LONGEST` entries are therefore summed in pieces, whose sums are then added. Pieces depend on the graph alone, so sums have the
same bits in every run.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LONGEST = 1024  # entries of a row, or of a piece of one


@dataclass(frozen=True, eq=False)
class Compact:
    """rowptr (pieces + 1,), and row, col, order (E,) as in `CSR`; int32, or int64 where numbers are too large.

    If a row is long: owner (pieces,), the row of each piece, and parts (rows + 1,): row v has the pieces from parts[v] to
    parts[v + 1]. Otherwise both are None, and each row is a piece.
    """

    rowptr: Tensor
    row: Tensor
    col: Tensor
    order: Tensor
    pieces: int
    owner: Tensor | None = None
    parts: Tensor | None = None


def compact(rowptr: Tensor, col: Tensor, order: Tensor, rows: int, cols: int) -> Compact:
    """The structure for the kernels; reads the largest degree from the device once."""
    degree = rowptr.diff()
    row = narrow(torch.arange(rows, device=col.device), rows).repeat_interleave(degree, output_size=len(col))
    short = (row, narrow(col, cols), narrow(order, len(col)))
    if not rows or int(degree.max()) <= LONGEST:
        return Compact(narrow(rowptr, len(col)), *short, pieces=rows)
    pointers, owner, parts = cut(rowptr, LONGEST)
    bound = max(len(owner), len(col))
    return Compact(narrow(pointers, bound), *short, pieces=len(owner), owner=narrow(owner, rows), parts=narrow(parts, bound))


def cut(rowptr: Tensor, longest: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows in pieces of at most `longest` entries: their pointers (pieces + 1,), their rows (pieces,), and parts (rows + 1,).

    A row without entries has one piece without entries.
    """
    counts = ((rowptr.diff() + longest - 1) // longest).clamp(min=1)  # (rows,)
    parts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    owner = torch.arange(len(counts), device=rowptr.device).repeat_interleave(counts)
    within = torch.arange(len(owner), device=rowptr.device) - parts[owner]
    return torch.cat([rowptr[owner] + within * longest, rowptr[-1:]]), owner, parts


def narrow(index: Tensor, bound: int) -> Tensor:
    """In int32 if numbers up to `bound` fit."""
    return index.to(torch.int32) if bound < 2**31 else index
