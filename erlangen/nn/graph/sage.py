"""GraphSAGE: the node itself and an aggregate of its neighbors, each through weights of its own.

    h'_v = W_l · aggregate({h_u : u → v}) + W_r h_v

Source: Hamilton, Ying & Leskovec, "Inductive Representation Learning on Large Graphs", NeurIPS 2017; PyG's `SAGEConv`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn.graph.aggregators import aggregated_width
from erlangen.nn.graph.checks import check_edge_index
from erlangen.nn.graph.fused_convolution import convolve, joined
from erlangen.nn.graph.inputs import Flow, Nodes, Size, both_ends, read_edges
from erlangen.nn.graph.linear import linear, reset, widths
from erlangen.nn.graph.message_passing import call_message, message_factors, overrides
from erlangen.nn.graph.multi_aggregation import aggregator


class SAGEConv(nn.Module):
    """GraphSAGE's layer, with the arguments, parameters and numbers of PyG's `SAGEConv`.

    in_channels: a width, -1 to take it from the first input, or a pair for sources and targets.
    aggr: a name (see `erlangen.nn.graph.aggregators`), a list of names, whose results are joined, or a module that is called with
    (messages, index, dim_size=...). aggr_kwargs: arguments of the aggregator. project: put x_src through a linear layer and relu
    before. normalize: scale every output to length 1. root_weight: whether there is a W_r.
    x (N, F), (x_src, x_dst), (x_src, None), or with a first axis (B, ...) for many graphs with the same edges; edge_index (2, E),
    or a transposed sparse adjacency, whose entries are not read -> (N_dst, out). Raises ValueError for input that does not fit.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        aggr: str | Sequence[str | nn.Module] | nn.Module | None = "mean",
        normalize: bool = False,
        root_weight: bool = True,
        project: bool = False,
        bias: bool = True,
        *,
        aggr_kwargs: Mapping[str, Any] | None = None,
        flow: Flow = "source_to_target",
    ) -> None:
        super().__init__()
        n_src, n_dst = widths(in_channels)
        if project and n_src < 0:
            raise ValueError("SAGEConv: project=True does not support lazy widths: give in_channels in place of -1")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.aggr, self.normalize, self.root_weight, self.project, self.flow = aggr, normalize, root_weight, project, flow
        self.aggr_module = aggregator(aggr, aggr_kwargs)
        if project:
            self.lin = linear(n_src, n_src, bias=True)
        self.lin_l = linear(aggregated_width(self.aggr_module, n_src), out_channels, bias)
        if root_weight:
            self.lin_r = linear(n_dst, out_channels, bias=False)

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        for part in self.children():
            if isinstance(part, nn.Linear):
                reset(part)
            elif hasattr(part, "reset_parameters"):  # the aggregator
                part.reset_parameters()  # type: ignore[operator]

    def message(self, x_j: Tensor) -> Tensor:
        """The features of the source of every edge, (E, F)."""
        return x_j

    def forward(self, x: Nodes, edge_index: Tensor, size: Size | None = None) -> Tensor:
        edges = read_edges(x, edge_index, size, self.flow, static=True)
        source, target = both_ends(x)
        if self.project:
            source = self.lin(source).relu()
        root, factors = self.lin_r if self.root_weight else None, message_factors(self, edges.index)
        if self.aggr in ("mean", "sum", "add") and not overrides(self, SAGEConv, "message"):
            out = convolve(source, target, edges.index, edges.targets, self.lin_l, root, factors, mean=self.aggr == "mean")
        else:
            check_edge_index(edges.index, edges.sources, edges.targets)
            messages = call_message(self.message, edges, source, target, {})
            messages = messages if factors is None else factors[:, None] * messages
            out = joined(self.lin_l, self.aggr_module(messages, edges.index[1], dim_size=edges.targets), root, target)
        return F.normalize(out, dim=-1) if self.normalize else out

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, aggr={self.aggr})"
