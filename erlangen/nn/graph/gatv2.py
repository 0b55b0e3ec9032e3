"""GATv2: graph attention whose ranking of neighbors can depend on the node that asks.

Source: Brody, Alon & Yahav, "How Attentive are Graph Attention Networks?", ICLR 2022; PyG's `GATv2Conv`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn.graph.attention import Attended, Fill, GraphAttention, Listening
from erlangen.nn.graph.inputs import Flow, Nodes, Size
from erlangen.nn.graph.linear import linear, widths


class GATv2Conv(GraphAttention):
    """Graph attention whose ranking of neighbors depends on the target node. Arguments and shapes as in `GATConv`.

    share_weights: use W_l for the targets as well.
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
        share_weights: bool = False,
        residual: bool = False,
        *,
        replace_self_loops: bool = False,
        flow: Flow = "source_to_target",
    ) -> None:
        super().__init__("GATv2Conv", in_channels, out_channels, heads, concat, dropout, edge_dim, fill_value, flow)
        self.negative_slope, self.residual, self.share_weights = negative_slope, residual, share_weights
        self.add_self_loops, self.replace_self_loops = add_self_loops, replace_self_loops
        self.lin_l = linear(widths(in_channels)[0], heads * out_channels, bias, glorot=True)
        self.lin_r = self.lin_l if share_weights else linear(widths(in_channels)[1], heads * out_channels, bias, glorot=True)
        self.att = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, heads, out_channels)))
        self.bias = nn.Parameter(torch.zeros(self.width)) if bias else None
        self.draw_edge_weights()
        if residual:
            self.res = linear(widths(in_channels)[1], self.width, bias=False, glorot=True)

    def forward(
        self,
        x: Nodes,
        edge_index: Tensor,
        edge_attr: Tensor | None = None,
        return_attention_weights: bool | None = None,
        *,
        size: Size | None = None,
    ) -> Attended:
        heard = self.listen(x, edge_index, edge_attr, size)
        target = heard.target
        h_src = self.split(self.lin_l(heard.source))  # (N_src, heads, C)
        fuses = target is not None and heard.edges.fuses(h_src)
        scores = self.fused_scores(heard, h_src) if fuses else self.plain_scores(heard, h_src)
        out, attention = self.attend(heard, scores, h_src)
        if self.residual and target is not None:
            out = out + self.res(target)
        return self.answer(out if self.bias is None else out + self.bias, attention, heard, return_attention_weights)

    def of_targets(self, heard: Listening, h_src: Tensor) -> Tensor:
        """W_r h of the targets, (N_dst, heads, C)."""
        same = self.share_weights and heard.target is heard.source
        return h_src if same else self.split(self.lin_r(heard.target))

    def plain_scores(self, heard: Listening, h_src: Tensor) -> Tensor:
        """a · LeakyReLU of the sum of what sources, targets and edges have, (E, heads)."""
        joined = heard.edges.sources(h_src)  # (E, heads, C)
        if heard.target is not None:
            joined = joined + heard.edges.targets(self.of_targets(heard, h_src))
        of_edges = self.of_edges(heard.features)
        joined = F.leaky_relu(joined if of_edges is None else joined + of_edges, self.negative_slope)
        return (joined * self.att).sum(-1)

    def fused_scores(self, heard: Listening, h_src: Tensor) -> Tensor:
        """The same by a kernel, without a vector per edge."""
        h_dst, of_edges = self.of_targets(heard, h_src), self.of_edges(heard.features)
        return heard.edges.leaky(h_src, h_dst, self.att[0], of_edges, self.negative_slope)
