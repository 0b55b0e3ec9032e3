"""Message passing: a base class for graph layers.

    m_uv = message(x_u, x_v, e_uv)           on every edge u → v
    a_v  = aggregate({m_uv : u → v})         independent of their order
    y_v  = update(a_v, x_v)

Source: Gilmer et al., "Neural Message Passing for Quantum Chemistry", ICML 2017.
"""

from __future__ import annotations

from torch import Tensor, nn

from erlangen.nn.graph.aggregate import Aggregation, aggregate
from erlangen.nn.graph.checks import check_edge_index
from erlangen.nn.graph.features import check_features

Nodes = Tensor | tuple[Tensor, Tensor]  # (N, F), or sources (N_src, F_src) and targets (N_dst, F_dst)


def both_ends(x: Nodes) -> tuple[Tensor, Tensor]:
    """The features of the sources and of the targets, which are the same tensor if there is only one set of nodes."""
    return x if isinstance(x, tuple) else (x, x)


def check_graph(x: Nodes, edge_index: Tensor) -> None:
    """Raise ValueError for features or an edge_index that a layer cannot use (see `algebra`)."""
    source, target = both_ends(x)
    check_features(source)
    if target is not source:
        check_features(target, "x of the targets")
    check_edge_index(edge_index, len(source), len(target))


class MessagePassing(nn.Module):
    """A graph layer. Override `message` and `update`, or `aggregate` itself; `forward` does the rest.

        class EdgeScaled(MessagePassing):
            def message(self, source, target, edge):
                return edge[:, None] * source

        y = EdgeScaled("sum")(x, edge_index, edge_weight)

    x (N, F), or (x_src, x_dst) for edges from one set of nodes to another; edge_index (2, E); edge_features (E, ...) or None.
    `aggregation` names one of `erlangen.nn.graph.aggregate`. Raises ValueError for input that does not fit.
    """

    def __init__(self, aggregation: Aggregation = "mean") -> None:
        super().__init__()
        self.aggregation: Aggregation = aggregation

    def message(self, source: Tensor, target: Tensor, edge: Tensor | None) -> Tensor:
        """source (E, F_src), target (E, F_dst), edge (E, ...) or None -> messages (E, ...)."""
        return source

    def aggregate(self, messages: Tensor, target: Tensor, num_nodes: int) -> Tensor:
        """messages (E, ...) and the node each one reaches (E,) -> (num_nodes, ...)."""
        return aggregate(messages, target, num_nodes, self.aggregation)

    def update(self, aggregated: Tensor, target: Tensor) -> Tensor:
        """aggregated (N_dst, ...) and target, the nodes' features before (N_dst, F_dst) -> output (N_dst, ...)."""
        return aggregated

    def propagate(self, x: Nodes, edge_index: Tensor, edge_features: Tensor | None = None) -> Tensor:
        """Run message, aggregate and update."""
        check_graph(x, edge_index)
        source, target = both_ends(x)
        u, v = edge_index
        messages = self.message(source[u], target[v], edge_features)
        return self.update(self.aggregate(messages, v, len(target)), target)

    def forward(self, x: Nodes, edge_index: Tensor, edge_features: Tensor | None = None) -> Tensor:
        return self.propagate(x, edge_index, edge_features)
