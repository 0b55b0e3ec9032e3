"""Rotation of points in the plane or in space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.symmetry import Symmetry, check_choice

Matrix: TypeAlias = tuple[tuple[float, ...], ...]
Output: TypeAlias = Literal["scalar", "vector"]
PLANES = {2: ((0, 1),), 3: ((1, 2), (2, 0), (0, 1))}  # by dimension; in space, perpendicular to the axes x, y, z


@dataclass(frozen=True)
class PointRotation(Symmetry):
    """SO(d) rotates points x (N, d), d = 2 or 3, about the origin: each row v becomes R·v. Other d have no elements.

    output: with `scalar`, y must not change; with `vector`, each row of y (N, d), or y (d,) itself, is a vector that must rotate
    too, and outputs of any other width cannot be compared.

    Raises ValueError for another kind of output.
    """

    output: Output = "scalar"

    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    by_constants: ClassVar[bool] = True
    unit: ClassVar[str] = "degrees"
    advice: ClassVar[str] = "Use invariant features (distances, angles) or equivariant layers, or train with rotated points."

    def __post_init__(self) -> None:
        check_choice(type(self), "output", self.output, Output)

    @property
    def name(self) -> str:  # type: ignore[override]
        return "point-rotation" if self.output == "scalar" else "point-rotation-vector"

    def generators(self, x: Tensor) -> Sequence[Matrix]:
        """Quarter turns about each axis: they generate the rotations of a cube and are exact in floating point."""
        return [quarter_turn(plane, x.shape[1]) for plane in PLANES.get(x.shape[1], ()) if len(x)]

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Matrix]:
        """Uniformly (Haar measure)."""
        return [random_rotation(x.shape[1], rng) for _ in range(n)] if self.generators(x) else ()

    def act(self, x: Tensor, g: Matrix) -> Tensor:
        return rotate_rows(x, g)

    def act_output(self, y: Tensor, g: Matrix, x: Tensor) -> Tensor | None:
        if self.output == "scalar":
            return y
        return rotate_rows(y, g) if 1 <= y.ndim <= 2 and y.shape[-1] == len(g) else None

    def tangent(self, x: Tensor) -> Sequence[Tensor]:
        """dx/dt of a rotation by t degrees in each plane (i, j): x_i·π/180 in column j, -x_j·π/180 in column i."""
        rates = []
        for i, j in PLANES.get(x.shape[1], ()):
            rate = torch.zeros_like(x)
            rate[:, i], rate[:, j] = -x[:, j] * math.pi / 180, x[:, i] * math.pi / 180
            rates.append(rate)
        return rates

    def size(self, g: Matrix) -> float:
        return angle_and_axis(g)[0]

    def label(self, g: Matrix) -> str:
        angle, axis = angle_and_axis(g)
        if len(g) == 2:
            return f"{math.degrees(math.atan2(g[1][0], g[0][0])):.4g}°"
        named = [name for name, part in zip("xyz", axis, strict=True) if part > 1 - 1e-9]
        return f"{angle:.4g}° about {named[0] if named else '(' + ', '.join(f'{part:.2f}' for part in axis) + ')'}"


def rotate_rows(x: Tensor, g: Matrix) -> Tensor:
    """g·v for each row v of x (..., d), computed in at least float32."""
    wide = torch.promote_types(x.dtype, torch.float32)
    return (x.to(wide) @ torch.tensor(g, dtype=wide, device=x.device).T).to(x.dtype)


def quarter_turn(plane: tuple[int, int], d: int) -> Matrix:
    """Takes axis i of the plane (i, j) to axis j, and j to -i."""
    (i, j), matrix = plane, np.eye(d)
    matrix[i, i] = matrix[j, j] = 0.0
    matrix[j, i], matrix[i, j] = 1.0, -1.0
    return _rows(matrix)


def random_rotation(d: int, rng: np.random.Generator) -> Matrix:
    """Q of the QR decomposition of a normal matrix, with diag R > 0 (Mezzadri 2007), one axis mirrored if det Q = -1."""
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    q = q * np.sign(np.diag(r))
    q[:, 0] *= np.linalg.det(q).round()
    return _rows(q)


def _rows(matrix: np.ndarray) -> Matrix:
    return tuple(tuple(float(entry) for entry in row) for row in matrix)


def angle_and_axis(g: Matrix) -> tuple[float, tuple[float, ...]]:
    """The angle, 0 to 180 degrees, and the axis as a unit vector, () in the plane."""
    matrix = np.array(g)
    if len(matrix) == 2:
        return abs(math.degrees(math.atan2(g[1][0], g[0][0]))), ()
    across = np.array([g[2][1] - g[1][2], g[0][2] - g[2][0], g[1][0] - g[0][1]])  # 2·sin·axis
    angle = math.degrees(math.atan2(float(np.linalg.norm(across)), float(np.trace(matrix)) - 1))
    axis = np.linalg.eigh(matrix + matrix.T)[1][:, -1]  # unlike `across`, also defined at 180°, up to its sign
    axis = axis if axis @ across >= 0 else -axis
    return angle, tuple(float(part) for part in axis)
