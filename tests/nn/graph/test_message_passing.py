"""A layer of one's own on the base, against a loop over edges."""

import pytest
import torch
from hypothesis import given
from support.graphs import Drawn, assert_near, directed_graphs
from torch import Tensor

from erlangen.nn.graph.message_passing import MessagePassing


class Edgewise(MessagePassing):
    """tanh(target + edge · source), summed, and added to the node."""

    def message(self, source: Tensor, target: Tensor, edge: Tensor | None) -> Tensor:
        return torch.tanh(target + edge[:, None] * source)

    def update(self, aggregated: Tensor, target: Tensor) -> Tensor:
        return target + aggregated


@given(directed_graphs(bipartite=True))
def test_a_subclass_equals_a_loop_over_edges(graph: Drawn) -> None:
    source, target, edge = graph.randn(graph.n, 2), graph.randn(graph.m, 2, salt=1), graph.randn(graph.num_edges, salt=2)
    expected = target.clone()
    for (u, v), e in zip(graph.edge_index.T.tolist(), edge, strict=True):
        expected[v] += torch.tanh(target[v] + e * source[u])
    assert_near(Edgewise("sum")((source, target), graph.edge_index, edge), expected, 1e-12)


@given(directed_graphs())
def test_one_set_of_nodes_is_both_sources_and_targets(graph: Drawn) -> None:
    x, edge = graph.randn(graph.n, 2), graph.randn(graph.num_edges, salt=2)
    apart = Edgewise("sum")((x, x.clone()), graph.edge_index, edge)
    assert torch.equal(Edgewise("sum")(x, graph.edge_index, edge), apart)


@given(directed_graphs())
def test_the_base_alone_takes_the_mean_of_the_neighbors(graph: Drawn) -> None:
    x, (source, target) = graph.randn(graph.n, 2), graph.edge_index
    expected = torch.stack([x[source[target == v]].sum(0) / max(1, int((target == v).sum())) for v in range(graph.n)])
    assert_near(MessagePassing()(x, graph.edge_index), expected, 1e-12)


def test_aggregate_can_be_overridden() -> None:
    class Counted(MessagePassing):
        def aggregate(self, messages: Tensor, target: Tensor, num_nodes: int) -> Tensor:
            return torch.bincount(target, minlength=num_nodes)

    assert Counted()(torch.zeros(3, 1), torch.tensor([[0, 0, 2], [1, 1, 0]])).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("x", "edge_index", "message"),
    [
        (torch.zeros(3, 2), torch.tensor([[0], [3]]), "target 3 at edge 0, but there are 3 nodes"),
        (torch.zeros(3, 2), torch.zeros(1, 2), "dtype torch.int64, not torch.float32"),
        (torch.full((3, 2), torch.nan), torch.tensor([[0], [1]]), r"x is NaN at \[0, 0\] \(6 in all\)"),
        ((torch.zeros(3, 2), torch.full((1, 2), torch.nan)), torch.tensor([[0], [0]]), "x of the targets is NaN"),
        (torch.zeros(3, 2, 2), torch.tensor([[0], [1]]), r"must have shape \(N, F\), .* has \(3, 2, 2\)"),
    ],
)
def test_bad_input_is_named(x: Tensor, edge_index: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MessagePassing()(x, edge_index)
