"""Multi-head dot-product attention over the edges of a graph.

Source: Shi et al., "Masked Label Prediction: Unified Message Passing Model for Semi-Supervised Classification", IJCAI 2021; PyG's
`TransformerConv`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.nn.graph.attention import Attended, GraphAttention
from erlangen.nn.graph.inputs import Flow, Nodes, Size
from erlangen.nn.graph.linear import linear, widths


class TransformerConv(GraphAttention):
    """Multi-head dot-product attention over edges; with `root_weight` the node's own features are added through `lin_skip`.

        β = sigmoid(w · [y, r, y − r]),  y ← (1 − β) y + β r        with `beta`, r = lin_skip(h_v), in place of y + r

    On `complete_graph(N)` it is the self-attention of a Transformer, on `complete_graph(N, causal=True)` a causal one. It adds no
    self-loops. Arguments and shapes as in `GATConv`.
    """

    _alpha = None  # where PyG's layer keeps its attention during a call; code written for PyG looks whether it is gone

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        heads: int = 1,
        concat: bool = True,
        beta: bool = False,
        dropout: float = 0.0,
        edge_dim: int | None = None,
        bias: bool = True,
        root_weight: bool = True,
        *,
        flow: Flow = "source_to_target",
    ) -> None:
        super().__init__("TransformerConv", in_channels, out_channels, heads, concat, dropout, edge_dim, flow=flow)
        n_src, n_dst = widths(in_channels)
        self.beta = beta and root_weight
        self.lin_key = linear(n_src, heads * out_channels, bias)
        self.lin_query = linear(n_dst, heads * out_channels, bias)
        self.lin_value = linear(n_src, heads * out_channels, bias)
        self.lin_skip = linear(n_dst, self.width, bias) if root_weight else None
        if not root_weight:
            self.register_load_state_dict_pre_hook(without_skip)  # type: ignore[no-untyped-call]
        self.draw_edge_weights()
        if self.beta:
            self.lin_beta = linear(3 * self.width, 1, bias=False)

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
        source, target, edges = heard.source, heard.target, heard.edges
        if target is None:
            raise ValueError(
                "TransformerConv: x has no features of the targets, which ask for the attention: pass (x_src, x_dst)"
            )
        query, key, value = (
            self.split(self.lin_query(target)),
            self.split(self.lin_key(source)),
            self.split(self.lin_value(source)),
        )
        scores, of_edges = edges.dot(query, key), self.of_edges(heard.features)  # (E, heads), (E, heads, C)
        if of_edges is not None:
            scores = scores + (edges.targets(query.to(scores.dtype)) * of_edges).sum(-1)
        out, attention = self.attend(heard, scores / math.sqrt(self.out_channels), value, of_edges)
        if self.lin_skip is not None:
            out = self.with_skip(out, self.lin_skip(target))
        return self.answer(out, attention, heard, return_attention_weights)

    def with_skip(self, out: Tensor, skip: Tensor) -> Tensor:
        """The sum of both, or their average with learned weights."""
        if not self.beta:
            return out + skip
        beta = torch.sigmoid(self.lin_beta(torch.cat([out, skip, out - skip], dim=-1)))
        return (1 - beta) * out + beta * skip


def without_skip(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Leave out the weights that PyG's layer has, and does not use, without `root_weight`."""
    for name in ("weight", "bias"):
        state.pop(f"{prefix}lin_skip.{name}", None)
