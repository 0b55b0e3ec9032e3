"""Attention with the whole matrix of weights, and the bias that hides keys from queries."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from erlangen.nn.dropout import dropout

HIDDEN = float("-inf")


def naive_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, p: float = 0.0) -> tuple[Tensor, Tensor]:
    """q (B, H, Tq, d) and k, v (B, H, Tk, d) -> output (B, H, Tq, d) and weights (B, H, Tq, Tk).

    bias: (Tq, Tk) or (H, Tq, Tk), -inf for hidden keys. p: dropout of the weights; the returned weights are without dropout.
    """
    scores = (q * (1 / math.sqrt(q.shape[-1]))) @ k.mT  # (B, H, Tq, Tk)
    weights = (scores if bias is None else scores + bias.to(scores.dtype)).softmax(-1)
    return dropout(weights, p, p > 0) @ v, weights


def hide(distance: Tensor, window: int | None) -> Tensor:
    """float32 of the shape of `distance`: 0 if the query sees a key this far back, -inf if it is ahead or outside the window."""
    seen = distance >= 0 if window is None else (distance >= 0) & (distance < window)
    return torch.zeros(distance.shape, device=distance.device).masked_fill_(~seen, HIDDEN)
