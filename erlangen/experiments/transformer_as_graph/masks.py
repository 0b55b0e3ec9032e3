"""Claim G11: one network under several masks: which nodes it attends to, and what it then makes of a graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from erlangen.data.graphs import Graph, block_model, undirected
from erlangen.experiments.transformer_as_graph.tasks import Train
from erlangen.models.graph_transformer import BlockConfig, GraphTransformer, GraphTransformerConfig
from erlangen.nn.graph.algebra import add_self_loops, adjacency, complete_graph
from erlangen.nn.graph.encodings import laplacian_eigenvectors, return_probabilities
from erlangen.records.runs import Job, Measurement
from erlangen.train.node_classifier import NodeHistory, NodeSchedule, accuracy, evaluate, fit
from erlangen.train.seeds import seed_everything

SETTINGS = (0.2, 0.5)  # dropout: every arm is tuned over both
DEGREE, FEATURES, ENCODED = 10, 16, 8  # mean degree; width of the features and of each encoding
SIGNAL = {2: 1.2, 4: 1.8}  # by classes: features alone then give about 70 %
TRAINING = 20  # nodes of each class
EXTRA = 3  # random edges beside each true one, where a mask is diluted
PLANTED = 2.0  # the positive control: true edges get so many times their attention


def train(task: Train, job: Job) -> list[Measurement]:
    """Tune and train one arm on one block model; test it, and measure how much of its attention is on true edges."""
    mask, _, encoding = task.arm.partition("/")
    graph = block_graph(task.classes, task.homophily, task.nodes, job.seed)
    masked = replace(graph, x=encoded(graph, encoding), edge_index=mask_edges(graph, mask, job.seed))
    net, history, dropout = tune(masked, NodeSchedule(epochs=task.epochs, patience=task.patience, lr=0.005), job.seed)
    source, target = graph.edge_index
    measured = [
        Measurement("dropout", dropout),
        Measurement("best_epoch", history.best_epoch, "epochs"),
        Measurement("train_accuracy", history.train_accuracy, "%"),
        Measurement("validation_accuracy", history.validation_accuracy, "%"),
        Measurement("test_accuracy", accuracy(evaluate(net, masked), masked), "%"),
        Measurement("test_nodes", int(masked.test_mask.sum()) if masked.test_mask is not None else 0, "nodes"),
        Measurement("homophily", float((graph.y[source] == graph.y[target]).double().mean()), "of the edges"),
    ]
    return measured if mask in ("self", "random") else [*measured, *attention_on_edges(net, masked, graph)]


def block_graph(classes: int, homophily: float, nodes: int, seed: int) -> Graph:
    """A block model of equal classes in which `homophily` of the edges, in expectation, join nodes of one class."""
    size = nodes // classes
    within, between = DEGREE * homophily / (size - 1), DEGREE * (1 - homophily) / (size * (classes - 1))
    return block_model(
        (size,) * classes, within, between, features=FEATURES, signal=SIGNAL[classes], train=TRAINING, validation=nodes // 4,
        seed=seed,
    )  # fmt: skip


def mask_edges(graph: Graph, mask: str, seed: int) -> Tensor:
    """The edges (2, E') along which a mask lets nodes attend, with a self-loop at every node.

    random: the graph's own edges with all nodes renamed: as many, with the same degrees, but between others. diluted: its
    edges and EXTRA times as many between nodes that have none.
    """
    n, rng = graph.num_nodes, np.random.default_rng([seed, graph.num_nodes])
    if mask == "complete":
        return complete_graph(n)
    edges = graph.edge_index[:, :0] if mask == "self" else graph.edge_index
    if mask == "random":
        edges = torch.from_numpy(rng.permutation(n))[edges]
    if mask == "diluted":
        free = (adjacency(edges, n) == 0).triu(1).nonzero()  # (pairs, 2)
        drawn = free[torch.from_numpy(rng.permutation(len(free))[: EXTRA * edges.shape[1] // 2])]
        edges = torch.cat([edges, undirected(drawn)], dim=1)
    return add_self_loops(edges, n)


def encoded(graph: Graph, encoding: str) -> Tensor:
    """The features beside a place for each encoding, (N, FEATURES + 2 ENCODED), which is zero where an arm does not get it.

    So all arms have the same parameters. Eigenvectors come from both ends of the spectrum, the slow ones and those that change
    along edges; their signs stay: there is one graph, the same in training and test.
    """
    n, edges = graph.num_nodes, graph.edge_index
    walks, vectors = torch.zeros(n, ENCODED), torch.zeros(n, ENCODED)
    if encoding == "walks":
        walks = standardized(return_probabilities(edges, n, ENCODED))
    elif encoding == "eigenvectors":
        ends = [laplacian_eigenvectors(edges, n, ENCODED // 2, largest=largest) for largest in (False, True)]
        vectors = standardized(torch.cat(ends, dim=1))
    return torch.cat([graph.x, walks, vectors], dim=1)


def standardized(columns: Tensor) -> Tensor:
    """Each column with mean 0 and standard deviation 1; a constant one is 0."""
    centered = columns - columns.mean(0)
    return (centered / centered.square().mean(0).sqrt().clamp(min=1e-9)).float()


def train_network(graph: Graph, dropout: float, schedule: NodeSchedule, seed: int) -> tuple[GraphTransformer, NodeHistory]:
    """The network, trained along the graph's edges as they are; the seed alone decides its first weights."""
    seed_everything(seed)
    block = BlockConfig(dropout=dropout, norm_first=True)
    config = GraphTransformerConfig(in_features=graph.x.shape[1], classes=int(graph.y.max()) + 1, block=block, form="dense")
    net = GraphTransformer(config)
    return net, fit(net, graph, schedule)


def tune(graph: Graph, schedule: NodeSchedule, seed: int) -> tuple[GraphTransformer, NodeHistory, float]:
    """The better of SETTINGS by the validation nodes, and its dropout."""
    tried = [(*train_network(graph, dropout, schedule, seed), dropout) for dropout in SETTINGS]
    return max(tried, key=lambda net: (net[1].validation_accuracy, -net[1].validation_loss))


def attention_on_edges(net: GraphTransformer, masked: Graph, graph: Graph) -> list[Measurement]:
    """By layer, mean over nodes with a neighbor, and over heads: attention on true edges; on as many nodes of the same classes
    without an edge; and e to the entropy, the number of nodes that attention is spread over. Beside it the share of true edges
    among those attended along.

    planted: the same of attention whose true edges got PLANTED times as much before it was normalized, a positive control.
    """
    n = graph.num_nodes
    edge, allowed = (adjacency(edges, n) > 0 for edges in (graph.edge_index, masked.edge_index))  # (N, N): [target, source]
    has = edge.any(1)
    values: dict[str, list[float]] = {}

    def keep(name: str, per_node: Tensor) -> None:
        values.setdefault(name, []).append(float(per_node[has].mean()))

    for weight in net.attention(masked.x, masked.edge_index):  # (E', heads)
        dense = torch.zeros(n, n, weight.shape[1], dtype=torch.float64)
        dense[masked.edge_index[1], masked.edge_index[0]] = weight.double()
        attention = dense.mean(2)
        planted = attention * torch.where(edge, PLANTED, 1.0)
        keep("nodes_attended", torch.special.entr(dense).sum(1).exp())
        for prefix, shown in (("", attention), ("planted_", planted / planted.sum(1, keepdim=True))):
            keep(f"{prefix}attention_on_edges", (shown * edge).sum(1))
            keep(f"{prefix}attention_on_same_classes", of_same_classes(shown, edge, allowed, graph.y))
    share = Measurement("share_of_edges", float((edge.sum(1) / allowed.sum(1))[has].double().mean()), "of 1")
    return [*(Measurement(name, tuple(layers), "by layer") for name, layers in values.items()), share]


def of_same_classes(attention: Tensor, edge: Tensor, allowed: Tensor, y: Tensor) -> Tensor:
    """What each node's neighbors would get if each got what the other nodes of its class get, (N,).

    NaN for a node that has a neighbor of a class but sees nobody else of it, as along the edges alone.
    """
    others = allowed & ~edge & ~torch.eye(len(y), dtype=torch.bool)
    members = torch.nn.functional.one_hot(y).double()  # (N, classes)
    neighbors, strangers = edge.double() @ members, others.double() @ members  # (N, classes): how many of each
    each = (attention * others) @ members / strangers
    return torch.where(neighbors > 0, neighbors * each, 0).sum(1)
