"""What attention does on the edges of a graph: gather from both ends, dot, softmax over a node's edges, and weighted sums.

`SortedEdges` works on a CSR structure, without a row per edge where that can be avoided: on a CPU head by head, unless the graph
is small; on a GPU by kernels for all heads at once (see `launch`). `PlainEdges` does the same with plain operations on edges in
the given order: torch.compile and torch.export can trace them, a CSR structure they cannot.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.nn.graph import gpu_softmax, launch
from erlangen.nn.graph.csr import CSR, apply, edge_dot, first_order, of_sources, of_targets, product
from erlangen.nn.graph.leaky_scores import leaky_scores
from erlangen.nn.graph.softmax import softmax


class _EdgeSoftmax(torch.autograd.Function):
    """scores (E, heads) in the order of the CSR -> softmax over the entries of each row. Backward: α (g - Σ α g)."""

    @staticmethod
    def forward(scores: Tensor, csr: CSR) -> Tensor:
        if not scores.numel():
            return torch.empty_like(scores)
        if (attention := gpu_softmax.row_softmax(csr, scores)) is not None:
            return attention
        largest = row_maxima(csr, scores)  # (N_dst, heads)
        weight = (scores - largest.index_select(0, csr.row)).exp_()
        return weight.div_(product(csr.row_sums, weight).index_select(0, csr.row))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, CSR], output: Tensor) -> None:
        ctx.csr = inputs[1]
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (attention,), csr = ctx.saved_tensors, ctx.csr
        if first_order() and attention.numel() and (fused := gpu_softmax.row_softmax_gradient(csr, attention, grad)) is not None:
            return fused, None
        weighted = attention * grad
        return weighted - attention * of_targets(csr, product(csr.row_sums, weighted)), None

    @staticmethod
    def jvp(ctx: Any, d_scores: Tensor, _: None) -> Tensor:
        (attention,), csr = ctx.saved_tensors, ctx.csr
        weighted = attention * d_scores
        return weighted - attention * of_targets(csr, product(csr.row_sums, weighted))  # type: ignore[no-any-return]


def row_maxima(csr: CSR, scores: Tensor) -> Tensor:
    """The largest score of each row, (rows, heads), -inf for rows without entries."""
    if not launch.usable(scores):
        return torch.segment_reduce(scores, "max", offsets=csr.rowptr, axis=0, unsafe=True)
    # segment_reduce has one thread for each row, which takes long for a row with many entries.
    places = csr.row[:, None].expand_as(scores)
    return scores.new_full((csr.rows, scores.shape[1]), -torch.inf).scatter_reduce_(0, places, scores, "amax")


def edge_softmax(csr: CSR, scores: Tensor) -> Tensor:
    """Softmax of scores (E, heads), in the order of the CSR, over the edges that reach the same node.

    The largest score of each node is subtracted first, so that nothing overflows and no node's attention underflows.
    """
    exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return apply(_EdgeSoftmax, exact.contiguous(), csr).to(scores.dtype)


def attend(csr: CSR, attention: Tensor, value: Tensor, of_edges: Tensor | None = None) -> Tensor:
    """Σ over the entries of each row of attention (E, heads) · value (N_src, heads, C) -> (N_dst, heads, C).

    of_edges (E, heads, C): added to the value on each edge.
    """
    exact = torch.promote_types(value.dtype, torch.float32)
    out = product(csr, value.to(exact), attention.to(exact))
    if of_edges is not None:
        weighted = attention[..., None].to(exact) * of_edges.to(exact)
        out = out + product(csr.row_sums, weighted.flatten(1)).view_as(out)
    return out.to(value.dtype)


class SortedEdges:
    """The edges of a CSR structure, in its order."""

    def __init__(self, csr: CSR) -> None:
        self.csr = csr

    def sources(self, x: Tensor) -> Tensor:
        """x (N_src, ...) -> the row of each edge's source, (E, ...)."""
        return of_sources(self.csr, x)

    def targets(self, x: Tensor) -> Tensor:
        """x (N_dst, ...) -> the row of each edge's target, (E, ...)."""
        return of_targets(self.csr, x)

    def dot(self, query: Tensor, key: Tensor) -> Tensor:
        """query (N_dst, heads, C) and key (N_src, heads, C) -> their product on each edge and head, (E, heads)."""
        exact = torch.promote_types(query.dtype, torch.float32)
        return edge_dot(self.csr, query.to(exact), key.to(exact))

    def fuses(self, x: Tensor) -> bool:
        """Whether `leaky` is better than plain operations for features like x (N, heads, C)."""
        return launch.usable(x) or (x.device.type == "cpu" and x.shape[-1] > 1)

    def leaky(self, left: Tensor, right: Tensor, att: Tensor | None, given: Tensor | None, slope: float) -> Tensor:
        """Σ over the channels of att · LeakyReLU(left of the source + right of the target + given), (E, heads).

        left (N_src, heads, C), right (N_dst, heads, C), att (heads, C), given (E, heads, C).
        """
        return leaky_scores(self.csr, left, right, att, given, slope)

    def softmax(self, scores: Tensor) -> Tensor:
        """scores (E, heads) -> attention (E, heads), which adds up to 1 over the edges that reach a node."""
        return edge_softmax(self.csr, scores)

    def attend(self, attention: Tensor, value: Tensor, of_edges: Tensor | None) -> Tensor:
        """Σ over the edges that reach a node of attention · (value of the source + of_edges), (N_dst, heads, C)."""
        return attend(self.csr, attention, value, of_edges)

    def ordered(self, features: Tensor) -> Tensor:
        """Features (E, ...) in the order of edge_index -> in the order in which the edges are kept here."""
        return features.index_select(0, self.csr.order)

    def restored(self, attention: Tensor) -> Tensor:
        """The other way round."""
        return attention.index_select(0, self.csr.inverse)


class PlainEdges:
    """Edges in the given order: index (2, E), and the number of targets. The methods are those of `SortedEdges`."""

    def __init__(self, index: Tensor, num_targets: int) -> None:
        (self.source, self.target), self.num_targets = index, num_targets

    def sources(self, x: Tensor) -> Tensor:
        return x.index_select(0, self.source)

    def targets(self, x: Tensor) -> Tensor:
        return x.index_select(0, self.target)

    def dot(self, query: Tensor, key: Tensor) -> Tensor:
        exact = torch.promote_types(query.dtype, torch.float32)
        return (self.targets(query.to(exact)) * self.sources(key.to(exact))).sum(-1)

    def fuses(self, x: Tensor) -> bool:
        return False

    def leaky(self, left: Tensor, right: Tensor, att: Tensor | None, given: Tensor | None, slope: float) -> Tensor:
        z = self.sources(left) + self.targets(right)
        y = F.leaky_relu(z if given is None else z + given, slope)
        return (y if att is None else y * att).sum(-1)

    def softmax(self, scores: Tensor) -> Tensor:
        return softmax(scores, self.target, num_nodes=self.num_targets)

    def attend(self, attention: Tensor, value: Tensor, of_edges: Tensor | None) -> Tensor:
        exact = torch.promote_types(value.dtype, torch.float32)
        rows = self.sources(value).to(exact)
        rows = attention[..., None].to(exact) * (rows if of_edges is None else rows + of_edges.to(exact))
        return rows.new_zeros(self.num_targets, *rows.shape[1:]).index_add(0, self.target, rows).to(value.dtype)

    def ordered(self, features: Tensor) -> Tensor:
        return features

    def restored(self, attention: Tensor) -> Tensor:
        return attention
