"""Attention over the edges of a graph: GAT, GATv2 and the Transformer's dot product.

    y_v = Σ_{u → v} α_uv W h_u,    α_uv = exp(s_uv) / Σ_{k → v} exp(s_kv)            per head

    GAT      s_uv = LeakyReLU(a_src · W h_u + a_dst · W h_v)              ranks neighbors in the same order for every v
    GATv2    s_uv = a · LeakyReLU(W_l h_u + W_r h_v)                      can rank them in different orders
    dot      s_uv = (W_q h_v) · (W_k h_u) / √C

A layer with an `edge_dim` uses features e_uv of the edges: inside the LeakyReLU, GAT adds a_edge · W_e e_uv and GATv2 adds
W_e e_uv; dot uses W_k h_u + W_e e_uv in the score and W h_u + W_e e_uv in the sum.

Sources: Veličković et al., ICLR 2018; Brody, Alon & Yahav, ICLR 2022; Shi et al., "Masked Label Prediction", IJCAI 2021.
Parameters are named and shaped as in PyG's `GATConv`, `GATv2Conv`, `TransformerConv`: state dicts load across.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn.dropout import dropout
from erlangen.nn.graph.aggregate import aggregate
from erlangen.nn.graph.algebra import add_self_loops
from erlangen.nn.graph.checks import check_edge_index, check_finite
from erlangen.nn.graph.convolution import linear, widths
from erlangen.nn.graph.csr import CSR, edge_dot, of_sources, of_targets, product, remember, structure
from erlangen.nn.graph.features import check_features
from erlangen.nn.graph.message_passing import Nodes, both_ends

Attended = Tensor | tuple[Tensor, tuple[Tensor, Tensor]]  # output, and on request the edges and their attention (E, heads)


class _EdgeSoftmax(torch.autograd.Function):
    """scores (E, heads) in the order of the CSR -> softmax over the entries of each row. Backward: α (g - Σ α g)."""

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

    The largest score of each node is subtracted first, so that nothing overflows and no node's attention underflows.
    """
    exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return cast(Tensor, _EdgeSoftmax.apply(exact.contiguous(), csr)).to(scores.dtype)  # type: ignore[no-untyped-call]


def attend(csr: CSR, attention: Tensor, value: Tensor, of_edges: Tensor | None = None) -> Tensor:
    """Σ over the entries of each row of attention (E, heads) · value (N_src, heads, C) -> (N_dst, heads, C).

    of_edges (E, heads, C): added to the value on each edge.
    """
    exact = torch.promote_types(value.dtype, torch.float32)
    heads = [product(csr, v.to(exact), a.to(exact)) for v, a in zip(value.unbind(1), attention.unbind(1), strict=True)]
    out = torch.stack(heads, dim=1)
    if of_edges is not None:
        weighted = attention[..., None].to(exact) * of_edges.to(exact)
        out = out + product(csr.row_sums, weighted.flatten(1)).view_as(out)
    return out.to(value.dtype)


class _GraphAttention(nn.Module):
    """The common part of the three layers: checks, self-loops, softmax, dropout and heads."""

    lin_edge: nn.Linear | None

    def __init__(self, out_channels: int, heads: int, concat: bool, dropout: float, edge_dim: int | None) -> None:
        super().__init__()
        if heads < 1:
            raise ValueError(f"{type(self).__name__}: heads {heads} must be at least 1")
        if edge_dim is not None and edge_dim < 1:
            raise ValueError(f"{type(self).__name__}: edge_dim {edge_dim} must be at least 1, or None without edge features")
        self.out_channels, self.heads, self.concat, self.dropout = out_channels, heads, concat, dropout
        self.width, self.edge_dim = out_channels * (heads if concat else 1), edge_dim

    def graph(self, x: Nodes, edge_index: Tensor, edge_attr: Tensor | None, loops: bool) -> tuple[Tensor, CSR, Tensor | None]:
        """The edges of the attention, their CSR structure, and their features in its order, (E', edge_dim)."""
        source, target = both_ends(x)
        check_features(source)
        if target is not source:
            check_features(target, "x of the targets")
        n_src, n_dst = len(source), len(target)
        edges = edge_index
        if loops:
            edges = remember(edge_index, ("loops", n_src, n_dst), lambda: _looped(edge_index, n_src, n_dst))
        csr = structure(edges, n_src, n_dst)
        self.check_edge_attr(edge_attr, edge_index.shape[1])
        if edge_attr is None:
            return edges, csr, None
        if len(added := edges[1, edge_index.shape[1] :]):  # an added loop gets the mean of the incoming edges' features
            edge_attr = torch.cat([edge_attr, aggregate(edge_attr, edge_index[1], n_dst, "mean").index_select(0, added)])
        return edges, csr, edge_attr.index_select(0, csr.order)

    def check_edge_attr(self, edge_attr: Tensor | None, num_edges: int) -> None:
        name, expected = type(self).__name__, (num_edges, self.edge_dim)
        if self.edge_dim is None:
            if edge_attr is not None:
                raise ValueError(
                    f"{name}: the layer has no edge_dim, but there is an edge_attr: give it an edge_dim, or leave edge_attr out"
                )
            return
        if edge_attr is None:
            raise ValueError(
                f"{name}: the layer has edge_dim {self.edge_dim}, but there is no edge_attr: pass features {expected}, one row "
                f"per edge"
            )
        if edge_attr.shape != expected:
            raise ValueError(f"edge_attr must have shape {expected}, one row per edge, but has {tuple(edge_attr.shape)}")
        if not edge_attr.is_floating_point():
            raise ValueError(f"edge_attr must have a floating-point dtype, not {edge_attr.dtype}: convert it with .float()")
        check_finite("edge_attr", edge_attr)

    def of_edges(self, features: Tensor | None) -> Tensor | None:
        """W_e e for every edge, (E, heads, C), in the order of the features."""
        return None if features is None or self.lin_edge is None else self.split(self.lin_edge(features))

    def split(self, h: Tensor) -> Tensor:
        return h.view(-1, self.heads, self.out_channels)

    def read(
        self,
        edges: Tensor,
        csr: CSR,
        scores: Tensor,
        value: Tensor,
        added: Tensor | None,
        return_attention: bool,
        of_edges: Tensor | None = None,
    ) -> Attended:
        """scores (E, heads) in the order of the CSR, value (N_src, heads, C) -> output (N_dst, width), `added` included."""
        attention = edge_softmax(csr, scores)
        out = attend(csr, dropout(attention, self.dropout, self.training), value, of_edges)
        out = out.flatten(1) if self.concat else out.mean(1)
        out = out if added is None else out + added
        return (out, (edges.clone(), attention.index_select(0, csr.inverse))) if return_attention else out


def _looped(edge_index: Tensor, num_sources: int, num_targets: int) -> Tensor:
    check_edge_index(edge_index, num_sources, num_targets)
    return add_self_loops(edge_index, min(num_sources, num_targets))


class GATConv(_GraphAttention):
    """Graph attention. x (N, in) or (x_src, x_dst), edge_index (2, E) -> (N_dst, heads · out), or the heads' mean (N_dst, out).

    in_channels: a width, -1 to take it from the first input, or a pair, which gives sources and targets separate weights.
    concat: whether to concatenate the heads' outputs instead of averaging them.
    add_self_loops: add one to each node that has none; between two sets, from source i to target i. Given loops are kept.
    edge_dim: width of edge_attr (E, edge_dim), which is then required. An added loop gets the mean of the features of the edges
    that arrive at its node, or 0 if there are none.
    dropout: share of the attention weights that is dropped in training. return_attention_weights: also return (edges (2, E'),
    attention (E', heads)) before dropout: the given edges in their order, then the added loops. Raises ValueError for input that
    does not fit.
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
        edge_dim: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__(out_channels, heads, concat, dropout, edge_dim)
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
        self.lin_edge = None if edge_dim is None else linear(edge_dim, heads * out_channels, bias=False, glorot=True)
        att_edge = None if edge_dim is None else nn.init.xavier_uniform_(torch.empty(1, heads, out_channels))
        self.att_edge = None if att_edge is None else nn.Parameter(att_edge)

    def forward(
        self, x: Nodes, edge_index: Tensor, edge_attr: Tensor | None = None, *, return_attention_weights: bool = False
    ) -> Attended:
        edges, csr, features = self.graph(x, edge_index, edge_attr, self.add_self_loops)
        source, target = both_ends(x)
        h_src = self.split(self.lin(source) if self.shared else self.lin_src(source))  # (N_src, heads, C)
        h_dst = h_src if self.shared and target is source else self.split((self.lin if self.shared else self.lin_dst)(target))
        # a · [W h_u, W h_v] is the sum of a number per source and a number per target: no edge needs a vector of width C.
        of_source, of_target = (h_src * self.att_src).sum(-1), (h_dst * self.att_dst).sum(-1)  # (N, heads)
        logits = of_sources(csr, of_source) + of_targets(csr, of_target)  # (E, heads)
        if features is not None and self.lin_edge is not None and self.att_edge is not None:
            of_feature = (self.split(self.lin_edge.weight.T) * self.att_edge).sum(-1)  # W_eᵀ a, (edge_dim, heads)
            logits = logits + features @ of_feature
        scores = F.leaky_relu(logits, self.negative_slope)
        return self.read(edges, csr, scores, h_src, self.bias, return_attention_weights)


class GATv2Conv(_GraphAttention):
    """Graph attention whose ranking of neighbors depends on the target node. Arguments and shapes as in `GATConv`."""

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
        edge_dim: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__(out_channels, heads, concat, dropout, edge_dim)
        self.negative_slope, self.add_self_loops = negative_slope, add_self_loops
        self.lin_l = linear(widths(in_channels)[0], heads * out_channels, bias, glorot=True)
        self.lin_r = linear(widths(in_channels)[1], heads * out_channels, bias, glorot=True)
        self.att = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, heads, out_channels)))
        self.bias = nn.Parameter(torch.zeros(self.width)) if bias else None
        self.lin_edge = None if edge_dim is None else linear(edge_dim, heads * out_channels, bias=False, glorot=True)

    def forward(
        self, x: Nodes, edge_index: Tensor, edge_attr: Tensor | None = None, *, return_attention_weights: bool = False
    ) -> Attended:
        edges, csr, features = self.graph(x, edge_index, edge_attr, self.add_self_loops)
        source, target = both_ends(x)
        h_src, h_dst = self.split(self.lin_l(source)), self.split(self.lin_r(target))
        joined, of_edges = of_sources(csr, h_src) + of_targets(csr, h_dst), self.of_edges(features)  # (E, heads, C)
        joined = F.leaky_relu(joined if of_edges is None else joined + of_edges, self.negative_slope)
        return self.read(edges, csr, (joined * self.att).sum(-1), h_src, self.bias, return_attention_weights)


class TransformerConv(_GraphAttention):
    """Multi-head dot-product attention over edges; with `root_weight` the node's own features are added through `lin_skip`.

    On `complete_graph(N)` it is the self-attention of a Transformer, on `complete_graph(N, causal=True)` a causal one. It adds no
    self-loops. Arguments and shapes as in `GATConv`.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        heads: int = 1,
        *,
        concat: bool = True,
        dropout: float = 0.0,
        edge_dim: int | None = None,
        bias: bool = True,
        root_weight: bool = True,
    ) -> None:
        super().__init__(out_channels, heads, concat, dropout, edge_dim)
        n_src, n_dst = widths(in_channels)
        self.lin_key = linear(n_src, heads * out_channels, bias)
        self.lin_query = linear(n_dst, heads * out_channels, bias)
        self.lin_value = linear(n_src, heads * out_channels, bias)
        self.lin_skip = linear(n_dst, self.width, bias) if root_weight else None
        self.lin_edge = None if edge_dim is None else linear(edge_dim, heads * out_channels, bias=False)

    def forward(
        self, x: Nodes, edge_index: Tensor, edge_attr: Tensor | None = None, *, return_attention_weights: bool = False
    ) -> Attended:
        edges, csr, features = self.graph(x, edge_index, edge_attr, loops=False)
        source, target = both_ends(x)
        query, key, value = (
            self.split(self.lin_query(target)),
            self.split(self.lin_key(source)),
            self.split(self.lin_value(source)),
        )
        exact = torch.promote_types(query.dtype, torch.float32)
        dots = [edge_dot(csr, q.to(exact), k.to(exact)) for q, k in zip(query.unbind(1), key.unbind(1), strict=True)]
        scores, of_edges = torch.stack(dots, dim=1), self.of_edges(features)  # (E, heads), (E, heads, C)
        if of_edges is not None:
            scores = scores + (of_targets(csr, query.to(exact)) * of_edges).sum(-1)
        skip = None if self.lin_skip is None else self.lin_skip(target)
        return self.read(edges, csr, scores / math.sqrt(self.out_channels), value, skip, return_attention_weights, of_edges)
