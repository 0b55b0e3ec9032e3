"""Train a node classifier on one graph: full-batch Adam, keeping the epoch that is best on the validation nodes."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.data.graphs import Graph
from erlangen.errors import ErlangenError
from erlangen.nn.graph.features import SparseRows

Mask = Literal["train_mask", "validation_mask", "test_mask"]


@dataclass(frozen=True, kw_only=True)
class NodeSchedule:
    """How to train a node classifier.

    every: epochs from one evaluation on the validation nodes to the next. patience: training stops this many epochs after the
    best one. decay: which layers have weight decay; Kipf & Welling use it in the first layer only.
    """

    epochs: int = 200
    patience: int = 100
    every: int = 1
    lr: float = 0.01
    weight_decay: float = 5e-4
    decay: Literal["all", "first"] = "all"


@dataclass(frozen=True)
class NodeHistory:
    """The result of `fit` at its best epoch, counted from 1: accuracies in percent and the validation loss in nats.

    epochs: the number of epochs run.
    """

    best_epoch: int
    epochs: int
    train_accuracy: float
    validation_accuracy: float
    validation_loss: float


def fit(net: nn.Module, graph: Graph, schedule: NodeSchedule) -> NodeHistory:
    """Train net(x, edge_index) -> logits (N, classes) in place; leave it, in eval mode, with the weights of its best epoch.

    The best epoch has the highest validation accuracy and, among equal ones, the lowest validation loss. x is what `features`
    returns. Raises ErlangenError if the validation loss is never finite.
    """
    x, edge_index, y = features(graph), graph.edge_index, graph.y
    train, validation = nodes(graph, "train_mask"), nodes(graph, "validation_mask")
    optimizer = torch.optim.Adam(_groups(net, schedule), lr=schedule.lr, fused=True)
    best, best_epoch, weights, loss_at_best = (-1.0, -math.inf), 0, copy.deepcopy(net.state_dict()), math.inf
    epoch = 0
    for epoch in range(1, schedule.epochs + 1):
        net.train()
        optimizer.zero_grad()
        F.cross_entropy(net(x, edge_index)[train], y[train]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if epoch % schedule.every and epoch < schedule.epochs:
            continue
        logits = predict(net, x, edge_index)[validation]
        loss = float(F.cross_entropy(logits, y[validation]))
        score = (float((logits.argmax(1) == y[validation]).float().mean()), -loss)
        if math.isfinite(loss) and score > best:
            best, best_epoch, loss_at_best = score, epoch, loss
            weights = copy.deepcopy(net.state_dict())
        elif epoch - best_epoch >= schedule.patience:
            break
    if not best_epoch:
        raise ErlangenError(f"the validation loss was not finite in any of {epoch} epochs: lower the learning rate")
    net.load_state_dict(weights)
    logits = predict(net, x, edge_index)
    right = accuracy(logits, graph, "train_mask"), accuracy(logits, graph, "validation_mask")
    return NodeHistory(best_epoch, epoch, *right, loss_at_best)


def features(graph: Graph) -> Tensor | SparseRows:
    """The graph's features (N, F), stored sparsely if more than nine in ten are 0, which makes the first linear layer faster."""
    sparse = SparseRows.of(graph.x)
    return sparse if 10 * len(sparse.values) < graph.x.numel() else graph.x


@torch.no_grad()
def predict(net: nn.Module, x: Tensor | SparseRows, edge_index: Tensor) -> Tensor:
    """The logits (N, classes) of a net, which is left in eval mode."""
    net.eval()
    logits: Tensor = net(x, edge_index)
    return logits


def evaluate(net: nn.Module, graph: Graph) -> Tensor:
    """The logits (N, classes) of a net on a graph; the net is left in eval mode."""
    return predict(net, features(graph), graph.edge_index)


def accuracy(logits: Tensor, graph: Graph, mask: Mask = "test_mask", among: Tensor | None = None) -> float:
    """Accuracy in percent on the nodes of a mask, or on those of them that are in `among` (N,) bool. NaN if there are none."""
    chosen = nodes(graph, mask)
    if among is not None:
        chosen = chosen[among[chosen]]
    return 100 * float((logits[chosen].argmax(1) == graph.y[chosen]).float().mean())


def nodes(graph: Graph, mask: Mask) -> Tensor:
    """The nodes of a mask, (n,). Raises ValueError if the graph has no such mask."""
    chosen: Tensor | None = getattr(graph, mask)
    if chosen is None:
        raise ValueError(f"the graph has no {mask}: split its nodes first")
    return chosen.nonzero().flatten()


def _groups(net: nn.Module, schedule: NodeSchedule) -> list[dict[str, object]]:
    """Groups of the trainable parameters with their weight decay."""
    learning = [parameter for parameter in net.parameters() if parameter.requires_grad]
    if schedule.decay == "all":
        return [{"params": learning, "weight_decay": schedule.weight_decay}]
    layers: nn.ModuleList = net.layers  # type: ignore[assignment]
    first = {id(parameter) for parameter in layers[0].parameters()}
    return [
        {"params": [p for p in learning if id(p) in first], "weight_decay": schedule.weight_decay},
        {"params": [p for p in learning if id(p) not in first], "weight_decay": 0.0},
    ]
