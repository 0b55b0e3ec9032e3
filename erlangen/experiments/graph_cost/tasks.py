"""The one task of `graph-cost`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Layer: TypeAlias = Literal["gat", "dot", "plain", "fused"]
Over: TypeAlias = Literal["nodes", "neighbors"]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Measure a layer on graphs of rising `sizes`: the number of nodes, or of each node's neighbors. The other is `fixed`."""

    layer: Layer
    over: Over
    sizes: tuple[int, ...]
    fixed: int
    features: int
    budget: float = 0.3  # seconds for which each size is timed, at least

    def graphs(self) -> list[tuple[int, int]]:
        """(nodes, neighbors of each), graph after graph."""
        return [(size, self.fixed) if self.over == "nodes" else (self.fixed, size) for size in self.sizes]
