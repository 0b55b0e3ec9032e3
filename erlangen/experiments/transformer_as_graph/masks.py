"""Claim G11: one network, several masks: whom attention may listen to, and what it then makes of a graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from erlangen.data.graphs import Graph, block_model, karate_club, random_split, undirected
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


def block_graph(classes: int, homophily: float, nodes: int, seed: int) -> Graph:
    """A block model of equal classes in which `homophily` of the edges, in expectation, join nodes of one class."""
    size = nodes // classes
    within, between = DEGREE * homophily / (size - 1), DEGREE * (1 - homophily) / (size * (classes - 1))
    return block_model(
        (size,) * classes, within, between, features=FEATURES, signal=SIGNAL[classes], train=TRAINING, validation=nodes // 4,
        seed=seed,
    )  # fmt: skip


def attended(graph: Graph, mask: str, seed: int) -> Tensor:
    """The edges (2, E') along which a mask lets nodes attend, a loop at every node included.

    random: the graph's own edges with all nodes renamed: as many, with the same degrees, but between others. diluted: its
    edges and EXTRA times as many between nodes that have none.
    """
    n, rng = graph.num_nodes, np.random.default_rng([seed, graph.num_nodes])
    if mask == "complete":
        return complete_graph(n)
    edges = {"self": graph.edge_index[:, :0]}.get(mask, graph.edge_index)
    if mask == "random":
        edges = torch.from_numpy(rng.permutation(n))[edges]
    if mask == "diluted":
        free = (adjacency(edges, n) == 0).triu(1).nonzero()  # (pairs, 2)
        drawn = free[torch.from_numpy(rng.permutation(len(free))[: EXTRA * edges.shape[1] // 2])]
        edges = torch.cat([edges, undirected(drawn)], dim=1)
    return add_self_loops(edges, n)


def told(graph: Graph, encoding: str) -> Tensor:
    """The features beside a place for each encoding, (N, FEATURES + 2 ENCODED): zeros where an arm is not told it.

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


def trained(graph: Graph, dropout: float, schedule: NodeSchedule, seed: int) -> tuple[GraphTransformer, NodeHistory]:
    """The network, trained along the graph's edges as they are; the seed alone decides its first weights."""
    seed_everything(seed)
    config = GraphTransformerConfig(
        in_features=graph.x.shape[1], classes=int(graph.y.max()) + 1, block=BlockConfig(dropout=dropout, norm_first=True),
        form="dense",
    )  # fmt: skip
    net = GraphTransformer(config)
    return net, fit(net, graph, schedule)


def tuned(graph: Graph, schedule: NodeSchedule, seed: int) -> tuple[GraphTransformer, NodeHistory, float]:
    """The better of SETTINGS by the validation nodes, and its dropout."""
    tried = [(*trained(graph, dropout, schedule, seed), dropout) for dropout in SETTINGS]
    return max(tried, key=lambda one: (one[1].validation_accuracy, -one[1].validation_loss))


def train(job: Job) -> list[Measurement]:
    """Tune and train one arm on one block model; test it, and see what its attention is on."""
    classes, nodes, epochs, patience = (int(str(job.params[name])) for name in ("classes", "nodes", "epochs", "patience"))
    mask, _, encoding = str(job.params["arm"]).partition("/")
    graph = block_graph(classes, float(str(job.params["homophily"])), nodes, job.seed)
    seen = replace(graph, x=told(graph, encoding), edge_index=attended(graph, mask, job.seed))
    net, history, dropout = tuned(seen, NodeSchedule(epochs=epochs, patience=patience, lr=0.005), job.seed)
    source, target = graph.edge_index
    found = [
        Measurement("dropout", dropout),
        Measurement("best_epoch", history.best_epoch, "epochs"),
        Measurement("train_accuracy", history.train_accuracy, "%"),
        Measurement("validation_accuracy", history.validation_accuracy, "%"),
        Measurement("test_accuracy", accuracy(evaluate(net, seen), seen), "%"),
        Measurement("test_nodes", int(seen.test_mask.sum()) if seen.test_mask is not None else 0, "nodes"),
        Measurement("homophily", float((graph.y[source] == graph.y[target]).double().mean()), "of the edges"),
    ]
    return found if mask in ("self", "random") else [*found, *listened(net, seen, graph)]


def listened(net: GraphTransformer, seen: Graph, graph: Graph) -> list[Measurement]:
    """By layer, mean over nodes with a neighbor, and over heads: attention on true edges; on as many nodes of the same classes
    without an edge; and e to the entropy, the number of nodes that attention is spread over. Beside it the share of true edges
    among those attended along.
    """
    n = graph.num_nodes
    edge, allowed = (adjacency(edges, n) > 0 for edges in (graph.edge_index, seen.edge_index))  # (N, N): [target, source]
    has = edge.any(1)
    mass, matched, spread = [], [], []
    for weight in net.attention(seen.x, seen.edge_index):  # (E', heads)
        dense = torch.zeros(n, n, weight.shape[1], dtype=torch.float64)
        dense[seen.edge_index[1], seen.edge_index[0]] = weight.double()
        spread.append(float(torch.special.entr(dense).sum(1).exp()[has].mean()))
        attention = dense.mean(2)
        mass.append(float((attention * edge).sum(1)[has].mean()))
        matched.append(float(of_same_classes(attention, edge, allowed, graph.y)[has].mean()))
    share = float((edge.sum(1) / allowed.sum(1))[has].double().mean())
    return [
        Measurement("attention_on_edges", tuple(mass), "of 1, by layer"),
        Measurement("attention_on_same_classes", tuple(matched), "of 1, by layer"),
        Measurement("nodes_attended", tuple(spread), "nodes, by layer"),
        Measurement("share_of_edges", share, "of 1"),
    ]


def of_same_classes(attention: Tensor, edge: Tensor, allowed: Tensor, y: Tensor) -> Tensor:
    """What each node's neighbors would get if each got what the others of its class get that are none, (N,).

    NaN for a node that has a neighbor of a class but sees nobody else of it, as along the edges alone.
    """
    others = allowed & ~edge & ~torch.eye(len(y), dtype=torch.bool)
    members = torch.nn.functional.one_hot(y).double()  # (N, classes)
    neighbors, strangers = edge.double() @ members, others.double() @ members  # (N, classes): how many of each
    each = (attention * others) @ members / strangers
    return torch.where(neighbors > 0, neighbors * each, 0).sum(1)


def picture(job: Job) -> list[Measurement]:
    """The karate club with made-up features that tell its halves apart a little: first-layer attention along ties, and to all."""
    club = karate_club()
    rng = np.random.default_rng(job.seed)
    means = rng.normal(size=(2, FEATURES))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    x = SIGNAL[2] * means[club.y.numpy()] + rng.normal(size=(club.num_nodes, FEATURES))
    masks = random_split(club.y, 6, 8, rng)
    graph = replace(club, x=torch.from_numpy(x).float(), train_mask=masks[0], validation_mask=masks[1], test_mask=masks[2])
    found = [
        Measurement("club", tuple(float(club) for club in graph.y)),
        Measurement("edges", tuple(float(node) for node in graph.edge_index.flatten()), "sources, then targets"),
    ]
    for mask in ("graph", "complete"):
        seen = replace(graph, edge_index=attended(graph, mask, job.seed))
        net, _, _ = tuned(seen, NodeSchedule(epochs=60, patience=20, lr=0.005), job.seed)
        weight = net.attention(seen.x, seen.edge_index)[0].mean(1)
        dense = torch.zeros(graph.num_nodes, graph.num_nodes).index_put((seen.edge_index[1], seen.edge_index[0]), weight)
        found.append(Measurement(f"{mask}_attention", tuple(dense.flatten().tolist()), "who asks, then whom"))
    return found
