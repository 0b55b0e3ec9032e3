"""Zooming into and out of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import numpy as np
from torch import Tensor

from erlangen.symmetries.grid import on_grid
from erlangen.symmetries.layout import readings_of
from erlangen.symmetries.motion import Motion, about
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.sampling import center, fade, interpolate, offsets, radius, relative_change
from erlangen.symmetries.symmetry import Symmetry, check_least

Factors: TypeAlias = tuple[float, float]
LEAST = 1.02  # a smaller zoom moves no pixel of a small image noticeably


@dataclass(frozen=True)
class Scale(Symmetry):
    """Zooming about the center. An element is a pair of factors (a, b), enlarging if above 1: g = b / a.

    No zoom of pixels is exact, and a model would see the blur. So a picture zoomed by b = √g is compared with one zoomed by
    a = 1/√g: bilinear weights blur both about equally. Outside a disk that stays inside the image at the largest factor, both
    fade to the mean of the picture, so that every factor shows the same content. There are no generators and no zoom acts on a
    map: only models with vector outputs can be judged, and never as exact.

    most: g is drawn from 1 / most to most. reading: how outputs are read; by default, in the likeliest way.

    Raises ValueError if `most` leaves no zoom to draw.
    """

    most: float = 1.5
    reading: Reading | None = None

    name: ClassVar[str] = "scale"
    unit: ClassVar[str] = "octaves"
    advice: ClassVar[str] = "Train with images at several scales."

    def __post_init__(self) -> None:
        check_least(type(self), "most", self.most, LEAST)

    def readings(self, x: Tensor, y: Tensor) -> Sequence[Scale]:
        return [replace(self, reading=reading) for reading in readings_of(y, x, strides=False)]

    def generators(self, x: Tensor) -> Sequence[Factors]:
        return ()

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Factors]:
        """log g uniform between ± log `most`, without factors too close to 1."""
        halves = rng.uniform(math.log(LEAST), math.log(self.most), n) * rng.choice((-0.5, 0.5), n)
        return [(math.exp(-half), math.exp(half)) for half in halves]

    def act(self, x: Tensor, g: Factors) -> Tensor:
        return self.zoom(x, g[1])

    def reference(self, x: Tensor, g: Factors) -> Tensor:
        return self.zoom(x, g[0])

    def act_output(self, y: Tensor, g: Factors, x: Tensor) -> Tensor | None:
        """y if it is a vector; None for maps and tokens."""
        return on_grid(y, x, lambda cells: None, self.reading)

    def motion(self, x: Tensor, g: Factors) -> Motion:
        (row, column), factor = center(x), g[1] / g[0]
        return about(x, (row + 0.5, column + 0.5), ((factor, 0.0), (0.0, factor)))

    def scope(self, x: Tensor) -> str:
        return "" if self.reading is None else str(self.reading)

    def loss(self, x: Tensor, g: Factors) -> float:
        """RMS change within the disk after zooming and zooming back, in units of the spread there; the larger of a's and b's."""
        picture = fade(x, self.reach(x))[1]  # 0 outside the disk and on average, so the whole image gives the same ratio
        return max(relative_change(picture, zoom_in_disk(zoom_in_disk(picture, factor), 1 / factor)) for factor in g)

    def reach(self, x: Tensor) -> float:
        """Radius of the disk that just fits into the image at the largest factor."""
        return radius(x) / math.sqrt(self.most)

    def zoom(self, x: Tensor, factor: float) -> Tensor:
        """x (C, H, W), faded to its mean outside the disk and zoomed by a factor."""
        mean, picture = fade(x, self.reach(x))
        return (mean + zoom_in_disk(picture, factor)).to(x.dtype)

    def size(self, g: Factors) -> float:
        return abs(math.log2(g[1] / g[0]))

    def label(self, g: Factors) -> str:
        return f"zoom by {g[1] / g[0]:.3g}, from {g[0]:.3g} to {g[1]:.3g}"


def zoom_in_disk(picture: Tensor, factor: float) -> Tensor:
    """A picture (C, H, W), 0 outside its disk, zoomed: pixel (u, v) from the center is read at (u, v) / factor."""
    (u, v), (row, column) = offsets(picture), center(picture)
    return interpolate(picture, u / factor + row, v / factor + column)
