"""Translation of points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.symmetry import Symmetry

Offset: TypeAlias = tuple[float, ...]


@dataclass(frozen=True)
class PointTranslation(Symmetry):
    """R^d shifts all points x (N, d) by one vector; y must not change.

    g (d,) is in units of the spread of x: the RMS distance of its points from their mean, or 1 if all points coincide.
    """

    name: ClassVar[str] = "point-translation"
    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    unit: ClassVar[str] = "spreads of the points"
    advice: ClassVar[str] = "Subtract the center of each cloud before the model."

    def generators(self, x: Tensor) -> Sequence[Offset]:
        """One spread along each axis."""
        return [tuple(float(axis == k) for k in range(x.shape[1])) for axis in range(x.shape[1])] if len(x) else ()

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Offset]:
        """Random directions with lengths of 0.1 to 10 spreads, uniform in their logarithm."""
        if not x.numel():
            return ()
        ways, lengths = rng.standard_normal((n, x.shape[1])), 10 ** rng.uniform(-1, 1, n)
        ways *= (lengths / np.linalg.norm(ways, axis=1))[:, None]
        return [tuple(float(part) for part in way) for way in ways]

    def act(self, x: Tensor, g: Offset) -> Tensor:
        """x + g·spread, computed in at least float32."""
        wide = torch.promote_types(x.dtype, torch.float32)
        return (x.to(wide) + torch.tensor(g, dtype=wide, device=x.device) * spread(x)).to(x.dtype)

    def tangent(self, x: Tensor) -> Sequence[Tensor]:
        """One spread along each axis, the same for every point."""
        return [torch.tensor(g, dtype=x.dtype, device=x.device).expand_as(x) * spread(x) for g in self.generators(x)]

    def size(self, g: Offset) -> float:
        return math.hypot(*g)

    def label(self, g: Offset) -> str:
        return "by (" + ", ".join(f"{part:.3g}" for part in g) + ") spreads"


def spread(x: Tensor) -> float:
    """√(mean_i |x_i - x̄|²) of points x (N, d); 1 if all points coincide."""
    wide = x.double()
    distance = float((wide - wide.mean(0)).square().sum(1).mean().sqrt())
    return distance if distance > 0 else 1.0
