"""Rotation of the coordinates of a graph's nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import Tensor

from erlangen.symmetries.coordinates import Output, OutputReading, dimension, output_kinds, turned, turned_output
from erlangen.symmetries.graph import Graph
from erlangen.symmetries.point_rotation import PLANES, Matrix, PointRotation, angle_and_axis, quarter_turn, random_rotation
from erlangen.symmetries.symmetry import Symmetry, check_choice


@dataclass(frozen=True)
class NodeRotation(Symmetry):
    """SO(d) rotates the coordinates `pos` (N, d) of a graph about the origin, and vectors such as `vel` with them.

    output: `scalars` (energies, classes) must not change; `vectors` (forces) (N, d) or (d,) must rotate too; None: scalars,
    unless an audit finds that vectors fit better. unasked: whether audits check it by default: where graphs have coordinates.

    Raises ValueError for another kind of output.
    """

    output: Output | None = None
    unasked: bool = False

    name: ClassVar[str] = "node-rotation"
    informational: ClassVar[bool] = True
    by_constants: ClassVar[bool] = True
    unit: ClassVar[str] = "degrees"
    advice: ClassVar[str] = (
        "Use distances and angles instead of coordinates, or equivariant layers, or train with rotated graphs."
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

    def readings(self, x: Graph, y: Tensor) -> Sequence[NodeRotation]:
        return [replace(self, output=kind) for kind in output_kinds(x, y)] if self.output is None else ()

    def generators(self, x: Graph) -> Sequence[Matrix]:
        """Quarter turns about each axis: they generate the rotations of a cube and are exact in floating point."""
        return [quarter_turn(plane, dimension(x)) for plane in PLANES.get(dimension(x), ())]

    def elements(self, x: Graph, n: int, rng: np.random.Generator) -> Sequence[Matrix]:
        """Uniformly (Haar measure)."""
        return [random_rotation(dimension(x), rng) for _ in range(n)] if dimension(x) else ()

    def act(self, x: Graph, g: Matrix) -> Graph:
        return turned(x, g)

    def act_output(self, y: Tensor, g: Matrix, x: Graph) -> Tensor | None:
        return turned_output(y, g, self.output)

    def size(self, g: Matrix) -> float:
        return angle_and_axis(g)[0]

    def label(self, g: Matrix) -> str:
        return PointRotation().label(g)
