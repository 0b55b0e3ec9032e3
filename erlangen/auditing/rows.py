"""Outputs as rows of real numbers, in which errors are measured.

Complex numbers become two real ones. Integers and booleans are names of classes, not amounts: each becomes a code of ±1, so that
two different ones are equally far apart, whatever their values: RMS(code(a) - code(b)) ≈ √2 for a ≠ b, and 0 for a = b.
"""

from __future__ import annotations

import torch
from torch import Tensor

BITS = 32  # of a code: two classes share it with probability 2⁻³²


def real_rows(y: Tensor) -> Tensor:
    """Rows (S, D) of any dtype -> rows (S, D') of real numbers."""
    if y.is_complex():
        return torch.view_as_real(y.resolve_conj()).flatten(1)  # (S, 2D)
    return y if y.is_floating_point() else codes(y).flatten(1)  # (S, BITS·D)


def codes(ids: Tensor) -> Tensor:
    """Integers or booleans (S, D) -> float32 (S, D, BITS) of ±1, a fixed function of each value (splitmix64's last rounds)."""
    x = ids.to(torch.int64) + 0x1E3779B97F4A7C15
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):  # products wrap around
        x = (x ^ ((x >> shift) & ((1 << (64 - shift)) - 1))) * factor
    x = x ^ ((x >> 31) & ((1 << 33) - 1))
    return ((x[..., None] >> torch.arange(BITS, device=x.device)) & 1).float() * 2 - 1
