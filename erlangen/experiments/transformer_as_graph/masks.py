"""Claim G11: the block models, the masks that say which nodes are attended to, and what is added to the features."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from erlangen.data.graphs import Graph, block_model, undirected
from erlangen.nn.graph.algebra import add_self_loops, adjacency, complete_graph
from erlangen.nn.graph.encodings import laplacian_eigenvectors, return_probabilities

DEGREE, FEATURES, ENCODED = 10, 16, 8  # mean degree; width of the features and of each encoding
SIGNAL = {2: 1.2, 4: 1.8}  # by classes: features alone then give about 70 %
TRAINING = 20  # nodes of each class
EXTRA = 3  # random edges beside each true one, where a mask is diluted


def block_graph(classes: int, homophily: float, nodes: int, seed: int) -> Graph:
    """A block model of equal classes in which `homophily` of the edges, in expectation, join nodes of one class."""
    size = nodes // classes
    within, between = DEGREE * homophily / (size - 1), DEGREE * (1 - homophily) / (size * (classes - 1))
    return block_model(
        (size,) * classes, within, between, features=FEATURES, signal=SIGNAL[classes], train=TRAINING, validation=nodes // 4,
        seed=seed,
    )  # fmt: skip


def mask_edges(graph: Graph, mask: str, seed: int) -> Tensor:
    """The edges (2, E') along which a mask lets nodes attend, with a self-loop at every node.

    random: the graph's own edges with all nodes renamed: as many, with the same degrees, but between others. diluted: its
    edges and EXTRA times as many between nodes that have none.
    """
    n, rng = graph.num_nodes, np.random.default_rng([seed, graph.num_nodes])
    if mask == "complete":
        return complete_graph(n)
    edges = graph.edge_index[:, :0] if mask == "self" else graph.edge_index
    if mask == "random":
        edges = torch.from_numpy(rng.permutation(n))[edges]
    if mask == "diluted":
        free = (adjacency(edges, n) == 0).triu(1).nonzero()  # (pairs, 2)
        drawn = free[torch.from_numpy(rng.permutation(len(free))[: EXTRA * edges.shape[1] // 2])]
        edges = torch.cat([edges, undirected(drawn)], dim=1)
    return add_self_loops(edges, n)


def encoded(graph: Graph, encoding: str) -> Tensor:
    """The features beside a place for each encoding, (N, FEATURES + 2 ENCODED), which is zero where an arm does not get it.

    So all arms have the same parameters. Eigenvectors come from both ends of the spectrum, the slow ones and those that change
    along edges; their signs stay: there is one graph, the same in training and test.
    """
    n, edges = graph.num_nodes, graph.edge_index
    walks, vectors = torch.zeros(n, ENCODED), torch.zeros(n, ENCODED)
    if encoding == "walks":
        walks = standardized(return_probabilities(edges, n, ENCODED))
    elif encoding == "eigenvectors":
        ends = [laplacian_eigenvectors(edges, n, ENCODED // 2, largest=largest) for largest in (False, True)]
        vectors = standardized(torch.cat(ends, dim=1))
    return torch.cat([graph.x, walks, vectors], dim=1)


def standardized(columns: Tensor) -> Tensor:
    """Each column with mean 0 and standard deviation 1; a constant one is 0."""
    centered = columns - columns.mean(0)
    return (centered / centered.square().mean(0).sqrt().clamp(min=1e-9)).float()
