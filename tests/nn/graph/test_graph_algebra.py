"""Oracles: loops over edges, Python's unbounded integers, networkx, the matrices published with the report."""

import networkx as nx
import pytest
import torch
from hypothesis import given, strategies as st
from support.graphs import Drawn, directed_graphs
from torch import Tensor

from erlangen.nn.graph.algebra import (
    add_self_loops,
    adjacency,
    complete_graph,
    in_degree,
    is_symmetric,
    isolated_nodes,
    laplacian,
    multi_edges,
    out_degree,
    self_loops,
    sparse_adjacency,
    sparse_laplacian,
    walk_counts,
)
from erlangen.nn.graph.checks import check_edge_index, check_edge_weight
from erlangen.nn.graph.features import check_features


def looped_adjacency(graph: Drawn) -> list[list[int]]:
    a = [[0] * graph.n for _ in range(graph.n)]
    for u, v in graph.edge_index.T.tolist():
        a[v][u] += 1
    return a


@given(directed_graphs())
def test_adjacency_is_target_by_source_and_adds_multi_edges(graph: Drawn) -> None:
    expected = torch.tensor(looped_adjacency(graph), dtype=torch.float32)
    assert torch.equal(adjacency(graph.edge_index, graph.n), expected)
    assert torch.equal(sparse_adjacency(graph.edge_index, graph.n).to_dense(), expected)
    assert torch.equal(in_degree(graph.edge_index, graph.n), expected.sum(1).long())
    assert torch.equal(out_degree(graph.edge_index, graph.n), expected.sum(0).long())


@given(directed_graphs())
def test_weighted_matrices_equal_loops_over_edges(graph: Drawn) -> None:
    weight, x = graph.randn(graph.num_edges), graph.randn(graph.n, 3, salt=1)
    a, lx = torch.zeros(graph.n, graph.n, dtype=torch.float64), torch.zeros_like(x)
    for (u, v), w in zip(graph.edge_index.T.tolist(), weight, strict=True):
        a[v, u] += w
        lx[v] += w * (x[v] - x[u])
    close = {"rtol": 0, "atol": 1e-12}
    torch.testing.assert_close(adjacency(graph.edge_index, graph.n, weight), a, **close)
    torch.testing.assert_close(sparse_adjacency(graph.edge_index, graph.n, weight).to_dense(), a, **close)
    torch.testing.assert_close(laplacian(graph.edge_index, graph.n, weight) @ x, lx, **close)
    torch.testing.assert_close(sparse_laplacian(graph.edge_index, graph.n, weight) @ x, lx, **close)
    torch.testing.assert_close(in_degree(graph.edge_index, graph.n, weight), a.sum(1), **close)
    torch.testing.assert_close(out_degree(graph.edge_index, graph.n, weight), a.sum(0), **close)


def test_adjacency_and_laplacian_are_differentiable_in_the_weights() -> None:
    edge_index = torch.tensor([[0, 1, 1, 2, 0], [1, 2, 2, 2, 1]])
    weight = torch.rand(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: adjacency(edge_index, 4, w), weight)
    assert torch.autograd.gradcheck(lambda w: laplacian(edge_index, 4, w), weight)


def count_walks(edge_index: Tensor, n: int, length: int) -> list[list[int]]:
    """By following every edge, in Python's integers."""
    edges = edge_index.T.tolist()
    counts = [[int(u == v) for u in range(n)] for v in range(n)]
    for _ in range(length):
        longer = [[0] * n for _ in range(n)]
        for u, v in edges:
            for start in range(n):
                longer[v][start] += counts[u][start]
        counts = longer
    return counts


@given(directed_graphs(), st.integers(0, 6))
def test_walk_counts_follow_every_edge(graph: Drawn, length: int) -> None:
    walks = walk_counts(graph.edge_index, graph.n, length)
    assert walks.dtype == torch.int64
    assert walks.to_dense().tolist() == count_walks(graph.edge_index, graph.n, length)


@pytest.mark.parametrize("copies", [1, 2, 3, 7, 10])
def test_walk_counts_are_exact_up_to_the_last_that_fits(copies: int) -> None:
    """`copies` loops at one node: copies**n walks. The first length beyond 2⁶³ - 1 is refused, the one before is exact."""
    edge_index = torch.zeros(2, copies, dtype=torch.int64)
    longest = next((n for n in range(80) if copies ** (n + 1) > 2**63 - 1), 79)
    assert walk_counts(edge_index, 1, longest).to_dense().item() == copies**longest
    if copies > 1:
        with pytest.raises(OverflowError, match=rf"length {longest + 1}\b"):
            walk_counts(edge_index, 1, longest + 1)


def test_overflow_is_found_where_it_wraps_to_a_positive_number() -> None:
    """8 loops and 32 walks: 8**22 = 2**66 is 0 modulo 2**64. And just below: 2**62 + 2**62 is refused by its sign alone."""
    with pytest.raises(OverflowError):
        walk_counts(torch.zeros(2, 8, dtype=torch.int64), 1, 22)
    with pytest.raises(OverflowError, match="length 63"):
        walk_counts(torch.zeros(2, 2, dtype=torch.int64), 1, 63)


def test_laplacian_and_squares_of_the_complete_graph() -> None:
    edge_index = complete_graph(4, loops=False)
    assert torch.equal(laplacian(edge_index, 4), 4 * torch.eye(4) - 1)
    assert walk_counts(edge_index, 4, 2).to_dense().tolist() == (torch.ones(4, 4) * 2 + torch.eye(4)).tolist()


@given(directed_graphs())
def test_node_and_edge_kinds_agree_with_networkx(graph: Drawn) -> None:
    edges = [tuple(edge) for edge in graph.edge_index.T.tolist()]
    other = nx.MultiDiGraph(edges)
    other.add_nodes_from(range(graph.n))
    assert self_loops(graph.edge_index).sum() == nx.number_of_selfloops(other)
    other.remove_edges_from(list(nx.selfloop_edges(other)))
    assert isolated_nodes(graph.edge_index, graph.n).nonzero().flatten().tolist() == sorted(nx.isolates(other))
    assert multi_edges(graph.edge_index).tolist() == [edges.count(edge) > 1 for edge in edges]
    a = adjacency(graph.edge_index, graph.n)
    assert is_symmetric(graph.edge_index, graph.n) == torch.equal(a, a.T)


@given(directed_graphs())
def test_added_loops_come_last_and_only_where_missing(graph: Drawn) -> None:
    looped = add_self_loops(graph.edge_index, graph.n)
    assert torch.equal(looped[:, : graph.num_edges], graph.edge_index)
    had = {u for u, v in graph.edge_index.T.tolist() if u == v}
    assert looped[:, graph.num_edges :].T.tolist() == [[u, u] for u in range(graph.n) if u not in had]


@pytest.mark.parametrize("loops", [True, False])
def test_complete_graph_equals_its_mask(loops: bool) -> None:
    everything = torch.ones(5, 5) if loops else 1 - torch.eye(5)
    assert torch.equal(adjacency(complete_graph(5, loops), 5), everything)
    assert torch.equal(adjacency(complete_graph(5, loops, causal=True), 5), everything.tril())


@pytest.mark.parametrize(
    ("edge_index", "message"),
    [
        (torch.zeros(2, 3, dtype=torch.int32), r"must have dtype torch\.int64, not torch\.int32.*\.long\(\)"),
        (torch.zeros(2, 3), r"dtype torch\.int64, not torch\.float32"),
        (torch.zeros(3, 2, dtype=torch.int64), r"must have shape \(2, E\), .* has \(3, 2\)"),
        (torch.zeros(4, dtype=torch.int64), r"must have shape \(2, E\), .* has \(4,\)"),
        (torch.tensor([[0, 4], [1, 1]]), "source 4 at edge 1, but there are 4 nodes"),
        (torch.tensor([[0, 1, 1], [1, -1, 0]]), "target -1 at edge 1"),
    ],
)
def test_bad_edge_index_is_one_clear_line(edge_index: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        check_edge_index(edge_index, 4)
    assert "\n" not in str(error.value)


def test_sources_and_targets_are_counted_apart() -> None:
    check_edge_index(torch.tensor([[8], [1]]), 9, 2)
    with pytest.raises(ValueError, match="target 8"):
        check_edge_index(torch.tensor([[1], [8]]), 9, 2)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (torch.ones(2), r"must have shape \(3,\), .* has \(2,\)"),
        (torch.ones(3, 1), r"must have shape \(3,\), .* has \(3, 1\)"),
        (torch.ones(3, dtype=torch.int64), "floating-point"),
        (torch.tensor([0.0, float("nan"), 1.0]), r"is NaN at \[1\]"),
    ],
)
def test_bad_edge_weights_are_named(weight: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=f"edge_weight.*{message}"):
        check_edge_weight(weight, 3)


def test_nan_features_are_named_and_infinities_pass() -> None:
    x = torch.zeros(4, 3)
    x[2, 1] = float("nan")
    with pytest.raises(ValueError, match=r"x is NaN at \[2, 1\] \(1 in all\)"):
        check_features(x)
    check_features(torch.tensor([[float("inf"), -float("inf")]]))
    with pytest.raises(ValueError, match=r"must have shape \(N, F\), .* has \(3,\)"):
        check_features(torch.zeros(3))


def test_negative_length_is_refused() -> None:
    with pytest.raises(ValueError, match="length -1"):
        walk_counts(torch.zeros(2, 0, dtype=torch.int64), 1, -1)
