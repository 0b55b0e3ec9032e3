"""The scores of GAT and GATv2 by kernels (see `launch` for where they run; None elsewhere)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from erlangen.nn.graph import launch
from erlangen.nn.graph.gpu_sums import joined
from erlangen.nn.graph.launch import edge_blocks, fits, row_blocks

if TYPE_CHECKING:
    from erlangen.nn.graph.csr import CSR


def leaky_scores(csr: CSR, left: Tensor, right: Tensor, att: Tensor | None, given: Tensor | None, slope: float) -> Tensor | None:
    """Σ over the channels of att · LeakyReLU(left_u + right_v + given) for every entry (v, u), (E, heads).

    left (cols, heads, C), right (rows, heads, C), att (heads, C) or None for 1, given (E, heads, C) or None for 0.
    """
    if not fits(left, right, att, given):
        return None
    c, left, right = csr.compact, left.contiguous(), right.contiguous()
    constants, grid = edge_blocks(left.shape[1], left.shape[2], len(c.col))
    constants |= {"SLOPE": slope, "WEIGHTED": att is not None, "GIVEN": given is not None}
    out = left.new_empty(len(c.col), left.shape[1])
    optional = (left if att is None else att.contiguous(), left if given is None else given.contiguous())
    return out if launch.start("leaky_scores", grid, (left, right, *optional, c.row, c.col, out, len(c.col)), constants) else None


def leaky_sums(
    csr: CSR, here: Tensor, there: Tensor, given: Tensor | None, grad: Tensor, slope: float, ordered: bool
) -> Tensor | None:
    """Σ over the entries of each row of grad · LeakyReLU'(here_v + there_u + given), (rows, heads, C).

    here (rows, heads, C), there (cols, heads, C), given (E, heads, C) or None, grad (E, heads); ordered as in `row_sums`.
    """
    if not fits(here, there, given, grad):
        return None
    c, here, there = csr.compact, here.contiguous(), there.contiguous()
    constants, blocks = row_blocks(here.shape[1], here.shape[2])
    constants |= {"SLOPE": slope, "GIVEN": given is not None, "ORDERED": ordered, "SPLIT": c.owner is not None}
    sums = here.new_empty(c.pieces, *here.shape[1:])
    optional = (here if given is None else given.contiguous(), grad.contiguous(), c.rowptr if c.owner is None else c.owner)
    arguments = (here, there, *optional, c.col, c.order, c.rowptr, sums)
    if not launch.start("leaky_sums", (c.pieces, blocks), arguments, constants, warps=1):
        return None
    return sums if c.parts is None else joined(sums, c.parts)


def leaky_slopes(csr: CSR, left: Tensor, right: Tensor, given: Tensor, grad: Tensor, slope: float) -> Tensor | None:
    """grad · LeakyReLU'(left_u + right_v + given) for every entry (v, u), (E, heads, C); shapes as in `leaky_scores`."""
    if not fits(left, right, given, grad):
        return None
    c, left, right, given = csr.compact, left.contiguous(), right.contiguous(), given.contiguous()
    constants, blocks = row_blocks(left.shape[1], left.shape[2])
    constants |= {"SLOPE": slope}
    out, grid = torch.empty_like(given), (-(-len(c.col) // constants["BLOCK_E"]), blocks)
    arguments = (left, right, given, grad.contiguous(), c.row, c.col, out, len(c.col))
    return out if launch.start("leaky_slopes", grid, arguments, constants, warps=1) else None
