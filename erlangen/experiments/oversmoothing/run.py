"""Depth, and the node itself: what one job computes."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import cast

import numpy as np
import torch
from torch import Tensor

from erlangen.data.graphs import Graph, block_model, undirected
from erlangen.data.planetoid import cora
from erlangen.measure.smoothness import dirichlet_energy, mean_average_distance
from erlangen.models.deep_graph_network import Arm, DeepGraphNetwork, DeepGraphNetworkConfig
from erlangen.nn.graph.algebra import add_self_loops, in_degree
from erlangen.nn.graph.convolution import GraphConvolution
from erlangen.nn.graph.csr import neighbor_sum
from erlangen.records.runs import Job, Measurement
from erlangen.train.node_classifier import NodeSchedule, accuracy, evaluate, features, fit
from erlangen.train.seeds import seed_everything


def run(job: Job) -> list[Measurement]:
    """Measurements of one job, by its task."""
    return {"itself": itself, "propagate": propagate, "train": train}[str(job.params["task"])](job)


def number(job: Job, name: str) -> int:
    return int(str(job.params[name]))


def graph_of(job: Job) -> Graph:
    """Cora, or a block model of this seed; every node's features scaled to mean square 1, as the nets' first weights expect."""
    if job.params["data"] == "cora":
        return scaled(cora)
    quarter = number(job, "nodes") // 4
    inside = 4.8 / quarter
    return scaled(
        lambda: block_model(
            (quarter,) * 4, within=inside, between=inside / 12, features=32, signal=1.5, noise=1.0, train=20,
            validation=quarter // 4, seed=job.seed,
        )
    )  # fmt: skip


@cache
def scaled(make: object) -> Graph:
    graph: Graph = make()  # type: ignore[operator]
    size = graph.x.square().mean(1, keepdim=True).sqrt()
    return replace(graph, x=graph.x / size.clamp(min=1e-12))


def smoothness(prefix: str, h: Tensor, graph: Graph) -> list[Measurement]:
    return [
        Measurement(f"{prefix}energy", dirichlet_energy(h, graph.edge_index), "of ‖H‖²"),
        Measurement(f"{prefix}distance", mean_average_distance(h), "1 - cos"),
    ]


def itself(job: Job) -> list[Measurement]:
    """Nodes whose output changes when their own features do, after one layer and after two, without B and with it.

    On an undirected graph, on one whose edges all point to later nodes (no walk comes back), and with self-loops; with isolated
    nodes.
    """
    rng = np.random.default_rng(job.seed)
    pairs = torch.from_numpy(np.unique(np.sort(rng.integers(0, 20, (30, 2)), axis=1), axis=0))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]  # u < v
    graphs = {"undirected": undirected(pairs), "acyclic": pairs.T.contiguous()}
    graphs["looped"] = add_self_loops(graphs["undirected"], 20)
    found = []
    for name, edge_index in graphs.items():
        listening = int((in_degree(edge_index, 20) > 0).sum())
        found += [Measurement(f"{name}_nodes", 20, "nodes"), Measurement(f"{name}_listening", listening, "nodes")]
        for root in (False, True):
            torch.manual_seed(job.seed)
            layers = [GraphConvolution(4, 4, root_weight=root).double() for _ in range(2)]
            for depth in (1, 2):
                count = sum(sees_itself(layers[:depth], edge_index, node) for node in range(20))
                found.append(Measurement(f"{name}_{'root' if root else 'none'}_{depth}", count, "nodes"))
    return found


@torch.no_grad()
def sees_itself(layers: list[GraphConvolution], edge_index: Tensor, node: int) -> bool:
    x = torch.randn(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(node))
    moved = x.clone()
    moved[node] += 1
    for layer in layers:  # without σ: what a relu swallows would be no matter of B
        x, moved = layer(x, edge_index), layer(moved, edge_index)
    return not torch.equal(x[node], moved[node])


def propagate(job: Job) -> list[Measurement]:
    """No weights: D⁻¹A, with B = I added and halved, or with self-loops, as often as each depth says."""
    graph, arm = graph_of(job), str(job.params["arm"])
    n = graph.num_nodes
    edges = add_self_loops(graph.edge_index, n) if arm == "loops" else graph.edge_index
    degree = in_degree(edges, n).clamp(min=1)[:, None]
    depths = [int(depth) for depth in str(job.params["depths"]).split(",")]
    h = graph.x.double()
    energy, distance = [dirichlet_energy(h, graph.edge_index)], [mean_average_distance(h)]
    for depth in range(1, depths[-1] + 1):
        mean = neighbor_sum(h, edges, n) / degree
        h = (mean + h) / 2 if arm == "root" else mean  # half: neither measure depends on the scale, and nothing overflows
        if depth in depths:
            energy.append(dirichlet_energy(h, graph.edge_index))
            distance.append(mean_average_distance(h))
    return [
        Measurement("energy", tuple(energy), "of ‖H‖², from depth 0 on"),
        Measurement("distance", tuple(distance), "1 - cos, from depth 0 on"),
    ]


def train(job: Job) -> list[Measurement]:
    """One net: smoothness of its last convolution's features with random weights and with trained ones, and its accuracies."""
    graph = graph_of(job)
    seed_everything(job.seed)
    net = DeepGraphNetwork(
        DeepGraphNetworkConfig(
            arm=cast(Arm, job.params["arm"]), in_features=graph.x.shape[1], classes=int(graph.y.max()) + 1,
            depth=number(job, "depth"), width=number(job, "width"),
        )
    )  # fmt: skip
    x = features(graph)

    def smooth(prefix: str) -> list[Measurement]:
        with torch.no_grad():
            return smoothness(prefix, net.eval().features(x, graph.edge_index), graph)

    found = smooth("random_")
    epochs, patience, lr = number(job, "epochs"), number(job, "patience"), float(str(job.params["lr"]))
    schedule = NodeSchedule(epochs=epochs, patience=patience, every=4, lr=lr)  # a look costs a third of a step
    history = fit(net, graph, schedule)
    logits = evaluate(net, graph)
    commonest = torch.bincount(graph.y).max() / len(graph.y)
    return [
        *found,
        *smooth("trained_"),
        Measurement("convolution_parameters", sum(p.numel() for layer in net.layers for p in layer.parameters()), "numbers"),
        Measurement("best_epoch", history.best_epoch, "epochs"),
        Measurement("train_accuracy", history.train_accuracy, "%"),
        Measurement("validation_accuracy", history.validation_accuracy, "%"),
        Measurement("test_accuracy", accuracy(logits, graph), "%"),
        Measurement("classes_predicted", int(torch.bincount(logits.argmax(1)).count_nonzero()), "classes"),
        Measurement("commonest_class", 100 * float(commonest) if math.isfinite(float(commonest)) else math.nan, "%"),
    ]
