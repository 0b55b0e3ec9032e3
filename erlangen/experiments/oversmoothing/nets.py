"""Nets of every arm: how different they leave the nodes, before training and after, and how accurate they are."""

from __future__ import annotations

import torch

from erlangen.data.graphs import Graph
from erlangen.experiments.oversmoothing.graphs import graph_of
from erlangen.experiments.oversmoothing.tasks import Start, Train
from erlangen.experiments.oversmoothing.training import train_until
from erlangen.measure.smoothness import dirichlet_energy, mean_average_distance
from erlangen.models.deep_graph_network import DeepGraphNetwork, DeepGraphNetworkConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.node_classifier import accuracy, evaluate, features
from erlangen.train.seeds import seed_everything


def net_of(task: Start | Train, depth: int, graph: Graph, seed: int, dropout: float = 0.0) -> DeepGraphNetwork:
    """The net of a task, its first weights drawn by the seed: as `Start` measures them, `Train` trains them."""
    seed_everything(seed)
    return DeepGraphNetwork(
        DeepGraphNetworkConfig(
            arm=task.arm, in_features=graph.x.shape[1], classes=int(graph.y.max()) + 1, depth=depth, width=task.width,
            activation=task.activation, scale=task.scale, dropout=dropout,
        )
    )  # fmt: skip


def start(task: Start, job: Job) -> list[Measurement]:
    """Smoothness of what the last convolution gives with random weights, for each depth."""
    graph = graph_of(task.data, task.nodes, task.digest, job.seed)
    pairs = [smoothness(net_of(task, depth, graph, job.seed), graph) for depth in task.depths]
    energy, distance = zip(*pairs, strict=True)
    return [Measurement("energy", energy, "of ‖H‖²"), Measurement("distance", distance, "1 - cos")]


def train(task: Train, job: Job) -> list[Measurement]:
    """One net at one learning rate: how far it trained, how accurate it is, and how different it leaves the nodes.

    Of a net that diverged, only how many epochs that took.
    """
    graph = graph_of(task.data, task.nodes, task.digest, job.seed)
    net = net_of(task, task.depth, graph, job.seed, task.dropout)
    epochs, diverged = train_until(net, graph, lr=task.lr, loss=task.loss, epochs=task.epochs)
    ran = [Measurement("epochs", epochs, "epochs"), Measurement("diverged", int(diverged), "nets")]
    if diverged:
        return ran
    logits = evaluate(net, graph)
    energy, distance = smoothness(net, graph)
    return [
        *ran,
        Measurement("train_accuracy", accuracy(logits, graph, "train_mask"), "%"),
        Measurement("validation_accuracy", accuracy(logits, graph, "validation_mask"), "%"),
        Measurement("test_accuracy", accuracy(logits, graph), "%"),
        Measurement("energy", energy, "of ‖H‖²"),
        Measurement("distance", distance, "1 - cos"),
        Measurement("classes_predicted", int(torch.bincount(logits.argmax(1)).count_nonzero()), "classes"),
        Measurement("commonest_class", 100 * float(torch.bincount(graph.y).max() / len(graph.y)), "%"),
        Measurement("convolution_parameters", sum(p.numel() for layer in net.layers for p in layer.parameters()), "numbers"),
    ]


@torch.no_grad()
def smoothness(net: DeepGraphNetwork, graph: Graph) -> tuple[float, float]:
    """Energy and distance of what the last convolution gives, in eval mode."""
    h = net.eval().features(features(graph), graph.edge_index)
    return dirichlet_energy(h, graph.edge_index), mean_average_distance(h)
