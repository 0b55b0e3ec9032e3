"""Claim G8: what noise costs a layer, and what attention it gives to noisy neighbors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from torch import Tensor

from erlangen.data.graphs import Graph
from erlangen.experiments.noisy_neighbors.listening import one_node, ratios
from erlangen.experiments.noisy_neighbors.noise import graph_of, noisy
from erlangen.experiments.noisy_neighbors.tasks import NOISES, Noise, Train
from erlangen.experiments.noisy_neighbors.training import best_net, probe
from erlangen.models.graph_network import GraphNetwork
from erlangen.records.runs import Job, Measurement
from erlangen.train.node_classifier import accuracy, evaluate, nodes

DRAWS = 2  # of the noise that is met in the test alone
DRAWN: tuple[Noise, ...] = ("swapped", "shifted", "loud")  # the noises under which one node is drawn among its neighbors
Noised = tuple[Graph, Tensor, Tensor]  # what `noisy` returns


def train(task: Train, job: Job) -> list[Measurement]:
    """Train on the clean graph and test under every noise; train under every noise and test there."""
    clean, seed, share = graph_of(task, job.seed), job.seed, task.share
    net, history = best_net(task, seed, clean)
    learned = {noise: best_net(task, seed, noisy(clean, noise, share, seed)[0])[0] for noise in NOISES}
    met = [[look(net, net, clean, noisy(clean, noise, share, seed, draw)) for draw in range(DRAWS)] for noise in NOISES]
    return [
        Measurement("best_epoch", history.best_epoch, "epochs"),
        Measurement("train_accuracy", history.train_accuracy, "%"),
        Measurement("validation_accuracy", history.validation_accuracy, "%"),
        Measurement("test_accuracy", accuracy(evaluate(net, clean), clean), "%"),
        *columns("test", [np.mean(rows, axis=0) for rows in met]),
        *columns("training", [look(net, learned[noise], clean, noisy(clean, noise, share, seed)) for noise in NOISES]),
        Measurement("accuracy_by_share", by_share(task, seed, clean, net), "%, noise by noise"),
        *(
            Measurement(f"one_node_{noise}", one_node(learned[noise], *noisy(clean, noise, share, seed)), "attention, mark, ...")
            for noise in DRAWN
        ),
    ]


def look(before: GraphNetwork, net: GraphNetwork, clean: Graph, noise: Noised) -> np.ndarray:
    """What a net makes of noise, (4 + layers,), at nodes whose own features are clean.

    Accuracy; what it lost against the clean graph, which `before` classifies; training accuracy; a probe of the hidden states;
    attention on noise over its share, layer by layer.
    """
    graph, noisy_nodes, marked = noise
    logits, among, at = evaluate(net, graph), ~noisy_nodes, nodes(clean, "test_mask")
    reached = accuracy(logits, graph, among=among)
    lost = accuracy(evaluate(before, clean), clean, among=among) - reached
    learned = accuracy(logits, graph, "train_mask", among)
    return np.array([reached, lost, learned, probe(net, graph, at[among[at]]), *ratios(net, graph, marked, among)])


def columns(regime: str, rows: Sequence[np.ndarray]) -> list[Measurement]:
    """What `look` measured, noise by noise."""
    named = zip(("accuracy", "lost", "fit", "probe"), ("%", "points", "%", "%"), np.array(rows).T[:4], strict=True)
    attention = np.array(rows)[:, 4:]  # (noises, layers)
    return [
        *(
            Measurement(f"{regime}_noise_{name}", tuple(values.tolist()), f"{unit}, noise by noise")
            for name, unit, values in named
        ),
        Measurement(f"{regime}_noise_attention", tuple(attention[:, 0].tolist()), "of their share, first layer, noise by noise"),
        Measurement(
            f"{regime}_noise_attention_later", tuple(attention[:, -1].tolist()), "of their share, last layer, noise by noise"
        ),
    ]


def by_share(task: Train, seed: int, clean: Graph, net: GraphNetwork) -> tuple[float, ...]:
    """Accuracy at clean nodes as noise that was not met in training rises: every noise, at every share."""
    accuracies = []
    for noise, share in product(NOISES, task.shares):
        graph, noisy_nodes, _ = noisy(clean, noise, share, seed)
        accuracies.append(accuracy(evaluate(net, graph), graph, among=~noisy_nodes))
    return tuple(accuracies)
