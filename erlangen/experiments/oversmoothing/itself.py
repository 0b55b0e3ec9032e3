"""Which nodes a convolution without B lets see themselves, by moving one node's features at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from erlangen.data.graphs import undirected
from erlangen.experiments.oversmoothing.tasks import Itself
from erlangen.nn.graph.algebra import add_self_loops, in_degree
from erlangen.nn.graph.convolution import GraphConvolution
from erlangen.records.runs import Job, Measurement


def itself(task: Itself, job: Job) -> list[Measurement]:
    """Nodes whose output changes when their own features do, after one layer and after two, without B and with it.

    On an undirected graph, on one whose edges all point to later nodes (no walk comes back), and with self-loops; with isolated
    nodes.
    """
    rng = np.random.default_rng(job.seed)
    pairs = torch.from_numpy(np.unique(np.sort(rng.integers(0, 20, (30, 2)), axis=1), axis=0))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]  # u < v
    graphs = {"undirected": undirected(pairs), "acyclic": pairs.T.contiguous()}
    graphs["looped"] = add_self_loops(graphs["undirected"], 20)
    measured = []
    for name, edge_index in graphs.items():
        listening = int((in_degree(edge_index, 20) > 0).sum())
        measured += [Measurement(f"{name}_nodes", 20, "nodes"), Measurement(f"{name}_listening", listening, "nodes")]
        for root in (False, True):
            torch.manual_seed(job.seed)
            layers = [GraphConvolution(4, 4, root_weight=root).double() for _ in range(2)]
            for depth in (1, 2):
                count = sum(sees_itself(layers[:depth], edge_index, node) for node in range(20))
                measured.append(Measurement(f"{name}_{'root' if root else 'none'}_{depth}", count, "nodes"))
    return measured


@torch.no_grad()
def sees_itself(layers: list[GraphConvolution], edge_index: Tensor, node: int) -> bool:
    """Whether a node's output changes when its own features do."""
    x = torch.randn(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(node))
    moved = x.clone()
    moved[node] += 1
    for layer in layers:  # without σ: what a relu swallows would have nothing to do with B
        x, moved = layer(x, edge_index), layer(moved, edge_index)
    return not torch.equal(x[node], moved[node])
