"""PyG's `GraphConv`: a weighted sum, mean or maximum over the neighbors, and the node itself.

    h'_v = W_rel · aggregate({w_uv h_u : u → v}) + W_root h_v

Source: Morris et al., "Weisfeiler and Leman Go Neural", AAAI 2019; PyG's `GraphConv`.
"""

from __future__ import annotations

from torch import Tensor, nn

from erlangen.nn.graph.checks import check_edge_index, check_edge_weight
from erlangen.nn.graph.fused_convolution import convolve, joined
from erlangen.nn.graph.inputs import Flow, Nodes, Size, both_ends, read_edges
from erlangen.nn.graph.linear import linear, reset, widths
from erlangen.nn.graph.message_passing import call_message, message_factors, overrides
from erlangen.nn.graph.multi_aggregation import aggregator


class GraphConv(nn.Module):
    """The layer of Morris et al., with the arguments, parameters and numbers of PyG's `GraphConv`.

    in_channels: a width, -1 to take it from the first input, or a pair for sources and targets.
    aggr: add (or sum), mean, max or another name (see `erlangen.nn.graph.aggregators`). A mean is over the edges, whatever
    their weights. x (N, F), (x_src, x_dst), (x_src, None), or with a first axis (B, ...) for many graphs with the same edges;
    edge_index (2, E), or a transposed sparse adjacency, whose entries are the weights; edge_weight (E,) or None -> (N_dst, out).
    Raises ValueError for input that does not fit.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        aggr: str = "add",
        bias: bool = True,
        *,
        flow: Flow = "source_to_target",
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.aggr, self.flow = in_channels, out_channels, aggr, flow
        n_src, n_dst = widths(in_channels)
        self.aggr_module = aggregator(aggr)
        self.lin_rel = linear(n_src, out_channels, bias)
        self.lin_root = linear(n_dst, out_channels, bias=False)

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        reset(self.lin_rel)
        reset(self.lin_root)

    def message(self, x_j: Tensor, edge_weight: Tensor | None) -> Tensor:
        """The features of the source of every edge, times its weight, (E, F)."""
        return x_j if edge_weight is None else edge_weight.view(-1, 1) * x_j

    def forward(self, x: Nodes, edge_index: Tensor, edge_weight: Tensor | None = None, size: Size | None = None) -> Tensor:
        edges = read_edges(x, edge_index, size, self.flow, static=True)
        source, target = both_ends(x)
        weight = edges.value if edge_weight is None else edge_weight
        if weight is not None:
            check_edge_weight(weight, edges.index.shape[1], edges.index)
        factors = message_factors(self, edges.index)
        if self.aggr in ("add", "sum", "mean") and not overrides(self, GraphConv, "message"):
            mean = self.aggr == "mean"
            weight = factors if weight is None else weight if factors is None else weight * factors
            return convolve(source, target, edges.index, edges.targets, self.lin_rel, self.lin_root, weight, mean)
        check_edge_index(edges.index, edges.sources, edges.targets)
        messages = call_message(self.message, edges, source, target, {"edge_weight": weight})
        messages = messages if factors is None else factors[:, None] * messages
        return joined(self.lin_rel, self.aggr_module(messages, edges.index[1], dim_size=edges.targets), self.lin_root, target)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"
