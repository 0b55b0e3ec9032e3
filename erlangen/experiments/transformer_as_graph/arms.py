"""Claim G11: tune, train and test one arm on one graph: a block model, or Cora."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from erlangen.data.graphs import Graph
from erlangen.data.planetoid import cora
from erlangen.experiments.transformer_as_graph.heard import attention_on_edges
from erlangen.experiments.transformer_as_graph.masks import block_graph, encoded, mask_edges
from erlangen.experiments.transformer_as_graph.tasks import Cora, Train
from erlangen.experiments.transformer_as_graph.training import ALONG_EDGES, GAT, TRANSFORMER, reachable_fit, tune
from erlangen.records.runs import Job, Measurement
from erlangen.train.node_classifier import NodeHistory, accuracy, evaluate


def train(task: Train, job: Job) -> list[Measurement]:
    """One arm on one block model; a Transformer's attention on true edges, too."""
    mask, _, encoding = task.arm.partition("/")
    graph = block_graph(task.classes, task.homophily, task.nodes, job.seed)
    masked = replace(graph, x=encoded(graph, encoding), edge_index=edges_of(graph, mask, job.seed))
    source, target = graph.edge_index
    homophily = Measurement("homophily", float((graph.y[source] == graph.y[target]).double().mean()), "of the edges")
    if mask == "gat":
        reached = reachable_fit(masked, task.epochs, task.patience, job.seed, GAT)
        measured = outcome(masked, *tune(masked, task.epochs, task.patience, job.seed, GAT))
        return [*measured, homophily, Measurement("reachable_accuracy", reached, "%")]
    net, history, dropout = tune(masked, task.epochs, task.patience, job.seed, TRANSFORMER)
    measured = [*outcome(masked, net, history, dropout), homophily]
    return measured if mask in ("self", "random") else [*measured, *attention_on_edges(net, masked, graph)]


def train_on_cora(task: Cora, job: Job) -> list[Measurement]:
    """One arm on Cora's public split; a paper's words are scaled as the features of a block model are."""
    graph = cora()
    masked = replace(graph, x=scaled(graph.x), edge_index=edges_of(graph, task.arm, job.seed))
    if task.arm == "gat":
        return outcome(masked, *tune(masked, task.epochs, task.patience, job.seed, GAT))
    network = TRANSFORMER if task.arm == "complete" else ALONG_EDGES
    return outcome(masked, *tune(masked, task.epochs, task.patience, job.seed, network))


def edges_of(graph: Graph, mask: str, seed: int) -> Tensor:
    """The edges along which an arm attends; GAT adds its self-loops itself."""
    return graph.edge_index if mask == "gat" else mask_edges(graph, mask, seed)


def outcome(graph: Graph, net: nn.Module, history: NodeHistory, dropout: float) -> list[Measurement]:
    """What a tuned network reached, in percent of the nodes."""
    return [
        Measurement("dropout", dropout),
        Measurement("best_epoch", history.best_epoch, "epochs"),
        Measurement("train_accuracy", history.train_accuracy, "%"),
        Measurement("validation_accuracy", history.validation_accuracy, "%"),
        Measurement("test_accuracy", accuracy(evaluate(net, graph), graph), "%"),
        Measurement("test_nodes", int(graph.test_mask.sum()) if graph.test_mask is not None else 0, "nodes"),
    ]


def scaled(x: Tensor) -> Tensor:
    """Each row with mean square 1, as of normal features: rows that add up to 1 are lost in what attention adds to all nodes."""
    return x / x.square().mean(1, keepdim=True).sqrt().clamp(min=1e-9)
