"""The nets of `noisy-neighbors`: one width and depth for all layers, each tuned over the same dropouts."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.data.graphs import Graph
from erlangen.experiments.noisy_neighbors.tasks import Separate, Train
from erlangen.models.graph_network import GraphNetwork, GraphNetworkConfig
from erlangen.train.node_classifier import NodeHistory, NodeSchedule, features, fit, nodes
from erlangen.train.seeds import seed_everything

WIDTH, HEADS, DECAY = 32, 4, 5e-4


def best_net(task: Train | Separate, seed: int, graph: Graph) -> tuple[GraphNetwork, NodeHistory]:
    """A net of the task's layer, trained on the graph: the best of its dropouts by validation accuracy, then loss."""
    tried = [trained(task, seed, graph, dropout) for dropout in task.dropouts]
    return max(tried, key=lambda one: (one[1].validation_accuracy, -one[1].validation_loss))


def trained(task: Train | Separate, seed: int, graph: Graph, dropout: float) -> tuple[GraphNetwork, NodeHistory]:
    """One training; the seed decides the first weights, whatever the noise. The dropout is that of features and of attention."""
    seed_everything(seed)
    config = GraphNetworkConfig(
        layer=task.layer, in_features=graph.x.shape[1], classes=int(graph.y.max()) + 1, width=WIDTH, heads=HEADS,
        dropout=dropout, attention_dropout=dropout,
    )  # fmt: skip
    net = GraphNetwork(config)
    return net, fit(net, graph, NodeSchedule(epochs=task.epochs, patience=task.patience, every=2, weight_decay=DECAY))


def probe(net: GraphNetwork, graph: Graph, at: Tensor) -> float:
    """Accuracy in percent, at nodes `at`, of a linear classifier of the hidden states: ridge regression on the training nodes.

    argmax (h - h̄) (HᵀH + λI)⁻¹ HᵀY + ȳ,    λ = 0.01 of HᵀH's mean eigenvalue,  H and Y centered, Y the classes as 0 and 1
    """
    with torch.no_grad():
        hidden = net.activation(net.layers[0](features(graph), graph.edge_index)).double()  # (N, WIDTH)
    train = nodes(graph, "train_mask")
    classes = torch.nn.functional.one_hot(graph.y[train]).double()  # (n, classes)
    center, base = hidden[train].mean(0), classes.mean(0)
    h = hidden[train] - center
    gram = h.T @ h
    ridge = 0.01 * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    guess = ((hidden[at] - center) @ torch.linalg.solve(gram + ridge, h.T @ (classes - base)) + base).argmax(1)
    return 100 * float((guess == graph.y[at]).double().mean())
