"""Whom attention listens to: the attention on marked edges, against the share of the edges that they are."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.data.graphs import Graph
from erlangen.models.graph_network import GraphNetwork
from erlangen.train.node_classifier import features


def ratios(net: GraphNetwork, graph: Graph, marked: Tensor, listening: Tensor) -> tuple[float, ...]:
    """Attention on marked neighbors over their share of the neighbors, layer by layer: equal weights give 1.

    marked (E,) bool; listening (N,) bool: the nodes whose attention is looked at, where they have neighbors of both kinds.
    """
    looked = net.attention(features(graph), graph.edge_index)
    return tuple(mass / share for mass, share in (attention_on(marked, weight, edges, listening) for edges, weight in looked))


def attention_on(marked: Tensor, weight: Tensor, edges: Tensor, listening: Tensor) -> tuple[float, float]:
    """Mean share of the attention that marked neighbors get, and of the neighbors that they are, over nodes with both kinds.

    weight (E', heads) on edges (2, E'), of which the first E = len(marked) are not added loops; marked (E,), listening (N,) bool.
    A node is not its own neighbor.
    """
    target, n = edges[1, : len(marked)], len(listening)
    mass = weight[: len(marked)].mean(1).double()

    def total(values: Tensor) -> Tensor:
        return values.new_zeros(n).index_add(0, target, values)  # (N,)

    marks = marked.double()
    count, bad = total(torch.ones_like(marks)), total(marks)
    both = (bad > 0) & (bad < count) & listening
    return float((total(mass * marks) / total(mass))[both].mean()), float((bad / count)[both].mean())


def one_node(net: GraphNetwork, graph: Graph, noisy_nodes: Tensor, marked: Tensor) -> tuple[float, ...]:
    """First-layer attention of a clean node with three or more neighbors of each kind: attention and mark, neighbor by neighbor.

    The same node for every layer of a seed and every noise on features; () where the graph has none.
    """
    target = graph.edge_index[1]
    bad, good = (torch.bincount(target[kind], minlength=graph.num_nodes) for kind in (marked, ~marked))
    suitable = ((bad >= 3) & (good >= 3) & (bad + good <= 12) & ~noisy_nodes).nonzero()
    if not len(suitable):
        return ()
    here = target == suitable[0]
    weight = net.attention(features(graph), graph.edge_index)[0][1][: len(target)].mean(1)[here]
    pairs = zip((weight / weight.sum()).tolist(), marked[here].tolist(), strict=True)
    return tuple(float(value) for pair in sorted(pairs, key=lambda pair: (pair[1], -pair[0])) for value in pair)
