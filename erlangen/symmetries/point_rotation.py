"""Rotation of points in the plane or in space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.symmetry import Symmetry

Matrix: TypeAlias = tuple[tuple[float, ...], ...]
PLANES = {2: ((0, 1),), 3: ((1, 2), (2, 0), (0, 1))}  # in space: those about the axes x, y, z


@dataclass(frozen=True)
class PointRotation(Symmetry):
    """SO(d) acts on points x (N, d), d = 2 or 3, about the origin: each row v becomes R·v. Other d have no elements.

    output: `scalar` where y stays as it is; `vector` where each row of y (N, d), or y (d,) itself, is a vector and turns along:
    an output of any other width then has no action.
    """

    output: Literal["scalar", "vector"] = "scalar"

    unit: ClassVar[str] = "degrees"

    @property
    def name(self) -> str:  # type: ignore[override]
        return "point-rotation" if self.output == "scalar" else "point-rotation-vector"

    def generators(self, x: Tensor) -> Sequence[Matrix]:
        """Quarter turns about each axis: they make up the rotations of a cube, and lose not a bit."""
        return [quarter(plane, x.shape[1]) for plane in PLANES.get(x.shape[1], ()) if len(x)]

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Matrix]:
        """Uniformly (Haar's measure)."""
        return [uniform(x.shape[1], rng) for _ in range(n)] if self.generators(x) else ()

    def act(self, x: Tensor, g: Matrix) -> Tensor:
        return turned(x, g)

    def act_output(self, y: Tensor, g: Matrix, x: Tensor) -> Tensor | None:
        if self.output == "scalar":
            return y
        return turned(y, g) if 1 <= y.ndim <= 2 and y.shape[-1] == len(g) else None

    def tangent(self, x: Tensor) -> Sequence[Tensor]:
        """dx/dt of a turn by t degrees in each plane (i, j): column j gains x_i·π/180, column i loses x_j·π/180."""
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


def turned(x: Tensor, g: Matrix) -> Tensor:
    """Rows of x (..., d) times g, in at least float32."""
    wide = torch.promote_types(x.dtype, torch.float32)
    return (x.to(wide) @ torch.tensor(g, dtype=wide, device=x.device).T).to(x.dtype)


def quarter(plane: tuple[int, int], d: int) -> Matrix:
    """Axis i of the plane (i, j) to axis j, and j to -i."""
    (i, j), matrix = plane, np.eye(d)
    matrix[i, i] = matrix[j, j] = 0.0
    matrix[j, i], matrix[i, j] = 1.0, -1.0
    return _rows(matrix)


def uniform(d: int, rng: np.random.Generator) -> Matrix:
    """Q of the QR decomposition of a normal matrix, R's diagonal positive (Mezzadri 2007), one axis mirrored if det Q is -1."""
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    q = q * np.sign(np.diag(r))
    q[:, 0] *= np.linalg.det(q).round()
    return _rows(q)


def _rows(matrix: np.ndarray) -> Matrix:
    return tuple(tuple(float(entry) for entry in row) for row in matrix)


def angle_and_axis(g: Matrix) -> tuple[float, tuple[float, ...]]:
    """The angle, 0 ... 180 degrees, and the axis, a unit vector; in the plane there is none: ()."""
    matrix = np.array(g)
    if len(matrix) == 2:
        return abs(math.degrees(math.atan2(g[1][0], g[0][0]))), ()
    across = np.array([g[2][1] - g[1][2], g[0][2] - g[2][0], g[1][0] - g[0][1]])  # 2·sin·axis
    angle = math.degrees(math.atan2(float(np.linalg.norm(across)), float(np.trace(matrix)) - 1))
    axis = np.linalg.eigh(matrix + matrix.T)[1][:, -1]  # unlike `across`, well-defined at 180° too, but for its sign
    axis = axis if axis @ across >= 0 else -axis
    return angle, tuple(float(part) for part in axis)
