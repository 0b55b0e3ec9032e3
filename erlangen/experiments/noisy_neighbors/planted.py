"""Positive controls: attention that ignores noise because it is planted so, which the measure must see."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from erlangen.data.graphs import Graph
from erlangen.experiments.noisy_neighbors.listening import attention_on
from erlangen.experiments.noisy_neighbors.noise import graph_of, noisy, two_classes
from erlangen.experiments.noisy_neighbors.tasks import Planted, PlantedSeparate
from erlangen.nn.graph.gat import GATConv
from erlangen.nn.graph.gatv2 import GATv2Conv
from erlangen.records.runs import Job, Measurement

SHUT = 8.0  # nats less for a marked neighbor: e⁻⁸ of another's attention
SHARP = 4.0  # nats per standard deviation


def planted(task: Planted, job: Job) -> list[Measurement]:
    """A GAT layer that shuts out what carries a mark, and what attention is then measured on it."""
    clean = graph_of(task, job.seed)
    nodes, edges = (noisy(clean, noise, task.share, job.seed) for noise in ("swapped", "edges"))
    return [
        Measurement("attention_on_features", shut_nodes(*nodes), "of their share"),
        Measurement("attention_on_edges", shut_edges(*edges), "of their share"),
    ]


@torch.no_grad()
def shut_nodes(graph: Graph, noisy_nodes: Tensor, marked: Tensor) -> float:
    """Attention over share, where the mark is a feature of the source."""
    layer = GATConv(1, 1, negative_slope=1.0)  # scores stay linear
    for parameter, value in ((layer.lin.weight, 1.0), (layer.att_src, -SHUT), (layer.att_dst, 0.0)):
        nn.init.constant_(parameter, value)
    return measured(layer, noisy_nodes.float()[:, None], graph, marked, ~noisy_nodes)


@torch.no_grad()
def shut_edges(graph: Graph, noisy_nodes: Tensor, marked: Tensor) -> float:
    """Attention over share, where the mark is a feature of the edge."""
    layer = GATConv(1, 1, negative_slope=1.0, edge_dim=1)
    assert layer.lin_edge is not None
    assert layer.att_edge is not None
    for parameter, value in ((layer.lin_edge.weight, 1.0), (layer.att_edge, -SHUT)):
        nn.init.constant_(parameter, value)
    return measured(layer, torch.zeros(graph.num_nodes, 1), graph, marked, ~noisy_nodes, marked.float()[:, None])


def planted_separate(task: PlantedSeparate, job: Job) -> list[Measurement]:
    """Fountoulakis et al.'s attention on neighbors of the other class, over their share."""
    graph, direction = two_classes(task, job.seed)
    source, target = graph.edge_index
    return [Measurement("attention", separating(graph, direction, graph.y[source] != graph.y[target]), "of their share")]


@torch.no_grad()
def separating(graph: Graph, direction: Tensor, marked: Tensor) -> float:
    """Attention over share of a GATv2 layer whose score is high where both features lie on one side of the middle.

        z = x · v,    s_uv = SHARP (|z_u + z_v| - |z_u - z_v|) / 2 = ± SHARP min(|z_u|, |z_v|)

    |a| is made of LeakyReLU(a) + LeakyReLU(-a) = 0.8 |a| at a slope of 0.2.
    """
    layer = GATv2Conv(len(direction), 4, bias=False)
    signs_source, signs_target = torch.tensor([1.0, -1.0, 1.0, -1.0]), torch.tensor([1.0, -1.0, -1.0, 1.0])
    layer.lin_l.weight.copy_(signs_source[:, None] * direction)
    layer.lin_r.weight.copy_(signs_target[:, None] * direction)
    layer.att.copy_((SHARP / 1.6 * torch.tensor([1.0, 1.0, -1.0, -1.0])).view_as(layer.att))
    return measured(layer, graph.x, graph, marked, torch.ones(graph.num_nodes, dtype=torch.bool))


def measured(
    layer: GATConv | GATv2Conv, x: Tensor, graph: Graph, marked: Tensor, listening: Tensor, edge_attr: Tensor | None = None
) -> float:
    """The layer's attention on marked edges over their share."""
    _, (edges, weight) = layer(x, graph.edge_index, edge_attr, return_attention_weights=True)
    mass, share = attention_on(marked, weight, edges, listening)
    return mass / share
