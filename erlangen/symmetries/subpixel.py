"""Translation of images by fractions of a pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import numpy as np
from torch import Tensor

from erlangen.symmetries import spectrum
from erlangen.symmetries.grid import to_map
from erlangen.symmetries.layout import layout_of, readings_of
from erlangen.symmetries.motion import Motion, shift
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.sampling import relative_change
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.translation import Translation, describe_scope, describe_shift

Offset: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class SubpixelTranslation(Symmetry):
    """Shifts g = (dy, dx) by fractions of a pixel, down and to the right, wrapped around: wave k of x times e^(-2πi k g/H).

    This is a group action on images without the wave of period two pixels, which a half-pixel shift erases. So g·x is compared
    with x without that wave, and `loss` is its size. Like every exact interpolation, it overshoots at edges: natural images
    look slightly sharper. Only shifts by whole cells act on a map, so only a map finer than the image has subpixel shifts.

    step: the smallest shift that acts, in pixels; by default, every shift does. reading: how outputs are read; by default, in the
    likeliest way.
    """

    step: Offset | None = None
    reading: Reading | None = None

    name: ClassVar[str] = "translation-subpixel"
    unit: ClassVar[str] = "pixels"
    advice: ClassVar[str] = "Subsampling aliases fine detail. Blur before each stride, and prefer smooth activation functions."

    def fitted(self, x: Tensor, y: Tensor) -> SubpixelTranslation:
        """Restricted to shifts by whole cells of y that are not whole pixels; unchanged if there are none."""
        layout = layout_of(y, x, self.reading)
        if layout is None or to_map(y, x, self.reading) is None:
            return self
        restricted = replace(self, step=(float(layout.stride[0]), float(layout.stride[1])))
        return restricted if restricted.generators(x) else self

    def readings(self, x: Tensor, y: Tensor) -> Sequence[SubpixelTranslation]:
        return [replace(self, reading=reading) for reading in readings_of(y, x)]

    def generators(self, x: Tensor) -> Sequence[Offset]:
        """Half a pixel, or one step, along each axis."""
        down, right = self.step or (0.5, 0.5)
        return [g for g in ((0.0, right), (down, 0.0)) if is_fractional(g) and self.is_short(x, g)]

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Offset]:
        """Uniformly, less than a pixel along each axis; with a step, multiples of it up to a quarter of each side."""
        if self.step is None:
            return [(float(down), float(right)) for down, right in rng.uniform(-1, 1, (n, 2))]
        down, right = self.step
        most = [int(side / 4 // step) for side, step in zip(x.shape[-2:], self.step, strict=True)]
        candidates = [(i * down, j * right) for i in range(-most[0], most[0] + 1) for j in range(-most[1], most[1] + 1)]
        candidates = [g for g in candidates if is_fractional(g)]
        return [candidates[int(place)] for place in rng.permutation(len(candidates))[:n]]

    def is_short(self, x: Tensor, g: Offset) -> bool:
        """Whether a shift is at most a quarter of each side, or at most one pixel."""
        return all(pixels <= max(side / 4, 1) for pixels, side in zip(g, x.shape[-2:], strict=True))

    def act(self, x: Tensor, g: Offset) -> Tensor:
        return spectrum.shifted(x, g)

    def reference(self, x: Tensor, g: Offset) -> Tensor:
        return spectrum.shifted(x, (0.0, 0.0))

    def act_output(self, y: Tensor, g: Offset, x: Tensor) -> Tensor | None:
        """y moved by g·h/H cells; None if that is not a whole number."""
        return Translation(reading=self.reading).act_output(y, g, x)

    def align(self, y: Tensor, y_g: Tensor, g: Offset, x: Tensor) -> tuple[Tensor, Tensor] | None:
        return Translation(reading=self.reading).align(y, y_g, g, x)

    def motion(self, x: Tensor, g: Offset) -> Motion:
        return shift(x, g, "circular")

    def scope(self, x: Tensor) -> str:
        return describe_scope((1, 1), self.reading, "px")

    def loss(self, x: Tensor, g: Offset) -> float:
        """RMS of the waves of period two pixels, in units of the spread of x. The reference lacks them too."""
        return relative_change(x, self.reference(x, g))

    def tangent(self, x: Tensor) -> Sequence[Tensor]:
        """-∂x/∂row and -∂x/∂column per pixel; () if only multiples of a step act."""
        return Translation().tangent(x) if self.step is None else ()

    def size(self, g: Offset) -> float:
        return math.hypot(*g)

    def label(self, g: Offset) -> str:
        return describe_shift(g)


def is_fractional(g: Offset) -> bool:
    """Whether g moves a pixel to a place between pixels."""
    return any(abs(pixels - round(pixels)) > 1e-9 for pixels in g)
