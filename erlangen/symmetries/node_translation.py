"""Translation of the coordinates of a graph's nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from erlangen.symmetries.coordinates import POSITIONS, dimension
from erlangen.symmetries.graph import Graph
from erlangen.symmetries.point_translation import Offset, PointTranslation
from erlangen.symmetries.symmetry import Symmetry

POINTS = PointTranslation()


@dataclass(frozen=True)
class NodeTranslation(Symmetry):
    """R^d shifts the coordinates `pos` (N, d) of all nodes of a graph by one vector; y, forces included, must not change.

    g (d,): in units of the spread of `pos`, as of `PointTranslation`. unasked: as of `NodeRotation`.
    """

    unasked: bool = False

    name: ClassVar[str] = "node-translation"
    informational: ClassVar[bool] = True
    unit: ClassVar[str] = "spreads of the nodes"
    advice: ClassVar[str] = "Use differences of coordinates alone, or subtract the center of each graph before the model."

    @property
    def default(self) -> bool:  # type: ignore[override]
        return self.unasked

    def generators(self, x: Graph) -> Sequence[Offset]:
        """One spread along each axis."""
        return POINTS.generators(x.nodes[POSITIONS]) if dimension(x) else ()

    def elements(self, x: Graph, n: int, rng: np.random.Generator) -> Sequence[Offset]:
        """Random directions with lengths of 0.1 to 10 spreads, uniform in their logarithm."""
        return POINTS.elements(x.nodes[POSITIONS], n, rng) if dimension(x) else ()

    def act(self, x: Graph, g: Offset) -> Graph:
        return replace(x, nodes={**x.nodes, POSITIONS: POINTS.act(x.nodes[POSITIONS], g)})

    def size(self, g: Offset) -> float:
        return POINTS.size(g)

    def label(self, g: Offset) -> str:
        return POINTS.label(g)
