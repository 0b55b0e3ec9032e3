"""Encodings against walks followed by hand, SciPy, PyG, and what graphs of known shape must give."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import linalg, sparse
from support.graphs import Drawn, assert_near, directed_graphs
from torch_geometric.data import Data
from torch_geometric.transforms import AddLaplacianEigenvectorPE, AddRandomWalkPE

from erlangen.data.graphs import block_model, karate_club, left_graph, undirected
from erlangen.nn.graph.encodings import laplacian_eigenvectors, return_probabilities


def followed(edges: list[tuple[int, int]], n: int, steps: int) -> list[list[float]]:
    """Probabilities to be back, one walker and one edge at a time."""
    leaving = {node: [v for u, v in edges if u == node] for node in range(n)}
    found = []
    for start in range(n):
        here, back = {start: 1.0}, []
        for _ in range(steps):
            there: dict[int, float] = {}
            for node, probability in here.items():
                for v in leaving[node]:
                    there[v] = there.get(v, 0.0) + probability / len(leaving[node])
            here = there
            back.append(here.get(start, 0.0))
        found.append(back)
    return found


@given(directed_graphs())
def test_return_probabilities_are_those_of_walkers(graph: Drawn) -> None:
    edges = [(u, v) for u, v in graph.edge_index.T.tolist()]
    expected = torch.tensor(followed(edges, graph.n, 5), dtype=torch.float64)
    assert_near(return_probabilities(graph.edge_index, graph.n, 5), expected, 1e-12)


def test_return_probabilities_are_pygs() -> None:
    graph = karate_club()
    peer = AddRandomWalkPE(6, "pe")(Data(edge_index=graph.edge_index, num_nodes=34)).pe
    assert_near(return_probabilities(graph.edge_index, 34, 6), peer.double(), 1e-6)


def test_nobody_comes_back_in_an_odd_number_of_steps_without_odd_cycles() -> None:
    ring = undirected(torch.tensor([(u, (u + 1) % 6) for u in range(6)]))
    back = return_probabilities(ring, 6, 4)
    assert torch.equal(back[:, ::2], torch.zeros(6, 2, dtype=torch.float64))
    assert back[0, 1::2].tolist() == [0.5, 0.375]  # 2 of 4 walks of two edges, 6 of 16 of four


@pytest.mark.parametrize("largest", [False, True])
def test_eigenvectors_are_those_of_scipy(largest: bool) -> None:
    graph = karate_club()
    laplacian = sparse.csgraph.laplacian(networkx.to_numpy_array(networkx.Graph(graph.edge_index.T.tolist())), normed=True)
    order = list(networkx.Graph(graph.edge_index.T.tolist()).nodes)
    values, vectors = linalg.eigh(laplacian)
    chosen = np.arange(33, 28, -1) if largest else np.arange(1, 6)
    found = laplacian_eigenvectors(graph.edge_index, 34, 5, largest=largest).numpy()[order]
    np.testing.assert_allclose(laplacian @ found, found * values[chosen], atol=1e-12)
    np.testing.assert_allclose(found.T @ found, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(np.abs((vectors[:, chosen] * found).sum(0)), 1, atol=1e-12)  # alike but for the sign


@pytest.mark.parametrize("isolated", [0, 1])
def test_eigenvectors_are_pygs_but_for_their_sign(isolated: int) -> None:
    graph, n = karate_club(), 34 + isolated
    peer = AddLaplacianEigenvectorPE(3, "pe", is_undirected=True)(Data(edge_index=graph.edge_index, num_nodes=n)).pe.double()
    found = laplacian_eigenvectors(graph.edge_index, n, 3)
    assert_near(found * (found * peer).sum(0).sign(), peer, 1e-5)


def test_the_entry_of_largest_size_is_positive() -> None:
    found = laplacian_eigenvectors(karate_club().edge_index, 34, 10)
    assert (found.amax(0) >= -found.amin(0)).all()


@pytest.mark.parametrize(("within", "between", "largest"), [(0.2, 0.01, False), (0.01, 0.2, True)])
def test_classes_lie_at_the_end_of_the_spectrum_that_suits_them(within: float, between: float, largest: bool) -> None:
    """Slow where neighbors are alike; at the other end, where they differ; and not the other way round."""
    graph = block_model((60, 60), within, between, seed=1)
    agreement = []
    for end in (largest, not largest):
        side = laplacian_eigenvectors(graph.edge_index, 120, 1, largest=end)[:, 0] > 0
        agreement.append(max(float((side == (graph.y == label)).double().mean()) for label in (0, 1)))
    assert agreement[0] > 0.9
    assert agreement[1] < 0.7


@pytest.mark.parametrize("encode", [return_probabilities, laplacian_eigenvectors])
def test_encodings_commute_with_relabeling(encode) -> None:
    graph = left_graph()
    order = torch.tensor([3, 0, 4, 1, 2])
    place = torch.empty_like(order).scatter_(0, order, torch.arange(5))
    expected, actual = encode(graph.edge_index, 5, 2), encode(place[graph.edge_index], 5, 2)
    sign = (expected[order] * actual).sum(0).sign()
    assert_near(actual * sign, expected[order], 1e-12)


def test_what_has_no_encoding_is_refused() -> None:
    edges = left_graph().edge_index
    with pytest.raises(ValueError, match="steps = 0 must be at least 1"):
        return_probabilities(edges, 5, 0)
    with pytest.raises(ValueError, match="directed: give each edge once in each direction"):
        laplacian_eigenvectors(edges[:, :1], 5, 1)
    for count in (0, 5):
        with pytest.raises(ValueError, match=f"count = {count} must be from 1 to 4 for a graph of 5 nodes"):
            laplacian_eigenvectors(edges, 5, count)
    with pytest.raises(ValueError, match="there are 3 nodes"):
        laplacian_eigenvectors(edges, 3, 1)
