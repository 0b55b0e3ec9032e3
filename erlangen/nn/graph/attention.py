"""Attention over the edges of a graph: GAT, GATv2 and the Transformer's dot product.

    y_v = Σ_{u → v} α_uv W h_u,    α_uv = exp(s_uv) / Σ_{k → v} exp(s_kv)            per head

    GAT      s_uv = LeakyReLU(a_src · W h_u + a_dst · W h_v)              its ranking of neighbors is the same for every v
    GATv2    s_uv = a · LeakyReLU(W_l h_u + W_r h_v)                      it need not be
    dot      s_uv = (W_q h_v) · (W_k h_u) / √C

Sources: Veličković et al., ICLR 2018; Brody, Alon & Yahav, ICLR 2022; Shi et al., "Masked Label Prediction", IJCAI 2021.
Parameters are named and shaped as in PyG's `GATConv`, `GATv2Conv`, `TransformerConv`: state dicts load across.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn.graph.algebra import add_self_loops, check_edge_index, check_features
from erlangen.nn.graph.convolution import linear, widths
from erlangen.nn.graph.csr import CSR, edge_dot, of_sources, of_targets, product, remember, structure
from erlangen.nn.graph.message_passing import Nodes, both_ends

Attended = Tensor | tuple[Tensor, tuple[Tensor, Tensor]]  # output, with the edges and their attention (E, heads) where asked for


class _EdgeSoftmax(torch.autograd.Function):
    """scores (E, heads) in the order of the CSR -> softmax over the entries of each row. One pass back: α (g - Σ α g)."""

    @staticmethod
    def forward(scores: Tensor, csr: CSR) -> Tensor:
        if not scores.numel():
            return torch.empty_like(scores)
        largest = torch.segment_reduce(scores, "max", offsets=csr.rowptr, axis=0, unsafe=True)  # (N_dst, heads)
        weight = (scores - largest.index_select(0, csr.row)).exp_()
        return weight.div_(product(csr.row_sums, weight).index_select(0, csr.row))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, CSR], output: Tensor) -> None:
        ctx.csr = inputs[1]
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (attention,), csr = ctx.saved_tensors, ctx.csr
        weighted = attention * grad
        return weighted - attention * of_targets(csr, product(csr.row_sums, weighted)), None


def edge_softmax(csr: CSR, scores: Tensor) -> Tensor:
    """Softmax of scores (E, heads), in the order of the CSR, over the edges that reach the same node.

    The largest score of each node is taken off first: no overflow, and no node's attention vanishes beside another's.
    """
    exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return cast(Tensor, _EdgeSoftmax.apply(exact.contiguous(), csr)).to(scores.dtype)  # type: ignore[no-untyped-call]


def attend(csr: CSR, attention: Tensor, value: Tensor) -> Tensor:
    """Σ over each row's entries of attention (E, heads) · value (N_src, heads, C) -> (N_dst, heads, C)."""
    exact = torch.promote_types(value.dtype, torch.float32)
    heads = [product(csr, v.to(exact), a.to(exact)) for v, a in zip(value.unbind(1), attention.unbind(1), strict=True)]
    return torch.stack(heads, dim=1).to(value.dtype)


class _GraphAttention(nn.Module):
    """What the three layers share: checks, loops, softmax, dropout, heads."""

    def __init__(self, out_channels: int, heads: int, concat: bool, dropout: float) -> None:
        super().__init__()
        if heads < 1:
            raise ValueError(f"{type(self).__name__}: heads {heads}: at least 1")
        self.out_channels, self.heads, self.concat, self.dropout = out_channels, heads, concat, dropout
        self.width = out_channels * (heads if concat else 1)

    def graph(self, x: Nodes, edge_index: Tensor, loops: bool) -> tuple[Tensor, CSR]:
        """The edges attended over, and their structure."""
        source, target = both_ends(x)
        check_features(source)
        if target is not source:
            check_features(target, "x of the targets")
        n_src, n_dst = len(source), len(target)
        if loops:
            given = edge_index
            edge_index = remember(given, ("loops", n_src, n_dst), lambda: _looped(given, n_src, n_dst))
        return edge_index, structure(edge_index, n_src, n_dst)

    def split(self, h: Tensor) -> Tensor:
        return h.view(-1, self.heads, self.out_channels)

    def read(
        self, edges: Tensor, csr: CSR, scores: Tensor, value: Tensor, added: Tensor | None, return_attention: bool
    ) -> Attended:
        """scores (E, heads) in the order of the CSR, value (N_src, heads, C) -> output (N_dst, width), `added` included."""
        attention = edge_softmax(csr, scores)
        out = attend(csr, F.dropout(attention, self.dropout, self.training), value)
        out = out.flatten(1) if self.concat else out.mean(1)
        out = out if added is None else out + added
        return (out, (edges.clone(), attention.index_select(0, csr.inverse))) if return_attention else out


def _looped(edge_index: Tensor, num_sources: int, num_targets: int) -> Tensor:
    check_edge_index(edge_index, num_sources, num_targets)
    return add_self_loops(edge_index, min(num_sources, num_targets))


class GATConv(_GraphAttention):
    """Graph attention. x (N, in) or (x_src, x_dst), edge_index (2, E) -> (N_dst, heads · out), or the heads' mean (N_dst, out).

    in_channels: a width, -1 for that of the first input, or a pair, which gives sources and targets weights of their own.
    add_self_loops: one for each node that has none; between two sets, from source i to target i. Loops given stay as they are.
    dropout: share of the attention that training drops. return_attention_weights: also (edges (2, E'), attention (E', heads)),
    before dropout: the edges given, in their order, then the loops added. Raises ValueError for input that does not fit.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        heads: int = 1,
        *,
        concat: bool = True,
        negative_slope: float = 0.2,
        dropout: float = 0.0,
        add_self_loops: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__(out_channels, heads, concat, dropout)
        self.negative_slope, self.add_self_loops = negative_slope, add_self_loops
        if isinstance(in_channels, int):
            self.lin = linear(in_channels, heads * out_channels, bias=False, glorot=True)
        else:
            self.lin_src = linear(in_channels[0], heads * out_channels, bias=False, glorot=True)
            self.lin_dst = linear(in_channels[1], heads * out_channels, bias=False, glorot=True)
        self.shared = isinstance(in_channels, int)
        self.att_src = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, heads, out_channels)))
        self.att_dst = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, heads, out_channels)))
        self.bias = nn.Parameter(torch.zeros(self.width)) if bias else None

    def forward(self, x: Nodes, edge_index: Tensor, return_attention_weights: bool = False) -> Attended:
        edges, csr = self.graph(x, edge_index, self.add_self_loops)
        source, target = both_ends(x)
        h_src = self.split(self.lin(source) if self.shared else self.lin_src(source))  # (N_src, heads, C)
        h_dst = h_src if self.shared and target is source else self.split((self.lin if self.shared else self.lin_dst)(target))
        # a · [W h_u, W h_v] is a sum of two numbers, one for each end: nothing of width C is ever held for an edge.
        of_source, of_target = (h_src * self.att_src).sum(-1), (h_dst * self.att_dst).sum(-1)  # (N, heads)
        scores = F.leaky_relu(of_sources(csr, of_source) + of_targets(csr, of_target), self.negative_slope)
        return self.read(edges, csr, scores, h_src, self.bias, return_attention_weights)


class GATv2Conv(_GraphAttention):
    """Graph attention whose ranking of neighbors depends on the node that asks. Arguments and shapes as `GATConv`."""

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        heads: int = 1,
        *,
        concat: bool = True,
        negative_slope: float = 0.2,
        dropout: float = 0.0,
        add_self_loops: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__(out_channels, heads, concat, dropout)
        self.negative_slope, self.add_self_loops = negative_slope, add_self_loops
        self.lin_l = linear(widths(in_channels)[0], heads * out_channels, bias, glorot=True)
        self.lin_r = linear(widths(in_channels)[1], heads * out_channels, bias, glorot=True)
        self.att = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, heads, out_channels)))
        self.bias = nn.Parameter(torch.zeros(self.width)) if bias else None

    def forward(self, x: Nodes, edge_index: Tensor, return_attention_weights: bool = False) -> Attended:
        edges, csr = self.graph(x, edge_index, self.add_self_loops)
        source, target = both_ends(x)
        h_src, h_dst = self.split(self.lin_l(source)), self.split(self.lin_r(target))
        joined = F.leaky_relu(of_sources(csr, h_src) + of_targets(csr, h_dst), self.negative_slope)  # (E, heads, C)
        return self.read(edges, csr, (joined * self.att).sum(-1), h_src, self.bias, return_attention_weights)


class TransformerConv(_GraphAttention):
    """Multi-head dot-product attention over edges, plus `lin_skip` of the node itself where `root_weight`.

    On `complete_graph(N)` it is a Transformer's self-attention, on `complete_graph(N, causal=True)` a causal one. It adds no
    self-loops. Arguments and shapes as `GATConv`.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        heads: int = 1,
        *,
        concat: bool = True,
        dropout: float = 0.0,
        bias: bool = True,
        root_weight: bool = True,
    ) -> None:
        super().__init__(out_channels, heads, concat, dropout)
        n_src, n_dst = widths(in_channels)
        self.lin_key = linear(n_src, heads * out_channels, bias)
        self.lin_query = linear(n_dst, heads * out_channels, bias)
        self.lin_value = linear(n_src, heads * out_channels, bias)
        self.lin_skip = linear(n_dst, self.width, bias) if root_weight else None

    def forward(self, x: Nodes, edge_index: Tensor, return_attention_weights: bool = False) -> Attended:
        edges, csr = self.graph(x, edge_index, loops=False)
        source, target = both_ends(x)
        query, key, value = (
            self.split(self.lin_query(target)),
            self.split(self.lin_key(source)),
            self.split(self.lin_value(source)),
        )
        exact = torch.promote_types(query.dtype, torch.float32)
        dots = [edge_dot(csr, q.to(exact), k.to(exact)) for q, k in zip(query.unbind(1), key.unbind(1), strict=True)]
        scores = torch.stack(dots, dim=1) / math.sqrt(self.out_channels)  # (E, heads)
        skip = None if self.lin_skip is None else self.lin_skip(target)
        return self.read(edges, csr, scores, value, skip, return_attention_weights)
