"""Translation by cropping: a window that moves over a larger picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import Tensor

from erlangen.symmetries.grid import shift_pair, stride
from erlangen.symmetries.layout import readings_of
from erlangen.symmetries.motion import Motion, shift
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.symmetry import Symmetry, check_least
from erlangen.symmetries.translation import Shift, Translation, describe_scope, describe_shift, draw_shifts


@dataclass(frozen=True)
class CroppedTranslation(Symmetry):
    """The model sees a window of the image; an element g = (dy, dx) moves the picture down and to the right behind the window.

    Nothing is lost or made up: new content enters at the border, as when a camera pans. g·x is the window moved by -g, and it is
    compared with the window at the center. The new content may rightly change the output, above all if that is a vector: an error
    means something only if it is far above that of other models. Maps are compared where both windows show the same picture, and
    can be exact.

    window: its height and width, for models of one input size; by default, about seven eighths of the image.
    reading: how outputs are read; by default, in the likeliest way.
    Raises ValueError for a stride or a window below 1.
    Source: shift consistency as in Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019.
    """

    window: Shift | None = None
    stride: Shift = (1, 1)
    reading: Reading | None = None

    name: ClassVar[str] = "translation-crop"
    unit: ClassVar[str] = "pixels"
    advice: ClassVar[str] = "Blur before each subsampling layer, and train with random crops."

    def __post_init__(self) -> None:
        check_least(type(self), "stride", self.stride, 1)
        check_least(type(self), "window", self.window or (1, 1), 1)

    def window_sides(self, x: Tensor) -> Shift:
        """Height and width of the window."""
        if self.window is not None:
            return self.window
        rows, columns = (window_side(side, step) for side, step in zip(x.shape[-2:], self.stride, strict=True))
        return rows, columns

    def shift_ranges(self, x: Tensor) -> tuple[range, range]:
        """The shifts along each axis that are whole strides and keep the window inside the image."""
        rows, columns = (
            range(-((side - window - (side - window) // 2) // step) * step, (side - window) // 2 + 1, step)
            for side, window, step in zip(x.shape[-2:], self.window_sides(x), self.stride, strict=True)
        )
        return rows, columns

    def fitted(self, x: Tensor, y: Tensor) -> CroppedTranslation:
        """Restricted to shifts by whole cells of y, the output for the whole image; unchanged if there is no such shift."""
        restricted = replace(self, stride=stride(y, x, self.reading))
        return restricted if restricted.generators(x) else self

    def readings(self, x: Tensor, y: Tensor) -> Sequence[CroppedTranslation]:
        return [replace(self, reading=reading) for reading in readings_of(y, x)]

    def generators(self, x: Tensor) -> Sequence[Shift]:
        """One stride along each axis, where the window has room to move."""
        rows, columns = self.shift_ranges(x)
        candidates = (((0, self.stride[1]), columns), ((self.stride[0], 0), rows))
        return [g for g, room in candidates if max(g) in room]

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Shift]:
        """Distinct shifts, uniformly among those that keep the window inside the image."""
        rows, columns = self.shift_ranges(x)
        (up, down), (left, right) = ((room[0] // room.step, room[-1] // room.step) for room in (rows, columns))
        return draw_shifts([(up, down), (left, right)], self.stride, n, rng)

    def act(self, x: Tensor, g: Shift) -> Tensor:
        """The window of x (..., H, W) moved by -g. Raises ValueError if it leaves the image."""
        corner = []
        for side, window, by in zip(x.shape[-2:], self.window_sides(x), g, strict=True):
            start = (side - window) // 2 - by
            if not 0 <= start <= side - window:
                raise ValueError(
                    f"a window {self.window_sides(x)} moved by {g} leaves the image {tuple(x.shape[-2:])}: use a smaller shift"
                )
            corner.append(slice(start, start + window))
        return x[..., corner[0], corner[1]].clone()

    def reference(self, x: Tensor, g: Shift) -> Tensor:
        return self.act(x, (0, 0))

    def act_output(self, y: Tensor, g: Shift, x: Tensor) -> Tensor | None:
        """y moved by g·h/H cells, H the side of the window and 0 where it is unknown; None if that is not a whole number."""
        return Translation("zeros", reading=self.reading).act_output(y, g, self.reference(x, g))

    def align(self, y: Tensor, y_g: Tensor, g: Shift, x: Tensor) -> tuple[Tensor, Tensor] | None:
        return shift_pair(y, y_g, g, self.reference(x, g), circular=False, reading=self.reading)

    def motion(self, x: Tensor, g: Shift) -> Motion:
        return shift(self.reference(x, g), (g[0], g[1]), "cut")

    def scope(self, x: Tensor) -> str:
        return describe_scope(self.stride, self.reading, "px")

    def size(self, g: Shift) -> float:
        return math.hypot(*g)

    def label(self, g: Shift) -> str:
        return describe_shift(g)


def window_side(side: int, step: int) -> int:
    """Seven eighths of a side; less (but at least half) where one step would not fit beside that.

    The result is rounded down to a multiple of the step times the largest power of two within an eighth of the side, so that a
    model's strides divide it evenly.
    """
    longest = side * 7 // 8
    if side - 2 * step >= side / 2:
        longest = min(longest, side - 2 * step)
    multiple = step << max(math.floor(math.log2(side / 8 / step)), 0)
    return max(longest // multiple, 1) * multiple
