"""Training on one graph: what it must learn, what it keeps, and what it says when it cannot."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from erlangen.data.graphs import Graph, block_model
from erlangen.errors import ErlangenError
from erlangen.models.graph_network import GraphNetwork, GraphNetworkConfig
from erlangen.nn.graph.features import SparseRows
from erlangen.train.node_classifier import NodeSchedule, accuracy, evaluate, features, fit, predict


@pytest.fixture(scope="module")
def graph() -> Graph:
    return block_model((60, 60), within=0.12, between=0.01, features=8, signal=1.0, noise=1.0, train=10, validation=20, seed=0)


def network(graph: Graph, layer: str = "gcn", seed: int = 0) -> GraphNetwork:
    torch.manual_seed(seed)
    config = GraphNetworkConfig(layer=layer, in_features=graph.x.shape[1], classes=2, width=16, heads=4, dropout=0.2)  # type: ignore[arg-type]
    return GraphNetwork(config)


class Guess(nn.Module):
    """Logits that climb by one each time it is trained; right for class 0 alone."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return torch.stack([self.level.expand(len(x)), torch.zeros(len(x))], dim=1)


@pytest.mark.parametrize("layer", ["gcn", "gat", "gatv2", "uniform"])
def test_every_layer_learns_the_blocks(graph: Graph, layer: str) -> None:
    net = network(graph, layer)
    before = accuracy(evaluate(net, graph), graph)
    history = fit(net, graph, NodeSchedule(epochs=60))
    assert before < 80 < accuracy(evaluate(net, graph), graph)
    assert history.train_accuracy > 90
    assert 1 <= history.best_epoch <= history.epochs <= 60


def test_the_best_epoch_is_what_stays(graph: Graph) -> None:
    """However long it goes on after it: the weights are those of the best epoch, so a run cut there ends with the same."""
    net, cut = network(graph), network(graph)
    torch.manual_seed(7)
    history = fit(net, graph, NodeSchedule(epochs=40, lr=0.3))
    torch.manual_seed(7)
    assert history.best_epoch < 40
    fit(cut, graph, NodeSchedule(epochs=history.best_epoch, lr=0.3))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), cut.parameters(), strict=True))
    assert accuracy(evaluate(net, graph), graph, "validation_mask") == history.validation_accuracy


def test_patience_ends_the_training(graph: Graph) -> None:
    net = network(graph)
    history = fit(net, graph, NodeSchedule(epochs=300, patience=5))
    assert history.epochs == history.best_epoch + 5


def test_looks_come_every_so_often_and_in_the_last_epoch(graph: Graph) -> None:
    net = network(graph)
    history = fit(net, graph, NodeSchedule(epochs=11, every=4))
    assert history.best_epoch in (4, 8, 11)
    assert history.epochs == 11
    eager = network(graph)
    torch.manual_seed(5)
    best = fit(eager, graph, NodeSchedule(epochs=8, every=8))
    assert best.best_epoch == 8


def test_labels_of_other_nodes_are_never_read(graph: Graph) -> None:
    seen = graph.train_mask | graph.validation_mask  # type: ignore[operator]
    hidden = replace(graph, y=torch.where(seen, graph.y, 1 - graph.y))
    nets = [network(graph), network(graph)]
    for net, shown in zip(nets, (graph, hidden), strict=True):
        torch.manual_seed(1)
        fit(net, shown, NodeSchedule(epochs=10))
    assert torch.equal(evaluate(nets[0], graph), evaluate(nets[1], graph))


def test_decay_of_the_first_layer_leaves_the_others(graph: Graph) -> None:
    """With nothing but decay to move them, only the decayed weights shrink."""
    shrunk = {}
    for decay in ("all", "first"):
        net = network(graph)
        for parameter in net.layers[-1].parameters():
            nn.init.zeros_(parameter) if parameter.ndim == 1 else None
        before = [layer.lin.weight.abs().sum().item() for layer in net.layers]  # type: ignore[union-attr]
        fit(net, replace(graph, x=torch.zeros_like(graph.x)), NodeSchedule(epochs=1, lr=0.01, weight_decay=1.0, decay=decay))  # type: ignore[arg-type]
        shrunk[decay] = [layer.lin.weight.abs().sum().item() < was for layer, was in zip(net.layers, before, strict=True)]  # type: ignore[union-attr]
    assert shrunk == {"all": [True, True], "first": [True, False]}


def test_a_loss_that_is_never_finite_is_one_clear_error(graph: Graph) -> None:
    net = Guess()
    nn.init.constant_(net.level, float("inf"))
    with pytest.raises(ErlangenError, match="not finite in any of 3 epochs: lower the learning rate"):
        fit(net, graph, NodeSchedule(epochs=3))


def test_accuracy_among_some(graph: Graph) -> None:
    logits = torch.nn.functional.one_hot(graph.y, 2).float()
    wrong = graph.test_mask & (torch.arange(120) < 40)  # type: ignore[operator]
    logits[wrong] = 1 - logits[wrong]
    assert accuracy(logits, graph, among=wrong) == 0
    assert accuracy(logits, graph, among=~wrong) == 100
    assert accuracy(logits, graph) == pytest.approx(100 * (1 - int(wrong.sum()) / int(graph.test_mask.sum())))  # type: ignore[union-attr]
    assert accuracy(logits, graph, among=torch.zeros(120, dtype=torch.bool)) != accuracy(logits, graph)  # NaN: there are none


def test_a_graph_without_a_split_is_refused(graph: Graph) -> None:
    with pytest.raises(ValueError, match="no train_mask: split its nodes first"):
        fit(network(graph), replace(graph, train_mask=None), NodeSchedule(epochs=1))


def test_sparse_features_are_used_where_most_are_zero(graph: Graph) -> None:
    assert features(graph) is graph.x
    few = replace(graph, x=graph.x * (torch.rand(120, 8, generator=torch.Generator().manual_seed(0)) < 0.05))
    assert isinstance(features(few), SparseRows)
    net = network(graph)
    torch.testing.assert_close(evaluate(net, few), predict(net, few.x, few.edge_index))
