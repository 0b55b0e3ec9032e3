"""Attention with the whole matrix of weights, and the bias that hides keys from queries."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from erlangen.nn.dropout import dropout

HIDDEN = float("-inf")


def naive_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, p: float = 0.0) -> tuple[Tensor, Tensor]:
    """q (B, H, Tq, d) and k, v (B, H or a divisor, Tk, d) -> output (B, H, Tq, d) and weights (B, H, Tq, Tk).

    bias: (Tq, Tk), (H, Tq, Tk) or (B, 1 or H, Tq, Tk), -inf for hidden keys. p: dropout of the weights; the returned
    weights are without dropout.
    """
    n = q.shape[1] // k.shape[1]  # heads of queries that share a head of keys
    scores = _split(_merged(q * (1 / math.sqrt(q.shape[-1])), n) @ k.mT, n)  # (B, H, Tq, Tk)
    weights = (scores if bias is None else scores + bias.to(scores.dtype)).softmax(-1)
    return _split(_merged(dropout(weights, p, p > 0), n) @ v, n), weights


def _merged(x: Tensor, n: int) -> Tensor:
    """(B, H, T, ...) -> (B, H / n, n T, ...): what n heads have in a row, so that keys and values need not be repeated."""
    return x if n == 1 else torch.unflatten(x, 1, (-1, n)).flatten(2, 3)


def _split(x: Tensor, n: int) -> Tensor:
    """The inverse of `_merged`."""
    return x if n == 1 else torch.unflatten(x, 2, (n, -1)).flatten(1, 2)


def repeat_heads(x: Tensor, heads: int) -> Tensor:
    """Keys or values (B, H', T, d) with each head repeated for the heads of queries that share it: (B, heads, T, d)."""
    return x if x.shape[1] == heads else x.repeat_interleave(heads // x.shape[1], 1)


def hide(distance: Tensor, window: int | None) -> Tensor:
    """float32 of the shape of `distance`: 0 if the query sees a key this far back, -inf if it is ahead or outside the window."""
    seen = distance >= 0 if window is None else (distance >= 0) & (distance < window)
    return torch.zeros(distance.shape, device=distance.device).masked_fill_(~seen, HIDDEN)
