"""Translation of time series by whole steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries import spectrum
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.translation import draw_shifts


@dataclass(frozen=True)
class TimeShift(Symmetry):
    """Shifts x (C, T) by g steps, to later times if g > 0: y (C', t) shifts by g·t/T; a vector (D,) or (C', 1) must not change.

    border: `circular` wraps around; `zeros` fills with 0, which loses steps. So g·x is then compared with g⁻¹·g·x, which has lost
    the same steps, and outputs are compared only where both show the same part of the series.
    stride: only multiples of it are drawn; `fitted` sets it to the smallest shift that moves y by whole steps.
    """

    border: Literal["circular", "zeros"] = "circular"
    stride: int = 1

    default: ClassVar[bool] = True
    unit: ClassVar[str] = "steps"
    advice: ClassVar[str] = (
        "Zero padding (for circular shifts), strides and flattening reveal when things happen. Pool over time, and pad "
        "circularly if the signal is periodic."
    )

    @property
    def name(self) -> str:  # type: ignore[override]
        return "time-shift" if self.border == "circular" else f"time-shift-{self.border}"

    def fitted(self, x: Tensor, y: Tensor) -> TimeShift:
        """Restricted to multiples of T / gcd(T, t); unchanged if there is no such shift."""
        if not in_time(y):
            return self
        restricted = replace(self, stride=x.shape[1] // math.gcd(x.shape[1], y.shape[1]))
        return restricted if restricted.generators(x) else self

    def generators(self, x: Tensor) -> Sequence[int]:
        """One stride."""
        return [self.stride] if self.most(x) else ()

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[int]:
        """Distinct shifts, uniformly: over the whole circle, or up to a quarter of T (zeros)."""
        most = self.most(x)
        if not most:
            return ()
        least = -most if self.border == "zeros" else most - x.shape[1] // self.stride + 1
        return [steps for _, steps in draw_shifts((0, 0), (least, most), (1, self.stride), n, rng)]

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
        """y moved by g·t/T; None if that is not a whole number, or if y has more axes than (C', t)."""
        if not in_time(y):
            return y if y.ndim <= 2 else None
        by, rest = divmod(g * y.shape[1], x.shape[1])
        return None if rest else self.act(y, by)

    def align(self, y: Tensor, y_g: Tensor, g: int, x: Tensor) -> tuple[Tensor, Tensor] | None:
        expected = self.act_output(y, g, x)
        if expected is None or self.border == "circular" or not in_time(y) or y_g.shape != y.shape:
            return None if expected is None else (expected, y_g)
        by, steps = g * y.shape[1] // x.shape[1], y.shape[1]
        kept = slice(max(by, 0), max(steps + min(by, 0), 0))
        return expected[:, kept], y_g[:, kept]

    def tangent(self, x: Tensor) -> Sequence[Tensor]:
        """-∂x/∂step of x as a sum of waves; () for zero-filled or strided shifts."""
        if self.border != "circular" or self.stride != 1:
            return ()
        return (-spectrum.gradient(x[:, None])[1][:, 0],)

    def size(self, g: int) -> float:
        return float(abs(g))

    def label(self, g: int) -> str:
        return f"{abs(g)} step{'s' if abs(g) > 1 else ''} {'later' if g > 0 else 'earlier'}"


def in_time(y: Tensor) -> bool:
    """Whether y (C', t) has more than one step."""
    return y.ndim == 2 and y.shape[1] > 1
