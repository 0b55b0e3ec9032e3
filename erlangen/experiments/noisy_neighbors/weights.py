"""Claim G7: the weights by which layers listen to neighbors, edge by edge."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import torch
from torch import Tensor, nn

from erlangen.data.graphs import block_model, karate_club
from erlangen.experiments.noisy_neighbors.tasks import Weights
from erlangen.models.graph_network import GraphNetwork, GraphNetworkConfig
from erlangen.nn.graph.algebra import complete_graph, in_degree
from erlangen.nn.graph.convolution import GraphConvolution
from erlangen.nn.graph.gcn import GCNConv
from erlangen.records.runs import Job, Measurement

EQUAL = 1e-12  # of weights of about 0.1, in float64


def weights(task: Weights, job: Job) -> list[Measurement]:
    """On the karate club and a block model, with features and parameters of this seed, in float64."""
    rng = np.random.default_rng(job.seed)
    model = block_model(
        (20, 20), within=0.3, between=0.1, features=8, signal=1.0, noise=1.0, train=2, validation=2, seed=job.seed
    )
    club = karate_club()
    counts: Counter[str] = Counter()
    for x, edge_index in ((torch.from_numpy(rng.normal(size=(34, 8))), club.edge_index), (model.x.double(), model.edge_index)):
        order = torch.from_numpy(rng.permutation(len(x)))
        for name in ("mean", "gcn", "gat", "gatv2"):
            edges, weight = edge_weights(name, x, edge_index, job.seed)
            _, permuted = edge_weights(name, x[order], edge_index, job.seed)
            differences = spread_at_nodes(edges, weight, len(x))
            counts[f"{name}_nodes"] += len(differences)
            counts[f"{name}_unequal"] += int((differences > EQUAL).sum())
            counts[f"{name}_edges"] += edges.shape[1]
            counts[f"{name}_changed"] += int(((permuted - weight).abs() > EQUAL).any(1).sum())
    for name in ("gat", "gatv2"):
        x = torch.from_numpy(rng.normal(size=(12, 8)))
        counts[f"{name}_pairs"], counts[f"{name}_turned"] = turned_orders(name, x, job.seed)
    return [Measurement(name, count) for name, count in counts.items()]


def edge_weights(name: str, x: Tensor, edge_index: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Edges (2, E'), without loops, and their weights (E', heads): attention as the layer gives it, else the layer's response."""
    if name in ("mean", "gcn"):
        response = responses(convolution(name, x.shape[1]), x, edge_index)[:, :, 0]
        return edge_index, response[edge_index[1], edge_index[0]][:, None]
    edges, weight = network(name, x.shape[1], seed).attention(x, edge_index)[0]
    neighbors = edges[0] != edges[1]
    return edges[:, neighbors], weight[neighbors]


def convolution(name: str, width: int) -> nn.Module:
    """The layer with W = I and without B: what is left of it are the weights of the edges."""
    layer: nn.Module
    if name == "mean":
        layer = GraphConvolution(width, width, bias=False, root_weight=False).double()
    else:
        layer = GCNConv(width, width, bias=False).double()
    (weight,) = layer.parameters()
    nn.init.eye_(weight)
    return layer


@torch.no_grad()
def responses(layer: nn.Module, x: Tensor, edge_index: Tensor) -> Tensor:
    """How much each node's output moves when one node's first feature rises by 1, (N, N, out): [whose output, whose feature]."""
    rest, rises = layer(x, edge_index), []
    for node in range(len(x)):
        risen = x.clone()
        risen[node, 0] += 1
        rises.append(layer(risen, edge_index) - rest)
    return torch.stack(rises, dim=1)


def network(name: str, in_features: int, seed: int) -> GraphNetwork:
    """A small untrained net of attention layers."""
    torch.manual_seed(seed)
    config = GraphNetworkConfig(layer=name, in_features=in_features, classes=2, width=8, heads=2, depth=2)  # type: ignore[arg-type]
    return GraphNetwork(config).double().eval()


def spread_at_nodes(edges: Tensor, weight: Tensor, n: int) -> Tensor:
    """Largest less least weight among a node's neighbors, the largest over heads, for nodes with two neighbors or more."""
    rows = [weight[edges[1] == node] for node in range(n) if int(in_degree(edges, n)[node]) > 1]
    return torch.stack([(at_node.amax(0) - at_node.amin(0)).max() for at_node in rows])


def turned_orders(name: str, x: Tensor, seed: int) -> tuple[int, int]:
    """Pairs of neighbors × pairs of nodes that ask, on the complete graph, and in how many the two disagree who comes first."""
    n = len(x)
    edges, weight = network(name, x.shape[1], seed).attention(x, complete_graph(n))[0]
    asked, turned = 0, 0
    for head in range(weight.shape[1]):
        score = torch.zeros(n, n, dtype=weight.dtype).index_put((edges[1], edges[0]), weight[:, head])  # [who asks, neighbor]
        for a, b in combinations(range(n), 2):
            others = [node for node in range(n) if node not in (a, b)]
            apart = (score[:, a] - score[:, b])[others]  # (n - 2,)
            signs = torch.where(apart.abs() > EQUAL, apart.sign(), 0)
            disagreements = [first * second < 0 for first, second in combinations(signs.tolist(), 2)]
            asked += len(disagreements)
            turned += sum(disagreements)
    return asked, turned
