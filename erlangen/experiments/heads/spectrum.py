"""How many directions a matrix uses: its effective rank, beside its exact one.

    p_i = σ_i / Σ_j σ_j,   effective rank = exp(-Σ_i p_i log p_i)

It lies between 1 and the rank: 1 for an outer product, r for r equal singular values. The rank itself counts singular values
above rounding, however small. `energy_rank` is the same of σ², which weighs large singular values more.
Source: Roy & Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007.
"""

from __future__ import annotations

import torch
from torch import Tensor


def effective_rank(matrices: Tensor) -> Tensor:
    """(..., n, d) -> (...,) float64: exp of the entropy of the singular values' shares. NaN for a matrix of zeros."""
    return exp_entropy(torch.linalg.svdvals(matrices.double()))


def energy_rank(matrices: Tensor) -> Tensor:
    """(..., n, d) -> (...,) float64: exp of the entropy of the squared singular values' shares. NaN for a matrix of zeros."""
    return exp_entropy(torch.linalg.svdvals(matrices.double()).square())


def exp_entropy(weights: Tensor) -> Tensor:
    """exp(-Σ p log p) of the shares p of nonnegative weights (..., k) -> (...,)."""
    shares = weights / weights.sum(-1, keepdim=True)
    return torch.exp(-torch.special.xlogy(shares, shares).sum(-1))
