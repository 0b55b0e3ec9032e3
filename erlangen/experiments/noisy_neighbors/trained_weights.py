"""Claim G7: the weights by which the first layer of a trained net listens to neighbors, edge by edge."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from erlangen.data.graphs import Graph, block_model
from erlangen.experiments.noisy_neighbors.tasks import TrainedWeights
from erlangen.experiments.noisy_neighbors.weights import EQUAL, responses, spread_at_nodes
from erlangen.models.graph_network import GraphNetwork, GraphNetworkConfig
from erlangen.nn.graph.algebra import in_degree
from erlangen.nn.graph.convolution import GraphConvolution
from erlangen.records.runs import Job, Measurement
from erlangen.train.node_classifier import NodeSchedule, fit
from erlangen.train.seeds import seed_everything


class MeanNetwork(nn.Module):
    """Two graph convolutions in mean form, W · mean + B · h: x (N, F) -> logits (N, 2)."""

    def __init__(self, in_features: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([GraphConvolution(in_features, width), GraphConvolution(width, 2)])

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        logits: Tensor = self.layers[1](self.layers[0](x, edge_index).relu(), edge_index)
        return logits


def trained_weights(task: TrainedWeights, job: Job) -> list[Measurement]:
    """Train two layers on a block model of 60 nodes, then count in float64: unequal weights, and those that follow features."""
    graph = block_model(
        (30, 30), within=0.25, between=0.08, features=8, signal=2.0, noise=1.0, train=10, validation=10, seed=job.seed
    )
    net = network(task.form, graph, job.seed)
    history = fit(net, graph, NodeSchedule(epochs=100))
    net, x = net.double().eval(), graph.x.double()
    order = torch.from_numpy(np.random.default_rng(job.seed).permutation(len(x)))
    weight, permuted = (first_layer(net, features, graph.edge_index) for features in (x, x[order]))
    differences = spread_at_nodes(graph.edge_index, weight, len(x))
    return [
        Measurement("train_accuracy", history.train_accuracy, "%"),
        Measurement("nodes", len(differences)),
        Measurement("unequal", int((differences > EQUAL).sum())),
        Measurement("edges", len(weight)),
        Measurement("changed", int(((permuted - weight).abs() > EQUAL).any(1).sum())),
        Measurement("largest_over_smallest", largest_over_smallest(graph.edge_index, weight, len(x)), "mean over nodes"),
    ]


def network(form: str, graph: Graph, seed: int) -> GraphNetwork | MeanNetwork:
    """A net of the form, untrained."""
    seed_everything(seed)
    if form == "mean":
        return MeanNetwork(graph.x.shape[1], 16)
    return GraphNetwork(
        GraphNetworkConfig(layer=form, in_features=graph.x.shape[1], classes=2, width=16, heads=2, dropout=0.3)  # type: ignore[arg-type]
    )


@torch.no_grad()
def first_layer(net: GraphNetwork | MeanNetwork, x: Tensor, edge_index: Tensor) -> Tensor:
    """The weights of the given edges in the net's first layer, (E, heads): attention, or what a layer that is linear makes of x.

    If node u's first feature rises by 1, node v's output moves by the weight of the edge u → v times W's first column.
    """
    layer = net.layers[0]
    if isinstance(net, GraphNetwork) and net.config.layer != "gcn":
        return net.attention(x, edge_index)[0][1][: edge_index.shape[1]]
    column = (layer.lin if isinstance(net, GraphNetwork) else layer.lin_neighbors).weight[:, 0]  # type: ignore[union-attr, index]
    rises = responses(layer, x, edge_index)  # (N, N, width)
    return (rises[edge_index[1], edge_index[0]] @ column / column.square().sum())[:, None]


def largest_over_smallest(edges: Tensor, weight: Tensor, n: int) -> float:
    """A neighbor's largest weight over the smallest at the same node, heads averaged: mean over nodes with two or more."""
    heads, degree = weight.mean(1), in_degree(edges, n)
    rows = [heads[edges[1] == node] for node in range(n) if int(degree[node]) > 1]
    return float(torch.stack([row.max() / row.min() for row in rows]).mean())
