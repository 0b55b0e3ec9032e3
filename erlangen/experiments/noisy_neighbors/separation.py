"""Claim G8: whether attention tells neighbors of the own class from those of the other, at a distance of the class means."""

from __future__ import annotations

import torch

from erlangen.experiments.noisy_neighbors.listening import ratios
from erlangen.experiments.noisy_neighbors.noise import two_classes
from erlangen.experiments.noisy_neighbors.tasks import Separate
from erlangen.experiments.noisy_neighbors.training import best_net
from erlangen.records.runs import Job, Measurement
from erlangen.train.node_classifier import accuracy, evaluate


def separate(task: Separate, job: Job) -> list[Measurement]:
    """Train on two classes; test, and look at the attention on neighbors of the other class."""
    graph, _ = two_classes(task, job.seed)
    net, history = best_net(task, job.seed, graph)
    source, target = graph.edge_index
    everyone = torch.ones(graph.num_nodes, dtype=torch.bool)
    attention = ratios(net, graph, graph.y[source] != graph.y[target], everyone)
    return [
        Measurement("train_accuracy", history.train_accuracy, "%"),
        Measurement("validation_accuracy", history.validation_accuracy, "%"),
        Measurement("test_accuracy", accuracy(evaluate(net, graph), graph), "%"),
        Measurement("attention", attention[0], "of their share, first layer"),
        Measurement("attention_later", attention[-1], "of their share, last layer"),
    ]
