"""Attention among noisy neighbors: what one job computes."""

from __future__ import annotations

from itertools import product
from typing import cast

import numpy as np
import torch
from torch import Tensor

from erlangen.data.graphs import Graph, block_model, with_noisy_edges, with_noisy_features
from erlangen.data.planetoid import cora
from erlangen.experiments.noisy_neighbors.weights import weights
from erlangen.models.graph_network import GraphNetwork, GraphNetworkConfig, Layer
from erlangen.records.runs import Job, Measurement
from erlangen.train.node_classifier import NodeHistory, NodeSchedule, accuracy, evaluate, features, fit
from erlangen.train.seeds import seed_everything

SETTINGS = tuple(product((0.3, 0.6), (5e-4, 5e-3)))  # dropout, weight decay: every arm is tuned over these four
WIDTH, HEADS = 32, 4

Noise = tuple[float, float]  # share of the nodes, share of the edges


def run(job: Job) -> list[Measurement]:
    """Measurements of one job, by its task."""
    return {"weights": weights, "train": train}[str(job.params["task"])](job)


def shares_of(job: Job, name: str) -> list[float]:
    return [float(share) for share in str(job.params[name]).split(",")]


def graph_of(job: Job) -> Graph:
    """Cora, or a block model of this seed: four classes, about eight neighbors each, four in five of the node's own class."""
    if job.params["data"] == "cora":
        return cora()
    quarter = int(str(job.params["nodes"])) // 4
    inside = 6.4 / quarter
    return block_model(
        (quarter,) * 4, within=inside, between=inside / 12, features=32, signal=1.5, noise=1.0, train=20, validation=quarter,
        seed=job.seed,
    )  # fmt: skip


def noisy(graph: Graph, noise: Noise, seed: int) -> tuple[Graph, Tensor, Tensor]:
    """The graph with both kinds of noise, which nodes (N,) and which edges (E,) are noise: the same for every arm of a seed."""
    nodes, edges = noise
    rng = np.random.default_rng([seed, round(1000 * nodes), round(1000 * edges)])
    with_features, noisy_nodes = with_noisy_features(graph, nodes, rng)
    with_both, noisy_edges = with_noisy_edges(with_features, edges, rng)
    return with_both, noisy_nodes, noisy_edges


def trained(job: Job, graph: Graph, setting: tuple[float, float]) -> tuple[GraphNetwork, NodeHistory]:
    """A net of the job's layer, trained on the graph; the seed decides its first weights, whatever the noise."""
    dropout, decay = setting
    seed_everything(job.seed)
    config = GraphNetworkConfig(
        layer=cast(Layer, job.params["layer"]), in_features=graph.x.shape[1], classes=int(graph.y.max()) + 1,
        width=WIDTH, heads=HEADS, dropout=dropout, attention_dropout=dropout,
    )  # fmt: skip
    net = GraphNetwork(config)
    epochs, patience = int(str(job.params["epochs"])), int(str(job.params["patience"]))
    return net, fit(net, graph, NodeSchedule(epochs=epochs, patience=patience, every=2, weight_decay=decay))


def train(job: Job) -> list[Measurement]:
    """Claim G8: tune on the clean graph; test at every noise; train again at every noise of `in_training`, and test there."""
    clean = graph_of(job)
    tried = [(trained(job, clean, setting), setting) for setting in SETTINGS]
    (net, history), setting = max(tried, key=lambda one: (one[0][1].validation_accuracy, -one[0][1].validation_loss))
    found = [
        Measurement("dropout", setting[0]),
        Measurement("weight_decay", setting[1]),
        Measurement("best_epoch", history.best_epoch, "epochs"),
        Measurement("train_accuracy", history.train_accuracy, "%"),
        Measurement("validation_accuracy", history.validation_accuracy, "%"),
        Measurement("test_accuracy", accuracy(evaluate(net, clean), clean), "%"),
        *met(job, "test", shares_of(job, "shares"), clean, {}, net),
        Measurement("one_node", one_node(job, clean, net), "attention, then 1 for noise, neighbor by neighbor"),
    ]
    shares = shares_of(job, "in_training")
    nets = {
        noise: trained(job, noisy(clean, noise, job.seed)[0], setting)[0] for noise in product(shares, shares) if noise != (0, 0)
    }
    return [*found, *met(job, "training", shares, clean, nets, net)]


def met(
    job: Job,
    regime: str,
    shares: list[float],
    clean: Graph,
    nets: dict[Noise, GraphNetwork],
    otherwise: GraphNetwork,
) -> list[Measurement]:
    """Accuracy at every pair of shares (nodes, edges), row by row, and the attention on what is noise, by share and layer."""
    everywhere, at_clean = [], []
    attention: dict[str, list[float]] = {"nodes": [], "edges": []}
    share: dict[str, list[float]] = {"nodes": [], "edges": []}
    for noise in product(shares, shares):
        net = nets.get(noise, otherwise)
        graph, noisy_nodes, noisy_edges = noisy(clean, noise, job.seed)
        logits = evaluate(net, graph)
        everywhere.append(accuracy(logits, graph))
        at_clean.append(accuracy(logits, graph, among=~noisy_nodes))
        kind = {(True, False): "nodes", (False, True): "edges"}.get((noise[0] > 0, noise[1] > 0))
        if kind:
            marked = noisy_nodes[graph.edge_index[0]] if kind == "nodes" else noisy_edges
            listening = ~noisy_nodes
            measured = [
                listened(weight, edges, marked, listening) for edges, weight in net.attention(features(graph), graph.edge_index)
            ]
            attention[kind] += [mass for mass, _ in measured]
            share[kind].append(measured[0][1])
    return [
        Measurement(f"{regime}_accuracy_by_noise", tuple(everywhere), "%"),
        Measurement(f"{regime}_accuracy_by_noise_at_clean", tuple(at_clean), "%"),
        *(Measurement(f"{regime}_attention_{kind}", tuple(values), "of 1, layer by layer") for kind, values in attention.items()),
        *(Measurement(f"{regime}_share_{kind}", tuple(values), "of 1") for kind, values in share.items()),
    ]


def listened(weight: Tensor, edges: Tensor, noisy: Tensor, listening: Tensor) -> tuple[float, float]:
    """Mean share of the attention that noisy neighbors get, and of the neighbors that they are, over nodes with both kinds.

    weight (E', heads) on edges (2, E'), of which the first E = len(noisy) are no added loops; noisy (E,), listening (N,) bool.
    A node is no neighbor of its own.
    """
    target, n = edges[1, : len(noisy)], len(listening)
    mass = weight[: len(noisy)].mean(1).double()

    def total(values: Tensor) -> Tensor:
        return values.new_zeros(n).index_add(0, target, values)  # (N,)

    marked = noisy.double()
    count, bad = total(torch.ones_like(marked)), total(marked)
    both = (bad > 0) & (bad < count) & listening
    return float((total(mass * marked) / total(mass))[both].mean()), float((bad / count)[both].mean())


def one_node(job: Job, clean: Graph, net: GraphNetwork) -> tuple[float, ...]:
    """First-layer attention of a clean node with three or more neighbors of each kind, half of all nodes noisy.

    The same node for every arm of a seed; () where the graph has none.
    """
    graph, noisy_nodes, _ = noisy(clean, (0.5, 0.0), job.seed)
    source, target = graph.edge_index
    marked = noisy_nodes[source]
    bad, good = (torch.bincount(target[kind], minlength=graph.num_nodes) for kind in (marked, ~marked))
    fit_to_show = ((bad >= 3) & (good >= 3) & (bad + good <= 12) & ~noisy_nodes).nonzero()
    if not len(fit_to_show):
        return ()
    here = target == fit_to_show[0]
    weight = net.attention(features(graph), graph.edge_index)[0][1][: len(target)].mean(1)[here]
    pairs = sorted(
        zip((weight / weight.sum()).tolist(), marked[here].tolist(), strict=True), key=lambda pair: (pair[1], -pair[0])
    )
    return tuple(float(value) for pair in pairs for value in pair)
