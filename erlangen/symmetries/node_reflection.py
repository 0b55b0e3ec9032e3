"""Mirror images of a graph whose nodes have coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import Tensor

from erlangen.symmetries.coordinates import Output, OutputReading, dimension, output_kinds, turned, turned_output
from erlangen.symmetries.graph import Graph
from erlangen.symmetries.point_rotation import Matrix, PointRotation, random_rotation
from erlangen.symmetries.symmetry import Symmetry, check_choice


@dataclass(frozen=True)
class NodeReflection(Symmetry):
    """The orthogonal matrices with determinant -1 mirror the coordinates `pos` (N, d) of a graph, and vectors with them.

    A model that tells left-handed molecules from right-handed ones rightly breaks it. output, unasked: as of `NodeRotation`.

    Raises ValueError for another kind of output.
    """

    output: Output | None = None
    unasked: bool = False

    name: ClassVar[str] = "node-reflection"
    informational: ClassVar[bool] = True
    cyclic: ClassVar[int] = 2  # up to rotations
    advice: ClassVar[str] = (
        "Use distances and angles alone: signed volumes and cross products tell an object from its mirror image."
    )

    def __post_init__(self) -> None:
        if self.output is not None:
            check_choice(type(self), "output", self.output, Output)

    @property
    def default(self) -> bool:  # type: ignore[override]
        return self.unasked

    @property
    def reading(self) -> OutputReading | None:
        return None if self.output is None else OutputReading(self.output)

    def readings(self, x: Graph, y: Tensor) -> Sequence[NodeReflection]:
        return [replace(self, output=kind) for kind in output_kinds(x, y)] if self.output is None else ()

    def generators(self, x: Graph) -> Sequence[Matrix]:
        """The mirror that exchanges both directions of the first axis."""
        return [mirrored(identity(dimension(x)))] if dimension(x) else ()

    def elements(self, x: Graph, n: int, rng: np.random.Generator) -> Sequence[Matrix]:
        """Uniformly: that mirror, then a uniformly random rotation."""
        return [mirrored(random_rotation(dimension(x), rng)) for _ in range(n)] if dimension(x) else ()

    def act(self, x: Graph, g: Matrix) -> Graph:
        return turned(x, g)

    def act_output(self, y: Tensor, g: Matrix, x: Graph) -> Tensor | None:
        return turned_output(y, g, self.output)

    def power(self, g: Matrix) -> int:
        return 1

    def label(self, g: Matrix) -> str:
        rotation = mirrored(g)
        return "x to -x" if rotation == identity(len(g)) else f"x to -x, then {PointRotation().label(rotation)}"


def mirrored(g: Matrix) -> Matrix:
    """g after the mirror x -> -x of the first axis: the first column of g with the other sign."""
    return tuple((-row[0] if row[0] else 0.0, *row[1:]) for row in g)


def identity(d: int) -> Matrix:
    return tuple(tuple(float(row == column) for column in range(d)) for row in range(d))
