"""Translation of what a model sees: a window moved over a larger picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import Tensor

from erlangen.symmetries.grid import stride
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.translation import Shift, Translation, drawn, in_words, overlapping


@dataclass(frozen=True)
class CroppedTranslation(Symmetry):
    """The model sees a window of the image; an element g = (dy, dx) moves the picture down and to the right behind the window.

    Nothing is lost and nothing made up: new content comes in at the border, as when a camera pans. g·x is the window moved by
    -g, compared with the window at the center. What comes in may rightly change an output, a vector above all: only an error far
    above that of other models says something. Maps are compared where both windows show the same, and can be exact.
    window: its sides, for models of one input size; None: about seven eighths of the image's.
    Source: the shift consistency of Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019.
    """

    window: Shift | None = None
    stride: Shift = (1, 1)

    name: ClassVar[str] = "translation-crop"
    unit: ClassVar[str] = "pixels"

    def seen(self, x: Tensor) -> Shift:
        """Sides of the window."""
        if self.window is not None:
            return self.window
        rows, columns = (roomy(side, step) for side, step in zip(x.shape[-2:], self.stride, strict=True))
        return rows, columns

    def margins(self, x: Tensor) -> tuple[range, range]:
        """The shifts along each axis that keep the window inside the image and are whole strides."""
        rows, columns = (
            range(-((side - window - (side - window) // 2) // step) * step, (side - window) // 2 + 1, step)
            for side, window, step in zip(x.shape[-2:], self.seen(x), self.stride, strict=True)
        )
        return rows, columns

    def fitted(self, x: Tensor, y: Tensor) -> CroppedTranslation:
        """Shifts by whole cells of y, the output of the whole image; where no shift is, this symmetry as it is."""
        restricted = replace(self, stride=stride(y, x))
        return restricted if restricted.generators(x) else self

    def generators(self, x: Tensor) -> Sequence[Shift]:
        """One stride along each axis, where the window has room for it."""
        rows, columns = self.margins(x)
        candidates = (((0, self.stride[1]), columns), ((self.stride[0], 0), rows))
        return [g for g, room in candidates if max(g) in room]

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Shift]:
        """Different ones, uniformly, of all that keep the window inside."""
        rows, columns = self.margins(x)
        (up, down), (left, right) = ((room[0] // room.step, room[-1] // room.step) for room in (rows, columns))
        return drawn((up, down), (left, right), self.stride, n, rng)

    def act(self, x: Tensor, g: Shift) -> Tensor:
        """The window of x (..., H, W) moved by -g. Raises ValueError where that leaves the image."""
        corner = []
        for side, window, shift in zip(x.shape[-2:], self.seen(x), g, strict=True):
            start = (side - window) // 2 - shift
            if not 0 <= start <= side - window:
                raise ValueError(
                    f"a window {self.seen(x)} moved by {g} leaves the image {tuple(x.shape[-2:])}: use a smaller shift"
                )
            corner.append(slice(start, start + window))
        return x[..., corner[0], corner[1]].clone()

    def reference(self, x: Tensor, g: Shift) -> Tensor:
        return self.act(x, (0, 0))

    def act_output(self, y: Tensor, g: Shift, x: Tensor) -> Tensor | None:
        """y moved by g·h/H cells, H the window's side, black where nothing is known; None where that is not whole."""
        return Translation("zeros").act_output(y, g, self.reference(x, g))

    def align(self, y: Tensor, y_g: Tensor, g: Shift, x: Tensor) -> tuple[Tensor, Tensor] | None:
        return overlapping(y, y_g, g, self.reference(x, g))

    def size(self, g: Shift) -> float:
        return math.hypot(*g)

    def label(self, g: Shift) -> str:
        return in_words(g)


def roomy(side: int, step: int) -> int:
    """Seven eighths of a side, less where a step would not fit beside it (but half of it stays), in whole steps.

    Rounded down to steps times the largest power of two within an eighth: what strides of a model would cut unevenly.
    """
    longest = side * 7 // 8
    if side - 2 * step >= side / 2:
        longest = min(longest, side - 2 * step)
    multiple = step << max(math.floor(math.log2(side / 8 / step)), 0)
    return max(longest // multiple, 1) * multiple
