"""Position encodings of a Transformer: rotary positions and ALiBi. (A learned table is an `nn.Embedding`.)

Rotary: at position p, each pair of features of a query or a key, read as a complex number, is rotated by the angle p θ_i,

    (a + ib) -> (a + ib) e^{i p θ_i},   θ_i = base^(-2i/d),   i = 0 ... d/2 - 1

so that the product of a query at p and a key at q depends only on p - q, and norms do not change. There are two common layouts of
the pairs, and a model trained with one gives wrong results with the other: `half` pairs feature i with i + d/2 (GPT-NeoX, Llama
in transformers), `interleaved` pairs feature 2i with 2i + 1 (the paper, GPT-J, Llama as released).

ALiBi: score(p, q) -= slope_h (p - q), without any other encoding.

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
    """Configuration of rotary positions. factor: the length to be covered, as a multiple of the trained length.

    scaling: "linear" divides every position by the factor. "ntk" instead raises the base to base · factor^(d / (d - 2)): the
    fastest pair keeps its frequency, and that of the slowest is divided by the factor. Raises ValueError for invalid values.
    """

    base: float = 10_000.0
    layout: Layout = "half"
    scaling: Scaling = "none"
    factor: float = 1.0

    def __post_init__(self) -> None:
        if self.layout not in get_args(Layout):
            raise ValueError(f"layout {self.layout!r} is unknown: choose one of {', '.join(get_args(Layout))}")
        if self.scaling not in get_args(Scaling):
            raise ValueError(f"scaling {self.scaling!r} is unknown: choose one of {', '.join(get_args(Scaling))}")
        if not self.base > 1 or not self.factor >= 1:
            raise ValueError(f"base {self.base} must be above 1, and factor {self.factor} must be at least 1")
        if self.scaling == "none" and self.factor != 1:
            raise ValueError(f"factor {self.factor} needs scaling='linear' or 'ntk'")

    def frequencies(self, head_dim: int, device: torch.device | None = None) -> Tensor:
        """θ of each pair in radians per position, (head_dim / 2,) float64, computed on `device`, by default the CPU.

        Raises ValueError for an odd head_dim.
        """
        if head_dim % 2 or head_dim < 2:
            raise ValueError(f"rotary positions rotate pairs of features, so head_dim {head_dim} must be even and at least 2")
        base = self.base
        if self.scaling == "ntk" and head_dim > 2:
            base *= self.factor ** (head_dim / (head_dim - 2))
        theta = base ** -(torch.arange(0, head_dim, 2, dtype=torch.float64, device=device) / head_dim)
        return theta / self.factor if self.scaling == "linear" else theta

    def table(self, positions: Tensor, head_dim: int) -> Tensor:
        """cos and sin of every feature at positions (T,), in the layout that `rotate` needs: (2, T, head_dim) float32.

        Angles are computed in float64; in float32 their error would be 1e-3 radians at position 10⁴.
        """
        angles = positions.to(torch.float64)[:, None] * self.frequencies(head_dim, positions.device)  # (T, d/2)
        cos, sin = angles.cos(), angles.sin()
        if self.layout == "half":
            pair = torch.stack([torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)])
        else:
            pair = torch.stack([cos.repeat_interleave(2, -1), torch.stack([-sin, sin], -1).flatten(-2)])
        return pair.float()  # (2, T, d)


def rotate(x: Tensor, table: Tensor, layout: Layout = "half") -> Tensor:
    """Rotate the pairs of x (..., T, d) by `Rotary.table` (2, T, d): x · cos + swapped(x) · (∓ sin). Keeps dtype and norms."""
    cos, sin = table.to(x.dtype).unbind(0)
    return torch.addcmul(x * cos, swapped(x, layout), sin)


def swapped(x: Tensor, layout: Layout) -> Tensor:
    """x with the two features of each pair swapped."""
    if layout == "half":
        return x.roll(x.shape[-1] // 2, -1)
    return torch.unflatten(x, -1, (-1, 2)).flip(-1).flatten(-2)


def alibi_slopes(heads: int, device: torch.device | None = None) -> Tensor:
    """The slope of each head, (heads,): 2^(-8/n), 2^(-16/n), ... if the number of heads n is a power of two.

    Otherwise the slopes of the next lower power of two, then every second one of the next higher power, as in the authors' code.
    They are computed in float64 on `device`, by default the CPU, so that nothing is copied to a GPU. Raises ValueError for fewer
    than one head.
    """
    if heads < 1:
        raise ValueError(f"alibi_slopes: the number of heads is {heads}, but must be at least 1")
    below = 2 ** int(math.log2(heads))
    number = torch.arange(heads, dtype=torch.float64, device=device)
    exponents = torch.where(number < below, -8 * (number + 1), -8 * (number - below) - 4) / below
    return torch.exp2(exponents).to(torch.get_default_dtype())


def alibi_bias(slopes: Tensor, distance: Tensor) -> Tensor:
    """The bias of the scores, -slope · distance, (heads, *distance.shape); distance = query position - key position."""
    return -slopes.view(-1, *([1] * distance.dim())) * distance
