"""How a Transformer is told where its tokens stand: rotary positions and ALiBi. (A learned table is an `nn.Embedding`.)

Rotary: at position p each pair of features of a query or a key, seen as a complex number, is turned by p θ_i,

    (a + ib) -> (a + ib) e^{i p θ_i},   θ_i = base^(-2i/d),   i = 0 ... d/2 - 1

so that the product of a query at p and a key at q depends on p - q alone, and norms are kept. Two layouts of the pairs are in
use, and a model trained with one is wrong with the other: `half` pairs feature i with i + d/2 (GPT-NeoX, Llama in
transformers), `interleaved` feature 2i with 2i + 1 (the paper, GPT-J, Llama as released).

ALiBi: score(p, q) -= slope_h (p - q), nothing else.

Sources: Su et al., "RoFormer", 2021; Chen et al., "Extending Context Window ... via Positional Interpolation", 2023 (linear);
bloc97, "NTK-Aware Scaled RoPE", 2023 (ntk); Press et al., "Train Short, Test Long", ICLR 2022 (ALiBi).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

Layout = Literal["half", "interleaved"]
Scaling = Literal["none", "linear", "ntk"]


@dataclass(frozen=True, kw_only=True)
class Rotary:
    """Which rotation. factor: how many times the trained length the positions are to span.

    linear divides every position by it; ntk raises the base to base · factor^(d / (d - 2)) instead: the fastest pair keeps its
    pace, the slowest is slowed by the factor.
    """

    base: float = 10_000.0
    layout: Layout = "half"
    scaling: Scaling = "none"
    factor: float = 1.0

    def __post_init__(self) -> None:
        if self.layout not in get_args(Layout):
            raise ValueError(f"layout {self.layout!r}: choose {', '.join(get_args(Layout))}")
        if self.scaling not in get_args(Scaling):
            raise ValueError(f"scaling {self.scaling!r}: choose {', '.join(get_args(Scaling))}")
        if not self.base > 1 or not self.factor >= 1:
            raise ValueError(f"base {self.base} must exceed 1, factor {self.factor} must be 1 or more")
        if self.scaling == "none" and self.factor != 1:
            raise ValueError(f"factor {self.factor} needs scaling='linear' or 'ntk'")

    def frequencies(self, head_dim: int) -> Tensor:
        """θ of each pair in radians a position, (head_dim / 2,) float64. Raises ValueError for an odd head_dim."""
        if head_dim % 2 or head_dim < 2:
            raise ValueError(f"rotary positions turn pairs of features: head_dim {head_dim} is not even")
        base = self.base
        if self.scaling == "ntk" and head_dim > 2:
            base *= self.factor ** (head_dim / (head_dim - 2))
        theta = base ** -(torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
        return theta / self.factor if self.scaling == "linear" else theta

    def table(self, positions: Tensor, head_dim: int) -> Tensor:
        """cos and sin for every feature at positions (T,), laid out as `rotate` wants them: (2, T, head_dim) float32.

        Angles are taken in float64: in float32 they are off by 1e-3 radians at position 10⁴.
        """
        angles = positions.to(torch.float64)[:, None] * self.frequencies(head_dim).to(positions.device)  # (T, d/2)
        cos, sin = angles.cos(), angles.sin()
        if self.layout == "half":
            pair = torch.stack([torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)])
        else:
            pair = torch.stack([cos.repeat_interleave(2, -1), torch.stack([-sin, sin], -1).flatten(-2)])
        return pair.float()  # (2, T, d)


def rotate(x: Tensor, table: Tensor, layout: Layout = "half") -> Tensor:
    """Turn the pairs of x (..., T, d) by `Rotary.table` (2, T, d): x · cos + swapped(x) · (∓ sin). Keeps x's dtype and norms."""
    cos, sin = table.to(x.dtype).unbind(0)
    return torch.addcmul(x * cos, swapped(x, layout), sin)


def swapped(x: Tensor, layout: Layout) -> Tensor:
    """The other feature of each pair, in the place of each."""
    if layout == "half":
        return x.roll(x.shape[-1] // 2, -1)
    return torch.unflatten(x, -1, (-1, 2)).flip(-1).flatten(-2)


def alibi_slopes(heads: int) -> Tensor:
    """The slope of each head, (heads,): 2^(-8/n), 2^(-16/n), ... for n a power of two.

    For other numbers of heads those of the power below, then every second one of the power above, as the authors have it.
    """
    if heads < 1:
        raise ValueError(f"alibi_slopes: {heads} heads")
    below = 2 ** int(math.log2(heads))
    slopes = [2 ** (-8 * (i + 1) / below) for i in range(below)]
    slopes += [2 ** (-4 * (i + 1) / below) for i in range(0, 2 * below, 2)][: heads - below]
    return torch.tensor(slopes)


def alibi_bias(slopes: Tensor, distance: Tensor) -> Tensor:
    """What is added to the scores: -slope · distance, (heads, *distance.shape); distance = position of the query - of the key."""
    return -slopes.view(-1, *([1] * distance.dim())) * distance
