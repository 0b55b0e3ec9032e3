"""Brightness and contrast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from torch import Tensor

from erlangen.symmetries.motion import Motion, still
from erlangen.symmetries.symmetry import Symmetry, check_least

Gain: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Intensity(Symmetry):
    """The group of maps x → a·x + b with a > 0. An element is g = (a, b); g after (a', b') is (a·a', a·b' + b).

    Outputs must not change. Values may leave the range of an image file, since the model is tested, not the file.

    contrast: a is drawn from 1 / contrast to contrast. brightness: the largest |b| drawn, in units of the spread of x.

    Raises ValueError for a contrast below 1 or a negative brightness.
    """

    contrast: float = 1.5
    brightness: float = 0.5

    name: ClassVar[str] = "intensity"
    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    advice: ClassVar[str] = (
        "Normalize each input by its own mean and standard deviation, or train with varied brightness and contrast."
    )

    def __post_init__(self) -> None:
        check_least(type(self), "contrast", self.contrast, 1)
        check_least(type(self), "brightness", self.brightness, 0)

    def generators(self, x: Tensor) -> Sequence[Gain]:
        """Half the contrast, which is exact in floating point, and an increase in brightness by a quarter of the spread."""
        return [g for g in ((0.5, 0.0), (1.0, spread(x) / 4)) if g[1] or bool(x.any())]

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Gain]:
        """log a and b, uniformly."""
        gains = np.exp(rng.uniform(-1, 1, n) * np.log(self.contrast))
        offsets = rng.uniform(-1, 1, n) * self.brightness * spread(x)
        return [(float(a), float(b)) for a, b in zip(gains, offsets, strict=True) if (a, b) != (1, 0)]

    def act(self, x: Tensor, g: Gain) -> Tensor:
        """a·x + b, in the precision of x."""
        return x * g[0] + g[1]

    def motion(self, x: Tensor, g: Gain) -> Motion:
        return still(x)

    def label(self, g: Gain) -> str:
        return f"{g[0]:.3g}·x {'-' if g[1] < 0 else '+'} {abs(g[1]):.3g}"


def spread(x: Tensor) -> float:
    """RMS(x - mean x), the spread of x; 1 if x is constant."""
    x = x.double()
    return float((x - x.mean()).square().mean().sqrt()) or 1.0
