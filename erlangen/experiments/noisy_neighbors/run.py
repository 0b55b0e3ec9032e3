"""Attention among noisy neighbors: what one job computes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import torch
from torch import Tensor

from erlangen.data.graph_file import named_graph
from erlangen.data.graphs import Graph, block_model, with_noisy_edges, with_noisy_features
from erlangen.experiments.kit.tasks import perform
from erlangen.experiments.noisy_neighbors.tasks import Train, Weights
from erlangen.experiments.noisy_neighbors.weights import weights
from erlangen.models.graph_network import GraphNetwork, GraphNetworkConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.node_classifier import NodeHistory, NodeSchedule, accuracy, evaluate, features, fit
from erlangen.train.seeds import seed_everything

SETTINGS = tuple(product((0.3, 0.6), (5e-4, 5e-3)))  # dropout, weight decay: every layer is tuned over these four
WIDTH, HEADS = 32, 4

Noise = tuple[float, float]  # share of the nodes, share of the edges
Trained = tuple[GraphNetwork, NodeHistory]


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Weights: weights, Train: train})


def graph_of(task: Train, seed: int) -> Graph:
    """The task's graph. Block models have four classes and about eight neighbors per node, four in five of its own class."""
    if task.data != "blocks":
        return named_graph(task.data, task.digest)
    quarter = task.nodes // 4
    inside = 6.4 / quarter
    return block_model(
        (quarter,) * 4, within=inside, between=inside / 12, features=32, signal=1.5, noise=1.0, train=20, validation=quarter,
        seed=seed,
    )  # fmt: skip


def noisy(graph: Graph, noise: Noise, seed: int) -> tuple[Graph, Tensor, Tensor]:
    """The graph with both kinds of noise, which nodes (N,) and which edges (E,) are noise: the same for every layer of a seed."""
    nodes, edges = noise
    rng = np.random.default_rng([seed, round(1000 * nodes), round(1000 * edges)])
    with_features, noisy_nodes = with_noisy_features(graph, nodes, rng)
    with_both, noisy_edges = with_noisy_edges(with_features, edges, rng)
    return with_both, noisy_nodes, noisy_edges


def trained(task: Train, seed: int, graph: Graph, setting: tuple[float, float]) -> Trained:
    """A net of the task's layer, trained on the graph; the seed decides its first weights, whatever the noise."""
    dropout, decay = setting
    seed_everything(seed)
    config = GraphNetworkConfig(
        layer=task.layer, in_features=graph.x.shape[1], classes=int(graph.y.max()) + 1, width=WIDTH, heads=HEADS,
        dropout=dropout, attention_dropout=dropout,
    )  # fmt: skip
    net = GraphNetwork(config)
    return net, fit(net, graph, NodeSchedule(epochs=task.epochs, patience=task.patience, every=2, weight_decay=decay))


def train(task: Train, job: Job) -> list[Measurement]:
    """Claim G8: tune on the clean graph; test at every noise; train again at every noise of `in_training`, and test there."""
    clean = graph_of(task, job.seed)
    tried = [(trained(task, job.seed, clean, setting), setting) for setting in SETTINGS]
    best, setting = max(tried, key=lambda one: (one[0][1].validation_accuracy, -one[0][1].validation_loss))
    net, history = best
    noises = list(product(task.in_training, task.in_training))
    retrained = {
        noise: trained(task, job.seed, noisy(clean, noise, job.seed)[0], setting) if any(noise) else best for noise in noises
    }
    return [
        Measurement("dropout", setting[0]),
        Measurement("weight_decay", setting[1]),
        Measurement("best_epoch", history.best_epoch, "epochs"),
        Measurement("train_accuracy", history.train_accuracy, "%"),
        Measurement("validation_accuracy", history.validation_accuracy, "%"),
        Measurement("test_accuracy", accuracy(evaluate(net, clean), clean), "%"),
        *under_noise("test", dict.fromkeys(product(task.shares, task.shares), net), clean, job.seed),
        Measurement("one_node", one_node(clean, net, job.seed), "attention, then 1 for noise, neighbor by neighbor"),
        *under_noise("training", {noise: retrained[noise][0] for noise in noises}, clean, job.seed),
        Measurement("training_fit_by_noise", tuple(retrained[noise][1].train_accuracy for noise in noises), "%"),
    ]


def under_noise(regime: str, nets: Mapping[Noise, GraphNetwork], clean: Graph, seed: int) -> list[Measurement]:
    """Accuracy of each net at its pair of shares (nodes, edges), and the attention on what is noise, by share and layer."""
    everywhere, at_clean = [], []
    attention: dict[str, list[float]] = {"nodes": [], "edges": []}
    share: dict[str, list[float]] = {"nodes": [], "edges": []}
    for noise, net in nets.items():
        graph, noisy_nodes, noisy_edges = noisy(clean, noise, seed)
        logits = evaluate(net, graph)
        everywhere.append(accuracy(logits, graph))
        at_clean.append(accuracy(logits, graph, among=~noisy_nodes))
        kind = {(True, False): "nodes", (False, True): "edges"}.get((noise[0] > 0, noise[1] > 0))
        if kind:
            marked = noisy_nodes[graph.edge_index[0]] if kind == "nodes" else noisy_edges
            measured = [
                attention_on(marked, weight, edges, ~noisy_nodes)
                for edges, weight in net.attention(features(graph), graph.edge_index)
            ]
            attention[kind] += [mass for mass, _ in measured]
            share[kind].append(measured[0][1])
    return [
        Measurement(f"{regime}_accuracy_by_noise", tuple(everywhere), "%"),
        Measurement(f"{regime}_accuracy_by_noise_at_clean", tuple(at_clean), "%"),
        *(Measurement(f"{regime}_attention_{kind}", tuple(values), "of 1, layer by layer") for kind, values in attention.items()),
        *(Measurement(f"{regime}_share_{kind}", tuple(values), "of 1") for kind, values in share.items()),
    ]


def attention_on(noisy: Tensor, weight: Tensor, edges: Tensor, listening: Tensor) -> tuple[float, float]:
    """Mean share of the attention that noisy neighbors get, and of the neighbors that they are, over nodes with both kinds.

    weight (E', heads) on edges (2, E'), of which the first E = len(noisy) are not added loops; noisy (E,), listening (N,) bool.
    A node is not its own neighbor.
    """
    target, n = edges[1, : len(noisy)], len(listening)
    mass = weight[: len(noisy)].mean(1).double()

    def total(values: Tensor) -> Tensor:
        return values.new_zeros(n).index_add(0, target, values)  # (N,)

    marked = noisy.double()
    count, bad = total(torch.ones_like(marked)), total(marked)
    both = (bad > 0) & (bad < count) & listening
    return float((total(mass * marked) / total(mass))[both].mean()), float((bad / count)[both].mean())


def one_node(clean: Graph, net: GraphNetwork, seed: int) -> tuple[float, ...]:
    """First-layer attention of a clean node with three or more neighbors of each kind, half of all nodes noisy.

    The same node for every layer of a seed; () where the graph has none.
    """
    graph, noisy_nodes, _ = noisy(clean, (0.5, 0.0), seed)
    source, target = graph.edge_index
    marked = noisy_nodes[source]
    bad, good = (torch.bincount(target[kind], minlength=graph.num_nodes) for kind in (marked, ~marked))
    suitable = ((bad >= 3) & (good >= 3) & (bad + good <= 12) & ~noisy_nodes).nonzero()
    if not len(suitable):
        return ()
    here = target == suitable[0]
    weight = net.attention(features(graph), graph.edge_index)[0][1][: len(target)].mean(1)[here]
    pairs = sorted(
        zip((weight / weight.sum()).tolist(), marked[here].tolist(), strict=True), key=lambda pair: (pair[1], -pair[0])
    )
    return tuple(float(value) for pair in pairs for value in pair)
