"""All heads of a sparse product as one matrix, whose rows and columns are pairs of a node and a head.

    y_(v, h) = Σ_{u → v} w_uv,h x_(u, h)

On a small graph, a CPU takes longer to start an operation for each head than to compute it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from erlangen.nn.graph.csr import CSR


@dataclass(frozen=True, eq=False)
class ByHead:
    """The places of the entries, sorted by node and head, as in `CSR`: rowptr (rows · heads + 1,), col (E · heads,).

    place (E · heads,): the position of each entry in weights (E, heads); position (E · heads,): the other way round.
    """

    rowptr: Tensor
    col: Tensor
    place: Tensor
    position: Tensor


@torch.inference_mode(False)
def by_head(csr: CSR, heads: int) -> ByHead:
    """The structure for so many heads; row v · heads + h has the entries of row v."""
    edges, head = torch.arange(len(csr.col), device=csr.col.device), torch.arange(heads, device=csr.col.device)
    first = csr.rowptr[:-1]
    start, degree = first.index_select(0, csr.row), csr.degree.index_select(0, csr.row)  # (E,)
    position = ((heads - 1) * start + edges)[:, None] + degree[:, None] * head  # (E, heads)
    rowptr = (heads * first)[:, None] + csr.degree[:, None] * head  # (rows, heads)
    place = torch.empty(position.numel(), dtype=torch.int64, device=csr.col.device)
    place[position.flatten()] = torch.arange(position.numel(), device=csr.col.device)
    col = csr.col.index_select(0, place // heads) * heads + place % heads
    end = csr.rowptr[-1:] * heads
    return ByHead(torch.cat([rowptr.flatten(), end]), col, place, position.flatten())
