"""Graphs whose nodes have coordinates `pos` (N, d), d = 2 or 3: what rotations, mirrors and translations act on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from torch import Tensor

from erlangen.symmetries.graph import Graph
from erlangen.symmetries.point_rotation import Matrix, rotate_rows

POSITIONS = "pos"
VECTORS = ("vel", "velocity", "normal", "edge_vec", "edge_vector")  # names of tensors that turn along, of nodes or edges
Output: TypeAlias = Literal["scalars", "vectors"]


@dataclass(frozen=True)
class OutputReading:
    """How an output with d columns is read: as scalars, which stay the same, or as vectors, which turn with the coordinates."""

    output: Output

    def __str__(self) -> str:
        return f"output read as {self.output}"


def dimension(x: Graph) -> int:
    """Of the coordinates: 2 or 3; 0 if the graph has none."""
    positions = x.nodes.get(POSITIONS)
    return positions.shape[1] if positions is not None and positions.ndim == 2 and positions.shape[1] in (2, 3) and len(x) else 0


def turned(x: Graph, g: Matrix) -> Graph:
    """The graph with its coordinates and all its vectors multiplied by g (d, d)."""
    return replace(x, nodes=turned_rows(x.nodes, g), edges=turned_rows(x.edges, g))


def turned_rows(tensors: dict[str, Tensor], g: Matrix) -> dict[str, Tensor]:
    """Tensors by name, with g applied to each row of those that are vectors."""
    names = [name for name in (POSITIONS, *VECTORS) if name in tensors and tensors[name].shape[-1] == len(g)]
    return {**tensors, **{name: rotate_rows(tensors[name], g) for name in names}}


def turned_output(y: Tensor, g: Matrix, output: Output | None) -> Tensor | None:
    """g·y of vectors (N, d) or (d,), None if y has other columns; y itself if it is not said to be vectors."""
    if output != "vectors":
        return y
    return rotate_rows(y, g) if 1 <= y.ndim <= 2 and y.shape[-1] == len(g) else None


def output_kinds(x: Graph, y: Tensor) -> Sequence[Output]:
    """How an output can be read: as vectors too if it has as many columns as there are coordinates; () if only as scalars."""
    rows = y.ndim == 1 or (y.ndim == 2 and len(y) == len(x))
    return ("scalars", "vectors") if rows and dimension(x) and y.shape[-1] == dimension(x) else ()
