"""Position encodings of a Transformer: rotary positions and ALiBi. (A learned table is an `nn.Embedding`.)

Rotary: at position p, each pair of features of a query or a key, read as a complex number, is rotated by the angle p θ_i,

    (a + ib) -> (a + ib) e^{i p θ_i},   θ_i = base^(-2i/d),   i = 0 ... d/2 - 1

so that the product of a query at p and a key at q depends only on p - q, and norms do not change. There are two common layouts of
the pairs, and a model trained with one gives wrong results with the other: `half` pairs feature i with i + d/2 (GPT-NeoX, Llama
in transformers), `interleaved` pairs feature 2i with 2i + 1 (the paper, GPT-J, Llama as released).

ALiBi: score(p, q) -= slope_h (p - q), without any other encoding.

Scalings of the θ_i for texts longer than those of training are in `erlangen.nn.rotary_scaling`.

Sources: Su et al., "RoFormer", 2021; Press et al., "Train Short, Test Long", ICLR 2022 (ALiBi).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, cast, get_args

import torch
from torch import Tensor

from erlangen.nn import rotary_scaling
from erlangen.nn.rotary_scaling import Length, Scaling as Scaling

Layout = Literal["half", "interleaved"]


@dataclass(frozen=True, kw_only=True)
class Rotary:
    """Configuration of rotary positions. factor: the length to be covered, as a multiple of the trained length.

    scaling: how the frequencies change for texts longer than the trained ones; `erlangen.nn.rotary_scaling` has the equations and
    says which scaling takes which of the other fields. original_max_position_embeddings: the trained length in tokens.
    attention_factor: by default the scaling's own. Raises ValueError for values that are invalid or without effect.
    """

    base: float = 10_000.0
    layout: Layout = "half"
    scaling: Scaling = "none"
    factor: float = 1.0
    original_max_position_embeddings: int | None = None
    low_freq_factor: float | None = None
    high_freq_factor: float | None = None
    attention_factor: float | None = None
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True
    short_factor: tuple[float, ...] | None = None
    long_factor: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.layout not in get_args(Layout):
            raise ValueError(f"layout {self.layout!r} is unknown: choose one of {', '.join(get_args(Layout))}")
        if self.scaling not in get_args(Scaling):
            raise ValueError(f"scaling {self.scaling!r} is unknown: choose one of {', '.join(get_args(Scaling))}")
        if not self.base > 1 or not self.factor >= 1:
            raise ValueError(f"base {self.base} must be above 1, and factor {self.factor} must be at least 1")
        if self.scaling == "none" and self.factor != 1:
            raise ValueError(f"factor {self.factor} needs scaling: choose one of {', '.join(get_args(Scaling)[1:])}")
        for name in ("short_factor", "long_factor"):  # lists, as configuration files have them
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        rotary_scaling.check_fields(self.scaling, self._given())
        for low, high in (("low_freq_factor", "high_freq_factor"), ("beta_slow", "beta_fast")):
            if getattr(self, low) is not None and not getattr(self, low) < getattr(self, high):
                raise ValueError(f"{low} {getattr(self, low)} must be below {high} {getattr(self, high)}")

    def _given(self) -> dict[str, object]:
        """The fields of the scalings beside `factor` that differ from their defaults."""
        of_scalings = {name for names in (*rotary_scaling.NEEDED.values(), *rotary_scaling.OPTIONAL.values()) for name in names}
        values = {field.name: (getattr(self, field.name), field.default) for field in fields(self) if field.name in of_scalings}
        return {name: value for name, (value, default) in values.items() if value != default}

    @property
    def varies(self) -> bool:
        """Whether the frequencies depend on the length of the text."""
        return self.scaling in ("dynamic", "longrope")

    @property
    def amplitude(self) -> float:
        """What cos and sin are multiplied by: the attention factor of yarn and longrope, otherwise 1."""
        if self.attention_factor is not None:
            return self.attention_factor
        if self.scaling == "yarn":
            return rotary_scaling.yarn_attention(self.factor, self.mscale, self.mscale_all_dim)
        if self.scaling == "longrope":
            return rotary_scaling.longrope_attention(self.factor, cast(int, self.original_max_position_embeddings))
        return 1.0

    def frequencies(self, head_dim: int, device: torch.device | None = None, length: Length = 0) -> Tensor:
        """θ of each pair in radians per position, (head_dim / 2,) float64, computed on `device`, by default the CPU.

        length: tokens of the text, which `dynamic` and `longrope` need; by default no more than were trained. A tensor (..., 1)
        on the device gives (..., head_dim / 2). Raises ValueError for an odd head_dim.
        """
        if head_dim % 2 or head_dim < 2:
            raise ValueError(f"rotary positions rotate pairs of features, so head_dim {head_dim} must be even and at least 2")
        base = self.base
        if self.scaling == "ntk" and head_dim > 2:
            base *= self.factor ** (head_dim / (head_dim - 2))
        theta = base ** -(torch.arange(0, head_dim, 2, dtype=torch.float64, device=device) / head_dim)
        return self.scaled(theta, length)

    def scaled(self, theta: Tensor, length: Length = 0) -> Tensor:
        """The frequencies θ (d/2,) after a scaling, in their dtype; ntk has already changed the base."""
        trained = self.original_max_position_embeddings or 0
        if self.scaling == "linear":
            return theta / self.factor
        if self.scaling == "dynamic":
            return rotary_scaling.dynamic(theta, self.factor, trained, length)
        if self.scaling == "llama3":
            low, high = cast(float, self.low_freq_factor), cast(float, self.high_freq_factor)
            return rotary_scaling.llama3(theta, self.factor, low, high, trained)
        if self.scaling == "yarn":
            return rotary_scaling.yarn(theta, self.base, self.factor, trained, self.beta_fast, self.beta_slow, self.truncate)
        if self.scaling == "longrope":
            return rotary_scaling.longrope(theta, self.short_factor or (), self.long_factor or (), trained, length)
        return theta

    def table(self, positions: Tensor, head_dim: int, length: Length = 0) -> Tensor:
        """cos and sin of every feature at positions (..., T), in the layout that `rotate` needs: (2, ..., T, head_dim) float32.

        length: tokens of the text, as in `frequencies`; a tensor (..., 1, 1) for positions of several texts. Angles are computed
        in float64; in float32 their error would be 1e-3 radians at position 10⁴.
        """
        angles = positions.to(torch.float64)[..., None] * self.frequencies(head_dim, positions.device, length)  # (..., T, d/2)
        cos, sin = angles.cos(), angles.sin()
        if self.layout == "half":
            pair = torch.stack([torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)])
        else:
            pair = torch.stack([cos.repeat_interleave(2, -1), torch.stack([-sin, sin], -1).flatten(-2)])
        return (pair if self.amplitude == 1 else self.amplitude * pair).float()  # (2, ..., T, d)


def rotate(x: Tensor, table: Tensor, layout: Layout = "half") -> Tensor:
    """Rotate the pairs of x (..., T, d) by `Rotary.table` (2, T, d): x · cos + swapped(x) · (∓ sin). Keeps the dtype.

    Norms are kept too, or multiplied by the attention factor of the table.
    """
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
