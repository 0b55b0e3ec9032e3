"""Claim G11: the two networks, a Transformer that attends along the edges it is given and GAT, each tuned and trained alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from torch import nn

from erlangen.data.graphs import Graph
from erlangen.models.graph_network import GraphNetwork, GraphNetworkConfig
from erlangen.models.graph_transformer import BlockConfig, Form, GraphTransformer, GraphTransformerConfig
from erlangen.train.node_classifier import NodeHistory, NodeSchedule, fit
from erlangen.train.seeds import seed_everything

DROPOUTS = (0.2, 0.5)  # every arm is tuned over both
Net = TypeVar("Net", bound=nn.Module)


def transformer(graph: Graph, dropout: float, form: Form) -> GraphTransformer:
    """Two Transformer layers that attend along the graph's edges as they are."""
    block = BlockConfig(dropout=dropout, norm_first=True)
    return GraphTransformer(
        GraphTransformerConfig(in_features=graph.x.shape[1], classes=int(graph.y.max()) + 1, block=block, form=form)
    )


def gat(graph: Graph, dropout: float) -> GraphNetwork:
    """GAT as published: two layers, the first with 8 heads of 8 features, which attend to a node's neighbors and to itself."""
    return GraphNetwork(
        GraphNetworkConfig(
            layer="gat", in_features=graph.x.shape[1], classes=int(graph.y.max()) + 1, dropout=dropout, attention_dropout=dropout
        )
    )


@dataclass(frozen=True)
class Network(Generic[Net]):
    """How to build one from a graph and a dropout; Adam's learning rate, from trials on other seeds; epochs, as a multiple."""

    build: Callable[[Graph, float], Net]
    lr: float
    stretch: int = 1

    def schedule(self, epochs: int, patience: int) -> NodeSchedule:
        return NodeSchedule(epochs=self.stretch * epochs, patience=self.stretch * patience, lr=self.lr)


TRANSFORMER = Network(partial(transformer, form="dense"), lr=0.005)
ALONG_EDGES = Network(partial(transformer, form="edges"), lr=0.005)  # the same numbers, faster where most pairs have no edge
GAT = Network(gat, lr=0.02, stretch=2)  # it needs twice as many epochs to fit its training nodes


def tune(graph: Graph, epochs: int, patience: int, seed: int, network: Network[Net]) -> tuple[Net, NodeHistory, float]:
    """The better of DROPOUTS by the validation nodes: the network, its history, its dropout."""
    schedule = network.schedule(epochs, patience)
    tried = [(*train_network(graph, dropout, schedule, seed, network), dropout) for dropout in DROPOUTS]
    return max(tried, key=lambda net: (net[1].validation_accuracy, -net[1].validation_loss))


def reachable_fit(graph: Graph, epochs: int, patience: int, seed: int, network: Network[Net]) -> float:
    """The training accuracy in percent that a network reaches where the training nodes themselves choose its epoch.

    Validation nodes choose an early epoch where what is learned of the training nodes does not hold for others. This tells a
    network that fits its training nodes, but not others, from one that was not trained.
    """
    by_training = replace(graph, validation_mask=graph.train_mask)
    return train_network(by_training, DROPOUTS[0], network.schedule(epochs, patience), seed, network)[1].train_accuracy


def train_network(
    graph: Graph, dropout: float, schedule: NodeSchedule, seed: int, network: Network[Net]
) -> tuple[Net, NodeHistory]:
    """The network, trained along the graph's edges as they are; the seed alone decides its first weights."""
    seed_everything(seed)
    net = network.build(graph, dropout)
    return net, fit(net, graph, schedule)
