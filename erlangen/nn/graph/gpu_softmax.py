"""The softmax over a node's edges by kernels (see `launch` for where they run; None elsewhere)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from erlangen.nn.graph import launch
from erlangen.nn.graph.gpu_sums import joined
from erlangen.nn.graph.launch import fits, power

if TYPE_CHECKING:
    from erlangen.nn.graph.csr import CSR


def row_softmax(csr: CSR, scores: Tensor) -> Tensor | None:
    """The softmax of scores (E, heads) over the entries of each row."""
    if not fits(scores):
        return None
    c, scores = csr.compact, scores.contiguous()
    out = torch.empty_like(scores)
    constants, grid = softmax_blocks(c.pieces, scores.shape[1])
    if c.owner is None:
        return out if launch.start("row_softmax", grid, (scores, c.rowptr, out), constants, warps=1) else None
    largest, total = (scores.new_empty(c.pieces, scores.shape[1]) for _ in range(2))
    if not launch.start("piece_sums", grid, (scores, c.rowptr, largest, total), constants, warps=1):
        return None
    given = (scores, largest, total, c.owner, c.parts, c.rowptr, out)
    return out if launch.start("piece_softmax", grid, given, constants, warps=1) else None


def row_softmax_gradient(csr: CSR, attention: Tensor, grad: Tensor) -> Tensor | None:
    """The gradient of the scores, (E, heads), from the attention and its gradient."""
    if not fits(attention, grad):
        return None
    c, attention, grad = csr.compact, attention.contiguous(), grad.contiguous()
    out = torch.empty_like(attention)
    constants, grid = softmax_blocks(c.pieces, attention.shape[1])
    if c.parts is None:
        return out if launch.start("row_softmax_gradient", grid, (attention, grad, c.rowptr, out), constants, warps=1) else None
    sums = grad.new_empty(c.pieces, grad.shape[1])
    if not launch.start("piece_weighted_sums", grid, (attention, grad, c.rowptr, sums), constants, warps=1):
        return None
    means = joined(sums, c.parts)
    given = (attention, grad, means, c.owner, c.rowptr, out)
    return out if means is not None and launch.start("piece_softmax_gradient", grid, given, constants, warps=1) else None


def softmax_blocks(rows: int, heads: int) -> tuple[dict[str, Any], tuple[int, int]]:
    """The constants and the grid of a kernel whose programs have a row, or a piece of one, and a block of heads."""
    h = min(power(heads), 32)
    return {"HEADS": heads, "BLOCK_E": 32, "BLOCK_H": h}, (rows, -(-heads // h))
