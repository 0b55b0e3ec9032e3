"""Oracles: the dense adjacency, finite differences."""

import gc
import weakref

import pytest
import torch
from hypothesis import given
from support.graphs import Drawn, assert_near, directed_graphs, gradients

from erlangen.nn.graph.algebra import adjacency
from erlangen.nn.graph.csr import build, edge_dot, neighbor_sum, of_sources, of_targets, product, structure
from erlangen.nn.graph.remember import remember

BOUND = {torch.float32: 1e-6, torch.float64: 1e-12}
EDGES = torch.tensor([[0, 2, 2, 1, 4, 0, 2], [1, 0, 0, 1, 3, 3, 4]])  # multi-edge, self-loop; node 2 has no incoming edge


@given(directed_graphs(bipartite=True))
def test_neighbor_sum_and_gradients_equal_the_dense_product(dtype: torch.dtype, graph: Drawn) -> None:
    x = graph.randn(graph.n, 3, dtype=dtype).requires_grad_()
    weight = graph.randn(graph.num_edges, dtype=dtype, salt=1).requires_grad_()
    dense = torch.zeros(graph.m, graph.n, dtype=dtype)
    dense = dense.index_put((graph.edge_index[1], graph.edge_index[0]), weight, accumulate=True)
    ours, theirs = neighbor_sum(x, graph.edge_index, graph.m, weight), dense @ x
    assert ours.dtype == dtype
    assert_near(ours, theirs, BOUND[dtype])
    for a, b in zip(gradients(ours, x, weight), gradients(theirs, x, weight), strict=True):
        assert_near(a, b, BOUND[dtype])


@given(directed_graphs())
def test_without_weights_every_edge_counts_one(graph: Drawn) -> None:
    x = graph.randn(graph.n, 2).requires_grad_()
    ours, theirs = neighbor_sum(x, graph.edge_index, graph.n), adjacency(graph.edge_index, graph.n).double() @ x
    assert_near(ours, theirs, 1e-12)
    assert_near(gradients(ours, x)[0], gradients(theirs, x)[0], 1e-12)


def test_first_and_second_derivatives_equal_finite_differences() -> None:
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(7, dtype=torch.float64, requires_grad=True)
    csr = structure(EDGES, 5, 5)
    assert torch.autograd.gradcheck(lambda x, w: neighbor_sum(x, EDGES, 5, w), (x, weight))
    assert torch.autograd.gradgradcheck(lambda x, w: neighbor_sum(x, EDGES, 5, w), (x, weight))
    assert torch.autograd.gradgradcheck(lambda a, b: edge_dot(csr, a, b), (x, x.detach().clone().requires_grad_()))
    assert torch.autograd.gradgradcheck(lambda x: of_sources(csr, x) * of_targets(csr, x), (x,))


def test_edge_values_stand_in_the_order_of_the_structure() -> None:
    csr = structure(EDGES, 5, 5)
    x, y = torch.randn(5, 2, 3), torch.randn(5, 2, 3)
    source, target = EDGES[:, csr.order]
    assert torch.equal(of_sources(csr, x), x[source])
    assert torch.equal(of_targets(csr, x), x[target])
    assert torch.equal(target, target.sort().values)
    assert torch.equal(csr.order[csr.inverse], torch.arange(7))
    torch.testing.assert_close(edge_dot(csr, x[:, 0], y[:, 0]), (x[target, 0] * y[source, 0]).sum(1))


@pytest.mark.parametrize("nodes", [1, 2**15, 2**15 + 1, 2**16 + 1])
def test_edges_are_sorted_by_target_in_the_given_order_however_many_nodes(nodes: int) -> None:
    """Around the numbers of nodes at which the integers that are sorted get wider."""
    target = torch.randint(nodes, (3000,), generator=torch.Generator().manual_seed(0))
    target[::7] = nodes - 1
    source = torch.arange(3000).flip(0)
    csr, order = build(source, target, nodes, 3000), torch.argsort(target, stable=True)
    assert torch.equal(csr.order, order)
    assert torch.equal(csr.col, source[order])
    assert torch.equal(csr.rowptr, torch.searchsorted(target[order], torch.arange(nodes + 1)))


def test_sums_in_bfloat16_do_not_stall() -> None:
    """1000 ones; added one by one in bfloat16 they stop at 256."""
    edge_index = torch.stack([torch.arange(1000), torch.zeros(1000, dtype=torch.int64)])
    out = neighbor_sum(torch.ones(1000, 2).bfloat16(), edge_index, 1, torch.ones(1000).bfloat16())
    assert out.dtype == torch.bfloat16
    assert out.tolist() == [[1000.0, 1000.0]]


def test_structure_is_built_once_and_never_stale() -> None:
    edge_index = EDGES.clone()
    first = structure(edge_index, 5, 5)
    assert structure(edge_index, 5, 5) is first
    assert structure(edge_index, 6, 5) is not first
    edge_index.numpy()[1, 0] = 2  # behind torch's back: its version counter does not move
    x = torch.randn(5, 2, dtype=torch.float64)
    assert_near(neighbor_sum(x, edge_index, 5), adjacency(edge_index, 5).double() @ x, 1e-12)


def test_structures_are_freed_with_their_edge_index() -> None:
    edge_index = EDGES.sort(dim=1).values
    csr = structure(edge_index, 5, 5)
    neighbor_sum(torch.randn(5, 2, requires_grad=True), edge_index, 5).sum().backward()
    freed = weakref.ref(csr)
    del csr, edge_index
    gc.collect()
    assert freed() is None


def test_what_evaluation_remembered_serves_training() -> None:
    edge_index, x = EDGES.clone(), torch.randn(5, 2)
    weight = torch.ones(7, requires_grad=True)
    with torch.inference_mode():
        neighbor_sum(x, edge_index, 5, weight)
        ones = remember(edge_index, "ones", lambda: torch.ones(7))
        csr = structure(edge_index, 5, 5)
        assert (csr.row, csr.inverse, csr.degree, csr.transpose) is not None
    (neighbor_sum(x, edge_index, 5, weight * ones) / csr.degree.clamp(min=1)[:, None]).sum().backward()
    assert weight.grad is not None


def test_bad_edges_are_refused_before_anything_is_built() -> None:
    with pytest.raises(ValueError, match="source 5 at edge 1"):
        neighbor_sum(torch.zeros(5, 2), torch.tensor([[0, 5], [0, 1]]), 5)


@pytest.mark.parametrize(("n", "edges", "width"), [(0, 0, 2), (3, 0, 2), (3, 2, 0)])
def test_empty_graphs_and_features_give_zeros(n: int, edges: int, width: int) -> None:
    edge_index, x = torch.zeros(2, edges, dtype=torch.int64), torch.zeros(n, width, requires_grad=True)
    weight = torch.ones(edges, requires_grad=True)
    out = neighbor_sum(x, edge_index, n, weight)
    assert out.shape == (n, width)
    assert not out.any()
    assert [grad.shape for grad in gradients(out, x, weight)] == [x.shape, weight.shape]


def test_product_leaves_its_input_alone_and_takes_views() -> None:
    csr = structure(EDGES, 5, 5)
    x = torch.randn(4, 10)[1:4, ::2].T
    before = x.clone()
    torch.testing.assert_close(product(csr, x), adjacency(EDGES, 5) @ x)
    assert torch.equal(x, before)
