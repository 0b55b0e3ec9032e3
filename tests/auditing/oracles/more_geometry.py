"""Strides wider than the share of a cell, and one number for each step, as models in PyPI packages have them."""

import torch
from auditing.oracles.case import BROKEN, EXACT, Case, served
from torch import Tensor, nn
from torch.nn import functional


def series(seed: int, dtype: torch.dtype, steps: int = 24) -> Tensor:
    rng = torch.Generator().manual_seed(7000 + seed)
    return torch.randn(12, 3, steps, generator=rng, dtype=torch.float64).to(dtype)


def margins(seed: int, dtype: torch.dtype) -> Tensor:
    """Something only in the middle, so that a shift loses nothing."""
    x = series(seed, dtype, 128)
    x[..., :40] = x[..., 88:] = 0
    return x


def pictures(seed: int, dtype: torch.dtype) -> Tensor:
    rng = torch.Generator().manual_seed(7100 + seed)
    x = torch.zeros(10, 1, 128, 128, dtype=torch.float64)
    x[..., 40:88, 40:88] = torch.randn(10, 1, 48, 48, generator=rng, dtype=torch.float64)
    return x.to(dtype)


class Numbers(nn.Module):
    """(B, T): a number for each step, or for each second one."""

    def __init__(self, causal: bool = False, stride: int = 1, zeros: bool = False) -> None:
        super().__init__()
        self.mix, self.out = nn.Conv1d(3, 8, 3), nn.Conv1d(8, 1, 1, stride=stride)
        self.causal, self.zeros = causal, zeros

    def forward(self, x: Tensor) -> Tensor:
        pad = (2, 0) if self.causal else (1, 1)
        padded = functional.pad(x, pad) if self.causal or self.zeros else functional.pad(x, pad, mode="circular")
        return self.out(self.mix(padded).relu())[:, 0]


def patches(dimensions: int) -> nn.Module:
    kind, channels = (nn.Conv1d, 3) if dimensions == 1 else (nn.Conv2d, 1)
    return nn.Sequential(kind(channels, 8, 16, stride=16, padding=8), nn.ReLU())


CASES = [
    Case(
        name="series: a number for each step", domain="series", build=lambda d: served(Numbers(), d), inputs=series,
        expected={"time-shift": EXACT, "causality": BROKEN},
    ),
    Case(
        name="series: a number for each second step", domain="series", build=lambda d: served(Numbers(stride=2), d),
        inputs=series, expected={"time-shift": EXACT},
    ),
    Case(
        name="series: a number for each step, zeros", domain="series", build=lambda d: served(Numbers(zeros=True), d),
        inputs=series, expected={"time-shift": frozenset([BROKEN, "undecided"]), "causality": BROKEN},
    ),
    Case(
        name="series: a number for each step, causal", domain="series", build=lambda d: served(Numbers(causal=True), d),
        inputs=series, expected={"causality": EXACT},
    ),
    Case(
        name="series: 16 steps a cell, padded", domain="series", build=lambda d: served(patches(1), d), inputs=margins,
        expected={"time-shift-zeros": EXACT},
    ),
    Case(
        name="images: 16 pixels a cell, padded", domain="images", build=lambda d: served(patches(2), d), inputs=pictures,
        expected={"translation-zeros": EXACT},
    ),
]  # fmt: skip
