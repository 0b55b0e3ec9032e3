"""How much an output changes when the input is transformed."""

from __future__ import annotations

import torch
from torch import Tensor


def relative_change(expected: Tensor, actual: Tensor) -> Tensor:
    """The error of each pair, relative to the spread of the expected outputs, (N,).

        e_n = ‖actual_n - expected_n‖ / √(mean_m ‖expected_m - mean expected‖²)

    expected, actual (N, ...). 0: unchanged; 1: changed by as much as the outputs of different inputs differ. The error is
    relative to the spread and not to ‖expected‖, because a large constant part would hide any change. NaN if the expected outputs
    do not vary at all. Raises ValueError if the shapes differ.
    """
    if expected.shape != actual.shape:
        raise ValueError(
            f"relative_change: expected has shape {tuple(expected.shape)}, but actual has {tuple(actual.shape)}: they must agree"
        )
    expected, actual = expected.flatten(1).double(), actual.flatten(1).double()  # (N, d)
    spread = (expected - expected.mean(0)).square().sum(1).mean().sqrt()
    error = (actual - expected).square().sum(1).sqrt()
    constant = bool((expected == expected[:1]).all())  # compared exactly, because the mean of equal numbers is rounded
    return torch.full_like(error, float("nan")) if constant else error / spread


def flipped(expected: Tensor, actual: Tensor) -> Tensor:
    """Whether the predicted class changed, (N,) bool; logits (N, classes)."""
    return expected.argmax(1) != actual.argmax(1)
