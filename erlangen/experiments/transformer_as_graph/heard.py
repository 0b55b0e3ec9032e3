"""Claim G11: how much of a Transformer's attention is on the true edges of a graph, beside attention planted on them."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.data.graphs import Graph
from erlangen.models.graph_transformer import GraphTransformer
from erlangen.nn.graph.algebra import adjacency
from erlangen.records.runs import Measurement

PLANTED = 2.0  # the positive control: true edges get so many times their attention


def attention_on_edges(net: GraphTransformer, masked: Graph, graph: Graph) -> list[Measurement]:
    """By layer, mean over nodes with a neighbor, and over heads: attention on true edges; on as many nodes of the same classes
    without an edge; and e to the entropy, the number of nodes that attention is spread over. Beside it the share of true edges
    among those attended along.

    planted: the same of attention whose true edges got PLANTED times as much before it was normalized, a positive control.
    """
    n = graph.num_nodes
    edge, allowed = (adjacency(edges, n) > 0 for edges in (graph.edge_index, masked.edge_index))  # (N, N): [target, source]
    has = edge.any(1)
    values: dict[str, list[float]] = {}

    def keep(name: str, per_node: Tensor) -> None:
        values.setdefault(name, []).append(float(per_node[has].mean()))

    for weight in net.attention(masked.x, masked.edge_index):  # (E', heads)
        dense = torch.zeros(n, n, weight.shape[1], dtype=torch.float64)
        dense[masked.edge_index[1], masked.edge_index[0]] = weight.double()
        attention = dense.mean(2)
        planted = attention * torch.where(edge, PLANTED, 1.0)
        keep("nodes_attended", torch.special.entr(dense).sum(1).exp())
        for prefix, shown in (("", attention), ("planted_", planted / planted.sum(1, keepdim=True))):
            keep(f"{prefix}attention_on_edges", (shown * edge).sum(1))
            keep(f"{prefix}attention_on_same_classes", of_same_classes(shown, edge, allowed, graph.y))
    share = Measurement("share_of_edges", float((edge.sum(1) / allowed.sum(1))[has].double().mean()), "of 1")
    return [*(Measurement(name, tuple(layers), "by layer") for name, layers in values.items()), share]


def of_same_classes(attention: Tensor, edge: Tensor, allowed: Tensor, y: Tensor) -> Tensor:
    """What each node's neighbors would get if each got what the other nodes of its class get, (N,).

    NaN for a node that has a neighbor of a class but sees nobody else of it, as along the edges alone.
    """
    others = allowed & ~edge & ~torch.eye(len(y), dtype=torch.bool)
    members = torch.nn.functional.one_hot(y).double()  # (N, classes)
    neighbors, strangers = edge.double() @ members, others.double() @ members  # (N, classes): how many of each
    each = (attention * others) @ members / strangers
    return torch.where(neighbors > 0, neighbors * each, 0).sum(1)
