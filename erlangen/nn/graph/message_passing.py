"""Message passing: a base class for graph layers.

    m_uv = message(x_u, x_v, e_uv)           on every edge u → v
    a_v  = aggregate({m_uv : u → v})         independent of their order
    y_v  = update(a_v, x_v)

Source: Gilmer et al., "Neural Message Passing for Quantum Chemistry", ICML 2017.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from erlangen.nn.graph.aggregate import Aggregation, aggregate
from erlangen.nn.graph.checks import check_edge_index
from erlangen.nn.graph.inputs import Edges, Nodes, both_ends, read_edges


def overrides(layer: nn.Module, kind: type, *names: str) -> bool:
    """Whether a subclass of `kind`, or the layer itself, has a method of its own in place of one of these."""
    return any(getattr(getattr(layer, name), "__func__", None) is not getattr(kind, name) for name in names)


def call_message(
    message: Callable[..., Tensor], edges: Edges, source: Tensor, target: Tensor | None, given: Mapping[str, Tensor | None]
) -> Tensor:
    """Call a `message` written for PyG: it names what it wants, x_j (E, F) of the sources, x_i of the targets, edge_weight ...

    Raises TypeError for a name that there is not.
    """
    u, v = edges.index
    offered: dict[str, Callable[[], Any]] = {
        "x_j": lambda: source[..., u, :],
        "x_i": lambda: None if target is None else target[..., v, :],
        "edge_index": lambda: edges.index,
        "edge_index_i": lambda: v,
        "edge_index_j": lambda: u,
        "index": lambda: v,
        "ptr": lambda: None,
        "size_i": lambda: edges.targets,
        "size_j": lambda: edges.sources,
        "dim_size": lambda: edges.targets,
    }
    wanted = inspect.signature(message).parameters
    if unknown := [name for name in wanted if name not in offered and name not in given]:
        raise TypeError(f"message: there is no {unknown[0]!r} to pass; it may name {', '.join((*offered, *given))}")
    return message(**{name: given[name] if name in given else offered[name]() for name in wanted})


def message_factors(layer: nn.Module, edge_index: Tensor) -> Tensor | None:
    """What to multiply the messages of the edges (2, E') by, (E',): the mask of an explanation, for layers that have one."""
    factors: Callable[[Tensor], Tensor | None] | None = getattr(layer, "message_factors", None)
    return None if factors is None else factors(edge_index)


class MessagePassing(nn.Module):
    """A graph layer. Override `message` and `update`, or `aggregate` itself; `forward` does the rest.

        class EdgeScaled(MessagePassing):
            def message(self, source, target, edge):
                return edge[:, None] * source

        y = EdgeScaled("sum")(x, edge_index, edge_weight)

    x (N, F), or (x_src, x_dst) for edges from one set of nodes to another; edge_index (2, E), or a transposed sparse adjacency
    (see `erlangen.nn.graph.inputs`); edge_features (E, ...) or None.
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
        edges = read_edges(x, edge_index)
        check_edge_index(edges.index, edges.sources, edges.targets)
        source, target = both_ends(x)
        if target is None:
            raise ValueError(f"{type(self).__name__}: x has no features of the targets: pass (x_src, x_dst)")
        u, v = edges.index
        messages = self.message(source[u], target[v], edges.value if edge_features is None else edge_features)
        return self.update(self.aggregate(messages, v, edges.targets), target)

    def forward(self, x: Nodes, edge_index: Tensor, edge_features: Tensor | None = None) -> Tensor:
        return self.propagate(x, edge_index, edge_features)
