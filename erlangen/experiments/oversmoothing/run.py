"""Depth, and the node itself: what one job computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from erlangen.data.graph_file import named_graph
from erlangen.data.graphs import Graph, block_model, undirected
from erlangen.experiments.kit.tasks import perform
from erlangen.experiments.oversmoothing.tasks import Itself, Propagate, Train
from erlangen.measure.smoothness import dirichlet_energy, mean_average_distance
from erlangen.models.deep_graph_network import DeepGraphNetwork, DeepGraphNetworkConfig
from erlangen.nn.graph.algebra import add_self_loops, in_degree
from erlangen.nn.graph.convolution import GraphConvolution
from erlangen.nn.graph.csr import neighbor_sum
from erlangen.records.runs import Job, Measurement
from erlangen.train.node_classifier import NodeSchedule, accuracy, evaluate, features, fit
from erlangen.train.seeds import seed_everything


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Itself: itself, Propagate: propagate, Train: train})


def graph_of(task: Propagate | Train, seed: int) -> Graph:
    """The task's graph, block models drawn by the seed; each node's features have mean square 1, as the first weights expect."""
    if task.data == "blocks":
        quarter = task.nodes // 4
        inside = 4.8 / quarter
        graph = block_model(
            (quarter,) * 4, within=inside, between=inside / 12, features=32, signal=1.5, noise=1.0, train=20,
            validation=quarter // 4, seed=seed,
        )  # fmt: skip
    else:
        graph = named_graph(task.data, task.digest)
    size = graph.x.square().mean(1, keepdim=True).sqrt()
    return replace(graph, x=graph.x / size.clamp(min=1e-12))


def itself(task: Itself, job: Job) -> list[Measurement]:
    """Nodes whose output changes when their own features do, after one layer and after two, without B and with it.

    On an undirected graph, on one whose edges all point to later nodes (no walk comes back), and with self-loops; with isolated
    nodes.
    """
    rng = np.random.default_rng(job.seed)
    pairs = torch.from_numpy(np.unique(np.sort(rng.integers(0, 20, (30, 2)), axis=1), axis=0))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]  # u < v
    graphs = {"undirected": undirected(pairs), "acyclic": pairs.T.contiguous()}
    graphs["looped"] = add_self_loops(graphs["undirected"], 20)
    measured = []
    for name, edge_index in graphs.items():
        listening = int((in_degree(edge_index, 20) > 0).sum())
        measured += [Measurement(f"{name}_nodes", 20, "nodes"), Measurement(f"{name}_listening", listening, "nodes")]
        for root in (False, True):
            torch.manual_seed(job.seed)
            layers = [GraphConvolution(4, 4, root_weight=root).double() for _ in range(2)]
            for depth in (1, 2):
                count = sum(sees_itself(layers[:depth], edge_index, node) for node in range(20))
                measured.append(Measurement(f"{name}_{'root' if root else 'none'}_{depth}", count, "nodes"))
    return measured


@torch.no_grad()
def sees_itself(layers: list[GraphConvolution], edge_index: Tensor, node: int) -> bool:
    """Whether a node's output changes when its own features do."""
    x = torch.randn(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(node))
    moved = x.clone()
    moved[node] += 1
    for layer in layers:  # without σ: what a relu swallows would have nothing to do with B
        x, moved = layer(x, edge_index), layer(moved, edge_index)
    return not torch.equal(x[node], moved[node])


def propagate(task: Propagate, job: Job) -> list[Measurement]:
    """No weights: D⁻¹A, with B = I added and halved, or with self-loops, as often as each depth says."""
    graph = graph_of(task, job.seed)
    n = graph.num_nodes
    edges = add_self_loops(graph.edge_index, n) if task.arm == "loops" else graph.edge_index
    degree = in_degree(edges, n).clamp(min=1)[:, None]
    h = graph.x.double()
    energy, distance = [dirichlet_energy(h, graph.edge_index)], [mean_average_distance(h)]
    for depth in range(1, task.depths[-1] + 1):
        mean = neighbor_sum(h, edges, n) / degree
        h = (mean + h) / 2 if task.arm == "root" else mean  # half: neither measure depends on the scale; nothing overflows
        if depth in task.depths:
            energy.append(dirichlet_energy(h, graph.edge_index))
            distance.append(mean_average_distance(h))
    return [
        Measurement("energy", tuple(energy), "of ‖H‖², from depth 0 on"),
        Measurement("distance", tuple(distance), "1 - cos, from depth 0 on"),
    ]


def train(task: Train, job: Job) -> list[Measurement]:
    """One net: smoothness of its last convolution's features with random weights and with trained ones, and its accuracies."""
    graph = graph_of(task, job.seed)
    seed_everything(job.seed)
    net = DeepGraphNetwork(
        DeepGraphNetworkConfig(
            arm=task.arm, in_features=graph.x.shape[1], classes=int(graph.y.max()) + 1, depth=task.depth, width=task.width
        )
    )
    untrained = smoothness("random", net, graph)
    schedule = NodeSchedule(epochs=task.epochs, patience=task.patience, every=4, lr=task.lr)  # a look costs a third of a step
    history = fit(net, graph, schedule)
    logits = evaluate(net, graph)
    commonest = torch.bincount(graph.y).max() / len(graph.y)
    return [
        *untrained,
        *smoothness("trained", net, graph),
        Measurement("convolution_parameters", sum(p.numel() for layer in net.layers for p in layer.parameters()), "numbers"),
        Measurement("best_epoch", history.best_epoch, "epochs"),
        Measurement("train_accuracy", history.train_accuracy, "%"),
        Measurement("validation_accuracy", history.validation_accuracy, "%"),
        Measurement("test_accuracy", accuracy(logits, graph), "%"),
        Measurement("classes_predicted", int(torch.bincount(logits.argmax(1)).count_nonzero()), "classes"),
        Measurement("commonest_class", 100 * float(commonest), "%"),
    ]


@torch.no_grad()
def smoothness(weights: str, net: DeepGraphNetwork, graph: Graph) -> list[Measurement]:
    """Energy and distance of what the last convolution gives, in eval mode; `weights` says whose."""
    h = net.eval().features(features(graph), graph.edge_index)
    return [
        Measurement(f"{weights}_energy", dirichlet_energy(h, graph.edge_index), "of ‖H‖²"),
        Measurement(f"{weights}_distance", mean_average_distance(h), "1 - cos"),
    ]
