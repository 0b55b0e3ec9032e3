"""Graph attention networks: GAT, whose scores add a number per source and a number per target.

Source: Veličković et al., "Graph Attention Networks", ICLR 2018; PyG's `GATConv`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn.graph.attention import Attended, Fill, GraphAttention, Listening
from erlangen.nn.graph.inputs import Flow, Nodes, Size
from erlangen.nn.graph.linear import linear, plain


class GATConv(GraphAttention):
    """Graph attention. x (N, in), (x_src, x_dst) or (x_src, None) -> (N_dst, heads · out), or the heads' mean (N_dst, out).

    in_channels: a width, -1 to take it from the first input, or a pair, which gives sources and targets separate weights.
    concat: whether to concatenate the heads' outputs instead of averaging them.
    add_self_loops: add one to each node that has none; between two sets, from source i to target i. Given loops are kept, with
    their features; with `replace_self_loops` they are dropped first, as PyG does.
    edge_dim: width of edge_attr (E, edge_dim), which is then required; (E,) is a width of 1. fill_value: features of an added
    loop: a number, a tensor (edge_dim,), or the mean, add, max, min or mul of those of the edges that arrive (of none 0, mul 1).
    dropout: share of the attention weights that is dropped in training. residual: add a linear map of the target's features.
    edge_index: (2, E), or a transposed sparse adjacency. return_attention_weights: also return (edges (2, E'), attention
    (E', heads)) before dropout: the given edges in their order, then the added loops; of a sparse adjacency, a sparse tensor of
    the attention in place of the edges. Raises ValueError for input that does not fit.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        heads: int = 1,
        concat: bool = True,
        negative_slope: float = 0.2,
        dropout: float = 0.0,
        add_self_loops: bool = True,
        edge_dim: int | None = None,
        fill_value: Fill = "mean",
        bias: bool = True,
        residual: bool = False,
        *,
        replace_self_loops: bool = False,
        flow: Flow = "source_to_target",
    ) -> None:
        super().__init__("GATConv", in_channels, out_channels, heads, concat, dropout, edge_dim, fill_value, flow)
        self.negative_slope, self.residual = negative_slope, residual
        self.add_self_loops, self.replace_self_loops = add_self_loops, replace_self_loops
        self.shared = isinstance(in_channels, int)
        if isinstance(in_channels, int):
            self.lin = linear(in_channels, heads * out_channels, bias=False, glorot=True)
        else:
            self.lin_src = linear(in_channels[0], heads * out_channels, bias=False, glorot=True)
            self.lin_dst = linear(in_channels[1], heads * out_channels, bias=False, glorot=True)
        self.att_src = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, heads, out_channels)))
        self.att_dst = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, heads, out_channels)))
        self.bias = nn.Parameter(torch.zeros(self.width)) if bias else None
        self.draw_edge_weights()
        att_edge = None if edge_dim is None else nn.init.xavier_uniform_(torch.empty(1, heads, out_channels))
        self.att_edge = None if att_edge is None else nn.Parameter(att_edge)
        if residual:
            width = in_channels if isinstance(in_channels, int) else in_channels[1]
            self.res = linear(width, self.width, bias=False, glorot=True)

    def forward(
        self,
        x: Nodes,
        edge_index: Tensor,
        edge_attr: Tensor | None = None,
        size: Size | None = None,
        return_attention_weights: bool | None = None,
    ) -> Attended:
        heard = self.listen(x, edge_index, edge_attr, size)
        source, target = heard.source, heard.target
        h_src = self.split(self.lin(source) if self.shared else self.lin_src(source))  # (N_src, heads, C)
        fuses = target is not None and heard.edges.fuses(h_src[..., :1])
        scores = self.fused_scores(heard, h_src) if fuses else self.plain_scores(heard, h_src)
        out, attention = self.attend(heard, scores, h_src)
        if self.residual and target is not None:
            out = out + self.res(target)
        return self.answer(out if self.bias is None else out + self.bias, attention, heard, return_attention_weights)

    def of_targets(self, heard: Listening, h_src: Tensor) -> Tensor:
        """W h of the targets, (N_dst, heads, C)."""
        if self.shared and heard.target is heard.source:
            return h_src
        return self.split((self.lin if self.shared else self.lin_dst)(heard.target))

    # a · [W h_u, W h_v] is the sum of a number per source and a number per target: no edge needs a vector of width C.
    def plain_scores(self, heard: Listening, h_src: Tensor) -> Tensor:
        """LeakyReLU of the sum of what sources, targets and edges have, (E, heads)."""
        logits = heard.edges.sources((h_src * self.att_src).sum(-1))  # (E, heads)
        if heard.target is not None:
            logits = logits + heard.edges.targets((self.of_targets(heard, h_src) * self.att_dst).sum(-1))
        if heard.features is not None:
            logits = logits + self.edge_logits(heard.features)
        return F.leaky_relu(logits, self.negative_slope)

    def fused_scores(self, heard: Listening, h_src: Tensor) -> Tensor:
        """The same by a kernel."""
        left = (h_src * self.att_src).sum(-1, keepdim=True)
        right = (self.of_targets(heard, h_src) * self.att_dst).sum(-1, keepdim=True)
        given = None if heard.features is None else self.edge_logits(heard.features)[..., None]
        return heard.edges.leaky(left, right, None, given, self.negative_slope)

    def edge_logits(self, features: Tensor) -> Tensor:
        """a_edge · W_e e for every edge, (E, heads): as (W_eᵀ a_edge) · e, unless somebody listens to the linear layer."""
        assert self.lin_edge is not None
        assert self.att_edge is not None
        if not plain(self.lin_edge):
            return (self.split(self.lin_edge(features)) * self.att_edge).sum(-1)
        return features @ (self.split(self.lin_edge.weight.T) * self.att_edge).sum(-1)
