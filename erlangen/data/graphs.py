"""Graphs: the report's two small graphs, Zachary's karate club, contextual stochastic block models, and noise for graphs.

Sources: the report's graphs, UvA Deep Learning 1 (2024), assignment 2; W. W. Zachary, "An Information Flow Model for Conflict and
Fission in Small Groups", Journal of Anthropological Research 33, 1977 (who met whom and which club each joined); block models
after Deshpande et al., "Contextual Stochastic Block Models", NeurIPS 2018. No files, no license.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from torch import Tensor

Pairs = tuple[tuple[int, int], ...]
FeatureNoise = Literal["swapped", "shifted", "loud", "normal"]

LEFT: Pairs = ((0, 1), (0, 2), (0, 4), (1, 2), (2, 3))
RIGHT: Pairs = ((0, 1), (1, 2), (1, 4), (2, 3), (3, 4), (3, 5), (4, 5))

KARATE: tuple[tuple[int, ...], ...] = (
    (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31),
    (2, 3, 7, 13, 17, 19, 21, 30),
    (3, 7, 8, 9, 13, 27, 28, 32),
    (7, 12, 13),
    (6, 10),
    (6, 10, 16),
    (16,),
    (),
    (30, 32, 33),
    (33,),
    *((),) * 3,
    (33,),
    *((32, 33),) * 2,
    *((),) * 2,
    (32, 33),
    (33,),
    (32, 33),
    (),
    (32, 33),
    (25, 27, 29, 32, 33),
    (25, 27, 31),
    (31,),
    (29, 33),
    (33,),
    (31, 33),
    *((32, 33),) * 3,
    (33,),
    (),
)
"""For each of the 34 members, counted from 0, the members with a higher number whom he met outside the club."""

MR_HI = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 16, 17, 19, 21)
"""The members who left with the instructor when the club split; the others stayed with the officers."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A graph with node features and classes.

    x (N, F) float32; edge_index (2, E) int64, sources and targets; y (N,) int64 classes; each mask (N,) bool, or None.
    """

    x: Tensor
    edge_index: Tensor
    y: Tensor
    train_mask: Tensor | None = None
    validation_mask: Tensor | None = None
    test_mask: Tensor | None = None

    @property
    def num_nodes(self) -> int:
        """The number of nodes."""
        return len(self.x)


def undirected(pairs: Tensor) -> Tensor:
    """Pairs (P, 2) -> edge_index (2, 2P) with each pair in both directions, ordered by source, then target."""
    both = torch.cat([pairs, pairs.flip(1)])
    return both[np.lexsort((both[:, 1].numpy(), both[:, 0].numpy()))].T.contiguous()


def _featureless(pairs: Pairs, y: Tensor) -> Graph:
    return Graph(x=torch.eye(len(y)), edge_index=undirected(torch.tensor(pairs)), y=y)


def left_graph() -> Graph:
    """The report's left graph: 5 nodes and 5 undirected edges. x is the identity matrix; y is all 0."""
    return _featureless(LEFT, torch.zeros(5, dtype=torch.int64))


def right_graph() -> Graph:
    """The report's right graph: 6 nodes and 7 undirected edges; nodes 1, 3 and 4 (2, 4 and 5 counted from 1) have degree 3."""
    return _featureless(RIGHT, torch.zeros(6, dtype=torch.int64))


def karate_club() -> Graph:
    """Zachary's karate club: 34 members, 78 ties. y is 0 for the instructor's club, 1 for the officers'; x is the identity."""
    y = torch.ones(len(KARATE), dtype=torch.int64)
    y[list(MR_HI)] = 0
    return _featureless(tuple((u, v) for u, later in enumerate(KARATE) for v in later), y)


def giant_component(graph: Graph) -> Graph:
    """The nodes of the largest connected component with the edges between them, in their order; masks are cut alike.

    Edges count in either direction. Of components of equal size, the one with the first node.
    """
    n = graph.num_nodes
    source, target = graph.edge_index.numpy()
    places = sparse.coo_array((np.ones(len(source), dtype=bool), (source, target)), shape=(n, n))
    _, component = connected_components(places.tocsr(), directed=False)  # (N,), numbered by their first node
    kept = torch.from_numpy(component == np.bincount(component).argmax())
    new = torch.cumsum(kept, 0) - 1  # the number of each node that is kept
    masks = (graph.train_mask, graph.validation_mask, graph.test_mask)
    train, validation, test = (None if mask is None else mask[kept] for mask in masks)
    return Graph(
        x=graph.x[kept],
        edge_index=new[graph.edge_index[:, kept[graph.edge_index[0]]]],
        y=graph.y[kept],
        train_mask=train,
        validation_mask=validation,
        test_mask=test,
    )


def random_split(y: Tensor, train: int, validation: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Three random masks (N,): `train` nodes of each class, `validation` of the others, and all the rest.

    Raises ValueError if there are too few nodes.
    """
    order = torch.from_numpy(rng.permutation(len(y)))
    training = torch.zeros(len(y), dtype=torch.bool)
    for label in torch.unique(y):
        members = order[y[order] == label]
        if len(members) < train:
            raise ValueError(f"class {int(label)} has {len(members)} nodes, fewer than the {train} requested for training")
        training[members[:train]] = True
    rest = order[~training[order]]
    if len(rest) <= validation:
        raise ValueError(f"{len(rest)} nodes are left after training: request fewer than that for validation, not {validation}")
    masks = [torch.zeros(len(y), dtype=torch.bool) for _ in range(2)]
    for mask, members in zip(masks, (rest[:validation], rest[validation:]), strict=True):
        mask[members] = True
    return training, masks[0], masks[1]


def block_model(
    sizes: tuple[int, ...],
    within: float,
    between: float,
    *,
    features: int = 16,
    signal: float = 1.0,
    noise: float = 1.0,
    train: int = 20,
    validation: int = 0,
    seed: int = 0,
) -> Graph:
    """A random graph from a contextual stochastic block model: undirected, without self-loops or multi-edges.

        P(u - v) = within if y_u = y_v else between,    x_v = signal · m_y + noise · ε_v,  ‖m_y‖ = 1,  ε_v ~ N(0, 1)

    sizes: nodes of each class. With between < within neighbors are alike (homophily); with between > within they differ. The
    class means m_y have independent random directions. Split: `train` nodes of each class, `validation` of the others, and the
    rest for the test. Raises ValueError for a probability outside [0, 1] or too few nodes for the split.
    """
    if not (0 <= within <= 1 and 0 <= between <= 1):
        raise ValueError(f"block_model: within = {within} and between = {between} must be probabilities in [0, 1]")
    rng = np.random.default_rng(seed)
    first = np.concatenate([[0], np.cumsum(sizes)])
    pairs = []
    for a in range(len(sizes)):
        pairs.append(first[a] + _pairs_within(sizes[a], within, rng))
        for b in range(a + 1, len(sizes)):
            drawn = _draw(sizes[a] * sizes[b], between, rng)
            pairs.append(np.stack([first[a] + drawn // sizes[b], first[b] + drawn % sizes[b]], axis=1))
    y = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    means = rng.normal(size=(len(sizes), features))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    x = signal * means[y.numpy()] + noise * rng.normal(size=(len(y), features))
    masks = random_split(y, train, validation, rng)
    edge_index = undirected(torch.from_numpy(np.concatenate(pairs)))
    return Graph(
        x=torch.from_numpy(x).float(),
        edge_index=edge_index,
        y=y,
        train_mask=masks[0],
        validation_mask=masks[1],
        test_mask=masks[2],
    )


def _draw(candidates: int, probability: float, rng: np.random.Generator) -> np.ndarray:
    """A random subset (k,) of `candidates` numbers, each with this probability.

    The size is drawn first and then the members, so that the cost of a sparse graph does not grow with N².
    """
    return rng.choice(candidates, rng.binomial(candidates, probability), replace=False, shuffle=False).astype(np.int64)


def _pairs_within(n: int, probability: float, rng: np.random.Generator) -> np.ndarray:
    """Random pairs u < v of n nodes, (k, 2). Pair t, counted row by row below the diagonal, is (t - v(v - 1)/2, v)."""
    t = _draw(n * (n - 1) // 2, probability, rng)
    v = ((1 + np.sqrt(1 + 8 * t)) / 2).astype(np.int64)
    v -= v * (v - 1) // 2 > t  # the root may be rounded up to the next whole number
    return np.stack([t - v * (v - 1) // 2, v], axis=1)


def with_noisy_features(
    graph: Graph, share: float, rng: np.random.Generator, kind: FeatureNoise = "swapped"
) -> tuple[Graph, Tensor]:
    """The graph with the features of a share of its nodes replaced by noise; and which nodes these are, (N,) bool.

        swapped    x_w of a random other node w: every feature vector is a real one, but it belongs to another node
        shifted    x_w + s √F v: the same, moved by as much as features deviate, in one random direction v, ‖v‖ = 1
        loud       3 s ε: Gaussian noise with three times the standard deviation of the features
        normal     ε: standard normal noise, ε ~ N(0, 1)

    s is the standard deviation of all entries of x (N, F). None of the kinds depends on the class of the node. Raises ValueError
    for a share outside [0, 1].
    """
    noisy = torch.zeros(graph.num_nodes, dtype=torch.bool)
    noisy[torch.from_numpy(rng.permutation(graph.num_nodes)[: _count(share, graph.num_nodes)])] = True
    places = noisy.nonzero().flatten()
    x = graph.x.clone()
    x[places] = _feature_noise(graph.x, places, rng, kind)
    return replace(graph, x=x), noisy


def _feature_noise(x: Tensor, places: Tensor, rng: np.random.Generator, kind: FeatureNoise) -> Tensor:
    """x (N, F) -> noise (len(places), F) for these nodes."""
    n, width = x.shape
    spread = float(x.std()) if kind in ("shifted", "loud") else 1.0
    if kind in ("loud", "normal"):
        return torch.from_numpy((3 if kind == "loud" else 1) * spread * rng.normal(size=(len(places), width))).to(x.dtype)
    others = torch.from_numpy(rng.integers(1, max(n, 2), len(places)))  # never 0: another node
    swapped = x[(places + others) % n]
    if kind == "swapped":
        return swapped
    direction = rng.normal(size=width)
    return swapped + torch.from_numpy(spread * width**0.5 * direction / np.linalg.norm(direction)).to(x.dtype)


def with_noisy_edges(graph: Graph, share: float, rng: np.random.Generator) -> tuple[Graph, Tensor]:
    """The undirected graph with a share of its edges moved to random places; and which edges are noise, (E,) bool.

    The number of edges stays the same; the new edges are not self-loops, multi-edges or edges of the original graph. Raises
    ValueError for a share outside [0, 1], a graph that is directed or has self-loops or multi-edges, or too few free places.
    """
    n = graph.num_nodes
    source, target = graph.edge_index
    pairs = graph.edge_index[:, source < target].T  # (P, 2)
    clean = undirected(torch.unique(pairs, dim=0))
    ordered = graph.edge_index[:, np.lexsort((target.numpy(), source.numpy()))]
    if not torch.equal(ordered, clean):
        raise ValueError(
            "with_noisy_edges: the graph is directed, or has self-loops or multi-edges: give each edge once in each direction"
        )
    moved = _count(share, len(pairs))
    if n * (n - 1) // 2 - len(pairs) < moved:
        raise ValueError(
            f"with_noisy_edges: there are {moved} edges to move, but only {n * (n - 1) // 2 - len(pairs)} free places: use a "
            f"smaller share"
        )
    kept = pairs[torch.from_numpy(rng.permutation(len(pairs))[moved:])]
    taken = {(u, v) for u, v in pairs.tolist()}
    placed: list[tuple[int, int]] = []
    while len(placed) < moved:
        u, v = sorted(rng.integers(0, n, 2).tolist())
        if u != v and (u, v) not in taken:
            taken.add((u, v))
            placed.append((u, v))
    noise = torch.tensor(placed, dtype=torch.int64).reshape(moved, 2)
    edge_index = undirected(torch.cat([kept, noise]))
    low, high = edge_index.amin(0), edge_index.amax(0)
    noisy = torch.isin(low * n + high, noise[:, 0] * n + noise[:, 1])
    return replace(graph, edge_index=edge_index), noisy


def _count(share: float, total: int) -> int:
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share} is outside [0, 1]")
    return round(share * total)
