"""Attention scores with and without the scale, and how concentrated the attention is that they give."""

from __future__ import annotations

import math

from torch import Tensor

from erlangen.experiments.attention_scale.tasks import Arm


def factor(arm: Arm, width: int) -> float:
    """What the products of queries and keys are multiplied by: 1/√d in the scaled arm, 1 in the others."""
    return 1 / math.sqrt(width) if arm == "scaled" else 1.0


def scores(q: Tensor, k: Tensor, arm: Arm) -> Tensor:
    """s_ij = factor · q_i · k_j: q (..., n, d), k (..., m, d) -> (..., n, m)."""
    return factor(arm, q.shape[-1]) * (q @ k.mT)


def entropy(weights: Tensor) -> Tensor:
    """H = -Σ_j p_j ln p_j in nats: weights (..., m) that sum to 1 -> (...). Between 0, one key, and ln m, all keys alike."""
    return weights.xlogy(weights).sum(-1).neg()
