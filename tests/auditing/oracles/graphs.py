"""Models of graphs: an answer a node (N, 5), or one a graph."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from auditing.oracles.case import BROKEN, EXACT, SHIFTED, UNMEASURED, Case, served
from torch import Tensor, nn

from erlangen.symmetries.graph import Graph

F = 4


def graphs(seed: int, dtype: torch.dtype, n: int = 12, weighted: bool = False) -> list[Graph]:
    """Of 6, 7 and 8 nodes: a cycle, so that every node has neighbors, and chords; each edge both ways, in no order."""
    rng = np.random.default_rng(3000 + seed)
    made = []
    for k in range(n):
        nodes = 6 + k % 3
        order = rng.permutation(nodes)
        chords = [tuple(rng.choice(nodes, 2, replace=False).tolist()) for _ in range(4)]
        pairs = {tuple(sorted(pair)) for pair in [*zip(order.tolist(), np.roll(order, 1).tolist(), strict=True), *chords]}
        edges = rng.permutation(np.array([*pairs, *((b, a) for a, b in pairs)])).T.copy()  # (2, E)
        x = torch.from_numpy(rng.standard_normal((nodes, F))).to(dtype)
        extra = {"edge_weight": torch.from_numpy(rng.uniform(0.5, 2, edges.shape[1])).to(dtype)} if weighted else {}
        made.append(Graph(x, torch.from_numpy(edges), {}, extra))
    return made


def many(seed: int, dtype: torch.dtype) -> list[Graph]:
    return graphs(seed, dtype, 24)


def add(h: Tensor, edges: Tensor) -> Tensor:
    """Sums over edges that end at each node."""
    return torch.zeros_like(h).index_add(0, edges[1], h[edges[0]])


def largest(h: Tensor, edges: Tensor) -> Tensor:
    return torch.zeros_like(h).index_reduce(0, edges[1], h[edges[0]], "amax", include_self=False)


def mean(h: Tensor, edges: Tensor) -> Tensor:
    return torch.zeros_like(h).index_reduce(0, edges[1], h[edges[0]], "mean", include_self=False)


def first(h: Tensor, edges: Tensor) -> Tensor:
    """Of the edges that end at a node, the first listed."""
    ends = edges[1].tolist()
    return torch.stack([h[int(edges[0, ends.index(node)])] if node in ends else 0 * h[node] for node in range(len(h))])


def lowest(h: Tensor, edges: Tensor) -> Tensor:
    """Of the nodes that edges come from, the one with the lowest number."""
    return torch.stack([h[min(edges[0, edges[1] == node].tolist(), default=node)] for node in range(len(h))])


def attended(h: Tensor, edges: Tensor) -> Tensor:
    """Neighbors weighed by a softmax of how well they fit."""
    scores = (h[edges[0]] * h[edges[1]]).sum(1).exp()  # (E,)
    total = torch.zeros_like(h[:, 0]).index_add(0, edges[1], scores)
    return torch.zeros_like(h).index_add(0, edges[1], h[edges[0]] * (scores / total[edges[1]])[:, None])


class Layers(nn.Module):
    """h <- tanh(W h + V aggregate(h)), twice; `before` changes the features first."""

    def __init__(self, aggregate: Callable[[Tensor, Tensor], Tensor], before: Callable[[Tensor], Tensor] = lambda x: x):
        super().__init__()
        self.aggregate, self.before = aggregate, before
        self.own, self.others = (nn.ModuleList([nn.Linear(F, F), nn.Linear(F, 5)]) for _ in range(2))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = self.before(x)
        for own, others in zip(self.own, self.others, strict=True):
            h = (own(h) + others(self.aggregate(h, edge_index))).tanh()
        return h


class Recurrent(nn.Module):
    """A recurrent net reads a node's neighbors in the order in which the edges are listed."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.LSTM(F, 5, batch_first=True)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        rows = [torch.cat([x[node, None], x[edge_index[0, edge_index[1] == node]]]) for node in range(len(x))]
        return torch.stack([self.read(row[None])[0][0, -1] for row in rows])


class Weighted(nn.Module):
    """Each edge counts by its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(F, 5)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
        return self.out(x + torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]] * edge_weight[:, None])).tanh()


class WithBatch(nn.Module):
    """Told by `batch` where graphs end. pool: `sum`, `mean` over nodes, or none; normalize: less the mean of its graph."""

    def __init__(self, pool: str = "", normalize: bool = False):
        super().__init__()
        self.layers, self.pool, self.normalize = Layers(add), pool, normalize

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        h = self.layers(x, edge_index)
        sums = h.new_zeros(int(batch.max()) + 1, h.shape[1]).index_add(0, batch, h)
        sizes = torch.bincount(batch)[:, None]
        if self.normalize:
            h = h - 5 * (sums / sizes)[batch]  # five times, so that one node more shows
        return {"": h, "sum": sums, "mean": sums / sizes}[self.pool]


class PooledAlone(nn.Module):
    """Sums up all nodes of a call, be they of one graph or more."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = Layers(add)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.layers(x, edge_index).sum(0, keepdim=True)


def numbered(x: Tensor) -> Tensor:
    """A node's number is a feature."""
    return x + torch.arange(len(x), dtype=x.dtype, device=x.device)[:, None] / 3


class Mutating(Layers):
    """Overwrites what it is given."""

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        y = super().forward(x * 2, edge_index)
        x.zero_()
        edge_index.zero_()
        return y


def case(name: str, make: Callable[[], nn.Module], expected: dict[str, Any], **more: Any) -> Case:
    return Case(
        name=f"graphs: {name}",
        domain="graphs",
        build=lambda dtype: served(make(), dtype),
        expected=expected,
        **{"inputs": graphs, **more},
    )


KEPT = {"node-permutation": EXACT, "edge-order": EXACT, "isolated-node": EXACT}

CASES = [
    # Messages that are summed, averaged or maximized know no order, and a node without edges sends none. An edge listed twice
    # counts twice in sums, not in maxima; means and attention shift by little or much.
    case("sum", lambda: Layers(add), {**KEPT, "duplicate-edges": BROKEN}),
    case("mean", lambda: Layers(mean), {**KEPT, "duplicate-edges": SHIFTED}),
    case("maximum", lambda: Layers(largest), {**KEPT, "duplicate-edges": EXACT}),
    case("attention", lambda: Layers(attended), KEPT),
    case("weighted edges", Weighted, KEPT, inputs=lambda seed, dtype: graphs(seed, dtype, weighted=True)),
    # Overwritten inputs must be copies.
    case("overwrites its input", lambda: Mutating(add), KEPT),
    # A node's number changes when nodes are renamed or stand behind other graphs; a new last node leaves it.
    case(
        "numbered nodes",
        lambda: Layers(add, numbered),
        {"node-permutation": BROKEN, "edge-order": EXACT, "isolated-node": EXACT, "batch-composition": BROKEN},
    ),
    case(
        "running sum over nodes",
        lambda: Layers(add, lambda x: x.cumsum(0)),
        {"node-permutation": BROKEN, "edge-order": EXACT, "isolated-node": EXACT, "batch-composition": BROKEN},
    ),
    case(
        "running sum from the end",
        lambda: Layers(add, lambda x: x.flip(0).cumsum(0).flip(0)),
        {"node-permutation": BROKEN, "edge-order": EXACT, "isolated-node": BROKEN, "batch-composition": BROKEN},
    ),
    # Renaming nodes keeps the list of edges in its order: only another order of the list changes who is first.
    case(
        "first neighbor listed",
        lambda: Layers(first),
        {"node-permutation": EXACT, "edge-order": BROKEN, "isolated-node": EXACT, "duplicate-edges": EXACT},
    ),
    case("LSTM over neighbors", Recurrent, {"node-permutation": EXACT, "edge-order": BROKEN, "isolated-node": EXACT}, fast=False),
    # And the other way round.
    case(
        "neighbor of the lowest number",
        lambda: Layers(lowest),
        {"node-permutation": BROKEN, "edge-order": EXACT, "isolated-node": EXACT, "duplicate-edges": EXACT},
        fast=False,
    ),
    # A mean over all nodes of the call sees the new node, and other graphs; told where graphs end, only the new node.
    case(
        "centered over all nodes",
        lambda: Layers(add, lambda x: x - x.mean(0)),
        {**KEPT, "isolated-node": BROKEN, "batch-composition": BROKEN},
    ),
    case(
        "centered over its graph", lambda: WithBatch(normalize=True), {**KEPT, "isolated-node": SHIFTED}, inputs=many, elements=6
    ),
    case("told where graphs end", lambda: WithBatch(), KEPT),
    # One vector a graph: a new node rightly counts, so nothing is asked.
    case("pooled, sum", lambda: WithBatch("sum"), {**KEPT, "isolated-node": UNMEASURED, "duplicate-edges": SHIFTED}, inputs=many),
    case("pooled, mean", lambda: WithBatch("mean"), {**KEPT, "isolated-node": UNMEASURED}),
    # Not told where graphs end, one vector a call: there is no answer for each graph of a batch.
    case(
        "pooled, not told where graphs end",
        PooledAlone,
        {"node-permutation": EXACT, "edge-order": EXACT, "batch-composition": UNMEASURED},
    ),
    # Features alone: edges do not matter, however often they are listed.
    case("no edges used", lambda: Layers(lambda h, edges: torch.zeros_like(h)), {**KEPT, "duplicate-edges": EXACT}),
    # One graph with an answer a node has a spread over nodes; one vector has none. Its neighbor in a batch is itself.
    case("one graph", lambda: Layers(add), KEPT, inputs=lambda seed, dtype: graphs(seed, dtype, 1)),
    case(
        "one graph, numbered nodes",
        lambda: Layers(add, numbered),
        {"node-permutation": BROKEN, "batch-composition": BROKEN},
        inputs=lambda seed, dtype: graphs(seed, dtype, 1),
        says={"node-permutation": "for this input only"},
        elements=16,
    ),
    case(
        "one graph, pooled",
        lambda: WithBatch("sum"),
        {"node-permutation": UNMEASURED, "repeat": UNMEASURED, "batch-composition": UNMEASURED},
        inputs=lambda seed, dtype: graphs(seed, dtype, 1),
    ),
]
