"""Translation of time series by whole steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries import spectrum
from erlangen.symmetries.grid import shift_pair, stride
from erlangen.symmetries.layout import readings_of
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.symmetry import Symmetry, check_choice, check_least
from erlangen.symmetries.translation import Border, Translation, describe_scope, draw_shifts


@dataclass(frozen=True)
class TimeShift(Symmetry):
    """Shifts x (C, T) by g steps, to later times if g > 0: y (C', t) shifts by g / s; a vector (D,) or (C', 1) must not change.

    The stride s of y is T/t, or a whole number that a convolution without padding may have: see `layout`.

    border: `circular` wraps around; `zeros` fills with 0, which loses steps. So g·x is then compared with g⁻¹·g·x, which has lost
    the same steps, and outputs are compared only where both show the same part of the series.
    stride: only multiples of it are drawn; `fitted` sets it to the smallest shift that moves y by whole steps.
    reading: how outputs are read; by default, as (C', t), or as rows (T, D) if only these have the length of the series.

    Raises ValueError for another border, or a stride below 1.
    """

    border: Border = "circular"
    stride: int = 1
    reading: Reading | None = None

    default: ClassVar[bool] = True
    informational: ClassVar[bool] = True
    unit: ClassVar[str] = "steps"
    advice: ClassVar[str] = (
        "Zero padding (for circular shifts), strides and flattening reveal when things happen. Pool over time, and pad "
        "circularly if the signal is periodic."
    )

    def __post_init__(self) -> None:
        check_choice(type(self), "border", self.border, Border)
        check_least(type(self), "stride", self.stride, 1)

    @property
    def name(self) -> str:  # type: ignore[override]
        return "time-shift" if self.border == "circular" else f"time-shift-{self.border}"

    def fitted(self, x: Tensor, y: Tensor) -> TimeShift:
        """Restricted to shifts by whole steps of y; unchanged if there is no such shift."""
        restricted = replace(self, stride=stride(y, x, self.reading)[1])
        return restricted if restricted.generators(x) else self

    def readings(self, x: Tensor, y: Tensor) -> Sequence[TimeShift]:
        return [replace(self, reading=reading) for reading in readings_of(y, x)]

    def generators(self, x: Tensor) -> Sequence[int]:
        """One stride."""
        return [self.stride] if self.most(x) else ()

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[int]:
        """Distinct shifts, uniformly: over the whole circle, or up to a quarter of T (zeros)."""
        most = self.most(x)
        if not most:
            return ()
        least = -most if self.border == "zeros" else most - x.shape[1] // self.stride + 1
        return [steps for _, steps in draw_shifts([(0, 0), (least, most)], (1, self.stride), n, rng)]

    def most(self, x: Tensor) -> int:
        """The longest shift, in strides."""
        steps = x.shape[1]
        if self.border == "circular":
            return steps // self.stride // 2
        return int(
            (steps // 4 if self.stride <= steps // 4 else steps // 2) // self.stride
        )  # one long stride, if half of the series stays

    def act(self, x: Tensor, g: int) -> Tensor:
        moved = torch.roll(x, g, dims=1)
        if self.border == "zeros":
            moved[:, : max(g, 0)] = 0
            moved[:, max(x.shape[1] + min(g, 0), 0) :] = 0
        return moved

    def reference(self, x: Tensor, g: int) -> Tensor:
        return x if self.border == "circular" else self.act(self.act(x, g), -g)

    def act_output(self, y: Tensor, g: int, x: Tensor) -> Tensor | None:
        """y moved by g steps of x; None if that is no whole number of its own, or if y does not wrap around as x does."""
        return Translation(self.border, reading=self.reading).act_output(y, (0, g), x)

    def align(self, y: Tensor, y_g: Tensor, g: int, x: Tensor) -> tuple[Tensor, Tensor] | None:
        return shift_pair(y, y_g, (0, g), x, self.border == "circular", self.reading)

    def scope(self, x: Tensor) -> str:
        return describe_scope((1, self.stride), self.reading, "steps")

    def tangent(self, x: Tensor) -> Sequence[Tensor]:
        """-∂x/∂step of x as a sum of waves; () for zero-filled or strided shifts."""
        if self.border != "circular" or self.stride != 1:
            return ()
        return (-spectrum.gradient(x[:, None])[1][:, 0],)

    def size(self, g: int) -> float:
        return float(abs(g))

    def label(self, g: int) -> str:
        return f"{abs(g)} step{'s' if abs(g) > 1 else ''} {'later' if g > 0 else 'earlier'}"
