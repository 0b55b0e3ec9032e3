"""Oracles: the matrices published with the report, networkx's karate club, expectations of the block model."""

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch

from erlangen.data.graphs import (
    Graph,
    block_model,
    giant_component,
    karate_club,
    left_graph,
    random_split,
    right_graph,
    undirected,
    with_noisy_edges,
    with_noisy_features,
)
from erlangen.nn.graph.algebra import adjacency, is_symmetric, laplacian, multi_edges, self_loops, walk_counts

PUBLISHED = Path(__file__).parents[3] / "shared" / "reference" / "published.json"


def published() -> dict:
    if not PUBLISHED.exists():
        pytest.skip(f"{PUBLISHED} is missing")
    return json.loads(PUBLISHED.read_text())["graphs"]


def test_small_graphs_are_the_published_ones() -> None:
    graphs = published()
    left, right = left_graph(), right_graph()
    assert adjacency(left.edge_index, 5).tolist() == graphs["left"]["adjacency"]
    assert walk_counts(left.edge_index, 5, 2).to_dense().tolist() == graphs["left"]["adjacency_squared"]
    assert adjacency(right.edge_index, 6).tolist() == graphs["right"]["adjacency"]
    assert laplacian(right.edge_index, 6).tolist() == graphs["right"]["laplacian"]


def test_small_graphs_without_the_reference() -> None:
    assert adjacency(left_graph().edge_index, 5).sum(1).tolist() == [3, 2, 3, 1, 1]
    assert adjacency(right_graph().edge_index, 6).sum(1).tolist() == [1, 3, 2, 3, 3, 2]


def test_karate_club_is_networkxs() -> None:
    club, other = karate_club(), nx.karate_club_graph()
    assert (club.num_nodes, club.edge_index.shape) == (34, (2, 156))
    assert torch.equal(adjacency(club.edge_index, 34).bool(), torch.tensor(nx.to_numpy_array(other) > 0))
    assert club.y.tolist() == [int(other.nodes[v]["club"] != "Mr. Hi") for v in range(34)]


def simple(graph: Graph) -> bool:
    edges = graph.edge_index
    return is_symmetric(edges, graph.num_nodes) and not self_loops(edges).any() and not multi_edges(edges).any()


def shares(graph: Graph) -> tuple[float, float]:
    """Share of the possible pairs within and between classes that are edges."""
    a, same = adjacency(graph.edge_index, graph.num_nodes), graph.y[:, None] == graph.y
    pairs = ~torch.eye(graph.num_nodes, dtype=torch.bool)
    return a[same & pairs].mean().item(), a[~same].mean().item()


def test_block_model_has_its_probabilities_and_features() -> None:
    graph = block_model((300, 200, 100), 0.2, 0.05, features=8, signal=2, noise=0.5, seed=1)
    assert simple(graph)
    assert graph.x.dtype == torch.float32
    assert graph.edge_index.dtype == graph.y.dtype == torch.int64
    assert torch.bincount(graph.y).tolist() == [300, 200, 100]
    within, between = shares(graph)
    assert within == pytest.approx(0.2, abs=0.005)  # 70 000 pairs: a standard error of 0.0015
    assert between == pytest.approx(0.05, abs=0.003)
    means = torch.stack([graph.x[graph.y == label].mean(0) for label in range(3)])
    assert means.norm(dim=1).tolist() == pytest.approx([2, 2, 2], abs=0.2)
    assert (graph.x - means[graph.y]).std().item() == pytest.approx(0.5, rel=0.05)


def test_every_pair_can_be_an_edge() -> None:
    complete, bare = block_model((9, 7), 1, 1, train=1), block_model((9, 7), 0, 0, train=1)
    assert torch.equal(adjacency(complete.edge_index, 16), 1 - torch.eye(16))
    assert bare.edge_index.shape == (2, 0)
    blocks = adjacency(block_model((9, 7), 1, 0, train=1).edge_index, 16)
    assert torch.equal(blocks, torch.block_diag(torch.ones(9, 9), torch.ones(7, 7)) - torch.eye(16))


def test_seeds_repeat_and_differ() -> None:
    one, again, other = (block_model((40, 40), 0.2, 0.1, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.x, again.x)
    assert torch.equal(one.edge_index, again.edge_index)
    assert torch.equal(one.train_mask, again.train_mask)
    assert not torch.equal(one.x, other.x)
    assert not torch.equal(one.edge_index, other.edge_index)


def test_split_covers_every_node_once() -> None:
    graph = block_model((50, 70), 0.1, 0.1, train=10, validation=30)
    assert torch.bincount(graph.y[graph.train_mask]).tolist() == [10, 10]
    assert (graph.validation_mask.sum(), graph.test_mask.sum()) == (30, 70)
    assert (graph.train_mask.int() + graph.validation_mask.int() + graph.test_mask.int() == 1).all()
    with pytest.raises(ValueError, match="class 0 has 50 nodes, fewer than the 51"):
        random_split(graph.y, 51, 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="100 nodes are left"):
        random_split(graph.y, 10, 100, np.random.default_rng(0))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_noisy_features_are_those_of_other_nodes(share: float) -> None:
    graph = block_model((60, 40), 0.1, 0.1)
    before = graph.x.clone()
    for seed in range(5):
        noisy, which = with_noisy_features(graph, share, np.random.default_rng(seed))
        assert which.sum() == round(share * 100)
        assert torch.equal(noisy.x[~which], before[~which])
        assert (noisy.x[which] != before[which]).any(1).all()
        assert all((before == row).all(1).any() for row in noisy.x[which])
    assert torch.equal(graph.x, before)
    assert noisy.edge_index is graph.edge_index


def test_feature_noise_has_the_moments_that_it_states() -> None:
    graph = block_model((300, 200), 0.05, 0.05, features=40, signal=1.0, noise=2.0)
    spread = float(graph.x.std())
    drawn = {
        kind: with_noisy_features(graph, 0.5, np.random.default_rng(0), kind) for kind in ("swapped", "shifted", "loud", "normal")
    }
    for kind, (noisy, which) in drawn.items():
        assert torch.equal(which, drawn["swapped"][1]), kind
        assert torch.equal(noisy.x[~which], graph.x[~which]), kind
    which = drawn["swapped"][1]
    shift = drawn["shifted"][0].x[which] - drawn["swapped"][0].x[which]
    assert torch.allclose(shift, shift[:1].expand_as(shift), atol=1e-5)  # one direction for all
    assert float(shift[0].norm()) == pytest.approx(spread * 40**0.5, rel=1e-4)
    for kind, expected in (("loud", 3 * spread), ("normal", 1.0)):
        noise = drawn[kind][0].x[which]  # 10 000 numbers
        assert float(noise.std()) == pytest.approx(expected, rel=0.03), kind
        assert float(noise.mean()) == pytest.approx(0, abs=0.04 * expected), kind


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_noisy_edges_replace_as_many_and_are_named(share: float) -> None:
    graph = block_model((60, 40), 0.2, 0.02)
    noisy, which = with_noisy_edges(graph, share, np.random.default_rng(0))
    assert simple(noisy)
    assert noisy.edge_index.shape == graph.edge_index.shape
    was_there = adjacency(graph.edge_index, 100)[noisy.edge_index[1], noisy.edge_index[0]].bool()
    assert torch.equal(which, ~was_there)
    assert which.sum() == 2 * round(share * graph.edge_index.shape[1] / 2)
    assert torch.equal(noisy.y, graph.y)
    if share == 1:
        within, between = shares(noisy)
        assert within < 2 * between  # where they fall knows nothing of classes


def test_noise_refuses_what_it_cannot_do() -> None:
    graph, rng = block_model((9, 7), 1, 1, train=1), np.random.default_rng(0)
    with pytest.raises(ValueError, match="12 edges to move, but only 0 free places"):
        with_noisy_edges(graph, 0.1, rng)
    directed = Graph(x=torch.zeros(3, 1), edge_index=torch.tensor([[0], [1]]), y=torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="the graph is directed"):
        with_noisy_edges(directed, 0.5, rng)
    for noise in (with_noisy_edges, with_noisy_features):
        with pytest.raises(ValueError, match=r"share of 1\.5"):
            noise(karate_club(), 1.5, rng)
    with pytest.raises(ValueError, match="probabilities"):
        block_model((9, 7), 1.5, 0)


def test_undirected_is_sorted() -> None:
    assert undirected(torch.tensor([[2, 0], [0, 1]])).T.tolist() == [[0, 1], [0, 2], [1, 0], [2, 0]]


@pytest.mark.parametrize("seed", range(3))
def test_giant_component_is_networkxs(seed: int) -> None:
    """Sparse enough for many components; each node keeps its features, class and masks, and the edges are those between them."""
    graph = block_model((40, 40), 0.03, 0.005, validation=10, seed=seed)
    other = nx.Graph(graph.edge_index.T.tolist())
    other.add_nodes_from(range(80))
    nodes = sorted(max(nx.connected_components(other), key=len))
    assert 10 < len(nodes) < 70
    giant = giant_component(graph)
    assert torch.equal(giant.x, graph.x[nodes])
    assert torch.equal(giant.y, graph.y[nodes])
    for mask in ("train_mask", "validation_mask", "test_mask"):
        assert torch.equal(getattr(giant, mask), getattr(graph, mask)[nodes])
    expected = adjacency(graph.edge_index, 80)[nodes][:, nodes]
    assert torch.equal(adjacency(giant.edge_index, len(nodes)), expected)


def test_giant_component_of_a_graph_without_masks_whose_edges_have_one_direction() -> None:
    chain = torch.tensor([[5, 1, 4], [1, 4, 0]])  # 5 → 1 → 4 → 0; 2 and 3 alone
    giant = giant_component(Graph(x=torch.eye(6), edge_index=chain, y=torch.arange(6)))
    assert giant.y.tolist() == [0, 1, 4, 5]
    assert giant.edge_index.tolist() == [[3, 1, 2], [1, 2, 0]]
    assert giant.train_mask is None
    pairs = giant_component(Graph(x=torch.eye(4), edge_index=torch.tensor([[2, 0], [3, 1]]), y=torch.arange(4)))
    assert pairs.y.tolist() == [0, 1]  # of equal ones, the first
