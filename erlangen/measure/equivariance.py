"""How far an output moves when the input is transformed."""

from __future__ import annotations

import torch
from torch import Tensor


def relative_change(expected: Tensor, actual: Tensor) -> Tensor:
    """Error of each pair over the spread of the expected outputs, (N,).

        e_n = ‖actual_n - expected_n‖ / √(mean_m ‖expected_m - mean expected‖²)

    0: unchanged; 1: changed as much as outputs of different inputs differ. The spread, not ‖expected‖, is the yardstick: a large
    constant part would hide any change. NaN where the expected outputs do not vary at all. Both (N, ...); raises ValueError
    where their shapes differ.
    """
    if expected.shape != actual.shape:
        raise ValueError(f"relative_change: expected {tuple(expected.shape)} and actual {tuple(actual.shape)} differ in shape")
    expected, actual = expected.flatten(1).double(), actual.flatten(1).double()  # (N, d)
    spread = (expected - expected.mean(0)).square().sum(1).mean().sqrt()
    error = (actual - expected).square().sum(1).sqrt()
    constant = bool((expected == expected[:1]).all())  # asked exactly: the mean of equal numbers is rounded
    return torch.full_like(error, float("nan")) if constant else error / spread


def flipped(expected: Tensor, actual: Tensor) -> Tensor:
    """Whether the predicted class changed, (N,) bool; logits (N, classes)."""
    return expected.argmax(1) != actual.argmax(1)
