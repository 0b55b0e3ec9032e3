"""The graphs of `noisy-neighbors`: those of its tasks, what noise makes of them, and two classes at a distance."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from erlangen.data.graph_file import named_graph
from erlangen.data.graphs import Graph, block_model, with_noisy_edges, with_noisy_features
from erlangen.experiments.noisy_neighbors.tasks import Noise, Planted, PlantedSeparate, Separate, Train

DEGREE = 8  # expected neighbors of a node among two classes


def graph_of(task: Train | Planted, seed: int) -> Graph:
    """The task's graph. Block models have four classes and about six neighbors per node, two in three of its own class."""
    if task.data != "blocks":
        return reduced(task.data, task.digest, task.features)
    quarter = task.nodes // 4
    inside = 4 / quarter
    return block_model(
        (quarter,) * 4, within=inside, between=inside / 6, features=32, signal=1.2, noise=1.0, train=20, validation=quarter,
        seed=seed,
    )  # fmt: skip


@cache
def reduced(data: str, digest: str, features: int) -> Graph:
    """The named graph with its `features` leading principal components, scaled together to a standard deviation of 1.

    So standard normal noise means the same on each graph. A graph with no more features than that keeps them, scaled.
    """
    graph = named_graph(data, digest)
    x = graph.x.double() - graph.x.double().mean(0)
    if x.shape[1] > features:
        x = x @ torch.linalg.eigh(x.T @ x).eigenvectors[:, -features:]  # (N, features); eigenvalues rise
    return replace(graph, x=(x / x.std()).float())


def noisy(graph: Graph, noise: Noise, share: float, seed: int, draw: int = 0) -> tuple[Graph, Tensor, Tensor]:
    """The graph with noise on a share of its nodes or edges; which nodes (N,) and which edges (E,) are noise or come from noise.

    The same for every layer of a seed, and the same nodes for every noise on features.
    """
    rng = np.random.default_rng([seed, round(1000 * share), draw])
    if noise == "edges":
        moved, marked = with_noisy_edges(graph, share, rng)
        return moved, torch.zeros(graph.num_nodes, dtype=torch.bool), marked
    changed, nodes = with_noisy_features(graph, share, rng, noise)
    return changed, nodes, nodes[graph.edge_index[0]]


def two_classes(task: Separate | PlantedSeparate, seed: int) -> tuple[Graph, Tensor]:
    """Two classes with means ± distance √(log n) / 2 · v and standard normal noise; and the direction v (16,), ‖v‖ = 1."""
    n, half = task.two_class_nodes, task.two_class_nodes // 2
    graph = block_model(
        (half, half), within=DEGREE * (1 - task.other) / half, between=DEGREE * task.other / half, features=16, signal=0.0,
        noise=1.0, train=n // 10, validation=n // 4, seed=seed,
    )  # fmt: skip
    direction = torch.from_numpy(np.random.default_rng([seed, 1]).normal(size=16)).float()
    direction /= direction.norm()
    side = 2.0 * graph.y - 1  # (N,): -1 or 1
    return replace(graph, x=graph.x + task.distance * math.sqrt(math.log(n)) / 2 * side[:, None] * direction), direction
