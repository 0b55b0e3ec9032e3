"""Edges that are listed twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.graph import Graph
from erlangen.symmetries.symmetry import Symmetry


@dataclass(frozen=True)
class Repeats:
    """Repeat this share of the edges (at least one), drawn from `seed`. number: counts the elements of one draw; 0 if fixed."""

    share: float
    seed: int = 0
    number: int = 0

    def indices(self, edges: int) -> Tensor:
        """Indices of the repeated edges, in ascending order."""
        count = min(max(1, round(self.share * edges)), edges)
        return torch.from_numpy(np.sort(np.random.default_rng(self.seed).permutation(edges)[:count]))


@dataclass(frozen=True)
class DuplicateEdges(Symmetry):
    """Append copies of some edges, with their attributes, to the list of edges: y (N, D) and vectors (D,) must not change.

    Tells whether a model treats its edges as a set (as a maximum does) or as a multiset (as sums do). Most convolutions rightly
    do the latter, so the check is informational. One direction of an undirected edge may be repeated without the other.
    """

    name: ClassVar[str] = "duplicate-edges"
    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    unit: ClassVar[str] = "share of edges repeated"
    advice: ClassVar[str] = (
        "Sums count an edge twice, as most convolutions should. Remove duplicate edges first if yours must not."
    )

    def generators(self, x: Graph) -> Sequence[Repeats]:
        """One edge, and all of them."""
        edges = x.edge_index.shape[1]
        return [Repeats(share) for share in sorted({1 / edges, 1.0})] if edges else ()

    def elements(self, x: Graph, n: int, rng: np.random.Generator) -> Sequence[Repeats]:
        """Any number of edges, uniformly from one to all."""
        edges = x.edge_index.shape[1]
        if not edges:
            return ()
        counts, seeds = rng.integers(1, edges, size=n, endpoint=True), rng.integers(2**63, size=n)
        return [Repeats(int(counts[k]) / edges, int(seeds[k]), k + 1) for k in range(n)]

    def act(self, x: Graph, g: Repeats) -> Graph:
        edges = x.edge_index.shape[1]
        return x.with_edges(torch.cat([torch.arange(edges), g.indices(edges)]).to(x.edge_index.device))

    def act_output(self, y: Tensor, g: Repeats, x: Graph) -> Tensor | None:
        return y if y.ndim < 2 or len(y) == len(x) else None

    def size(self, g: Repeats) -> float:
        return g.share

    def label(self, g: Repeats) -> str:
        which = "all edges" if g.share == 1 else f"{g.share:.2g} of the edges"
        return f"{which} twice, #{g.number}" if g.number else f"{which} twice"
