"""Scalings of rotary positions, with which a model reads texts longer than those it was trained on.

θ_i = base^(-2i/d) is the frequency of pair i = 0 ... d/2 - 1, L the trained length, s the factor, n the length of the text:

linear     θ_i / s
ntk        (base · s^(d / (d - 2)))^(-2i/d) = θ_i s^(-2i / (d - 2)): the fastest pair keeps its θ, the slowest gets θ / s
dynamic    as ntk, with s n / L - (s - 1) in place of s; up to n = L the frequencies are those of training
llama3     (1 - m_i) θ_i / s + m_i θ_i,   m_i = clamp((L θ_i / 2π - low) / (high - low), 0, 1): pairs with more than `high` turns
           in L tokens keep their frequency, those with fewer than `low` turns are divided by s
yarn       r_i θ_i / s + (1 - r_i) θ_i,   r_i = clamp((i - i_fast) / (i_slow - i_fast), 0, 1), where pair i_fast turns `beta_fast`
           times in L tokens and pair i_slow `beta_slow` times:  i_β = d log(L / 2π β) / (2 log base)
longrope   θ_i / short_i for n ≤ L, and θ_i / long_i beyond; both lists were found by a search

With dynamic and longrope a model is causal up to L tokens only: beyond, a longer text changes the frequencies, and so the
outputs of the tokens before.

yarn and longrope also multiply cos and sin by an attention factor, so that scores are multiplied by its square:

yarn       0.1 log s + 1, or (0.1 mscale log s + 1) / (0.1 mscale_all_dim log s + 1) if both are given
longrope   √(1 + log s / log L)

Sources: Chen et al., "Extending Context Window ... via Positional Interpolation", 2023 (linear); bloc97, "NTK-Aware Scaled RoPE",
2023 (ntk); emozilla, "Dynamically Scaled RoPE", 2023 (dynamic); Grattafiori et al., "The Llama 3 Herd of Models", 2024, and the
code of Llama 3.1 (llama3); Peng et al., "YaRN", ICLR 2024 (yarn); Ding et al., "LongRoPE", ICML 2024 (longrope). The names of the
fields are those of `rope_parameters` in transformers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Scaling = Literal["none", "linear", "ntk", "dynamic", "llama3", "yarn", "longrope"]
Length: TypeAlias = int | Tensor  # tokens of a text; a tensor (..., 1) for several texts

TRAINED = "original_max_position_embeddings"
NEEDED: Mapping[str, tuple[str, ...]] = {
    "dynamic": (TRAINED,),
    "llama3": (TRAINED, "low_freq_factor", "high_freq_factor"),
    "yarn": (TRAINED,),
    "longrope": (TRAINED, "short_factor", "long_factor"),
}
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "yarn": ("attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"),
    "longrope": ("attention_factor",),
}
"""The fields of `Rotary` that a scaling has beside `factor`."""


def dynamic(theta: Tensor, factor: float, trained: int, length: Length) -> Tensor:
    """The frequencies θ (d/2,) for texts of `length` tokens: (..., d/2)."""
    if len(theta) < 2:  # a single pair is the fastest one
        return theta.expand(*length.shape[:-1], 1) if isinstance(length, Tensor) else theta
    pair = torch.arange(len(theta), dtype=theta.dtype, device=theta.device)
    if isinstance(length, Tensor):
        stretch: float | Tensor = (factor * length.to(theta.dtype) / trained - (factor - 1)).clamp_min(1)
    else:
        stretch = max(factor * length / trained - (factor - 1), 1.0)
    return theta * stretch ** (-pair / (len(theta) - 1))


def llama3(theta: Tensor, factor: float, low: float, high: float, trained: int) -> Tensor:
    """The frequencies θ (d/2,), the slow ones divided by the factor."""
    turns = trained * theta / (2 * math.pi)
    kept = ((turns - low) / (high - low)).clamp(0, 1)
    return (1 - kept) * theta / factor + kept * theta


def yarn(theta: Tensor, base: float, factor: float, trained: int, fast: float, slow: float, truncate: bool) -> Tensor:
    """The frequencies θ (d/2,), the slow ones divided by the factor. truncate: round i_fast down and i_slow up."""
    d = 2 * len(theta)
    first, last = (d * math.log(trained / (turns * 2 * math.pi)) / (2 * math.log(base)) for turns in (fast, slow))
    if truncate:
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, d - 1)  # d - 1 and not d / 2 - 1, as in the authors' code
    if first == last:
        last += 0.001
    pair = torch.arange(len(theta), dtype=theta.dtype, device=theta.device)
    divided = ((pair - first) / (last - first)).clamp(0, 1)
    return divided * theta / factor + (1 - divided) * theta


def longrope(theta: Tensor, short: Sequence[float], long: Sequence[float], trained: int, length: Length) -> Tensor:
    """The frequencies θ (d/2,) for texts of `length` tokens: (..., d/2). Raises ValueError for lists of another length."""
    if not len(short) == len(long) == len(theta):
        raise ValueError(
            f"short_factor has {len(short)} numbers and long_factor {len(long)}, but a head of {2 * len(theta)} features needs "
            f"{len(theta)} in each"
        )
    if isinstance(length, Tensor):
        return torch.where(length > trained, theta / _like(theta, long), theta / _like(theta, short))
    return theta / _like(theta, long if length > trained else short)


def _like(x: Tensor, numbers: Sequence[float]) -> Tensor:
    """The numbers as a tensor like x. It is filled on the device: a copy would make a GPU wait, and could not be captured."""
    return x.new_tensor(numbers) if x.is_cpu else torch.stack([x.new_full((), number) for number in numbers])


def yarn_attention(factor: float, mscale: float | None, mscale_all_dim: float | None) -> float:
    """The attention factor of yarn."""
    if mscale is None or mscale_all_dim is None:
        return 0.1 * math.log(factor) + 1.0
    return (0.1 * mscale * math.log(factor) + 1.0) / (0.1 * mscale_all_dim * math.log(factor) + 1.0)


def longrope_attention(factor: float, trained: int) -> float:
    """The attention factor of longrope."""
    return math.sqrt(1 + math.log(factor) / math.log(trained))


def check_fields(scaling: str, given: Mapping[str, object]) -> None:
    """Raises ValueError if fields that differ from their defaults do not belong to the scaling, or are impossible."""
    needed, optional = NEEDED.get(scaling, ()), OPTIONAL.get(scaling, ())
    if missing := [name for name in needed if name not in given]:
        raise ValueError(f"scaling {scaling!r} needs {' and '.join(missing)}")
    for name, value in given.items():
        if name not in (*needed, *optional):
            takes = [other for other in NEEDED if name in (*NEEDED[other], *OPTIONAL.get(other, ()))]
            raise ValueError(f"{name} has no effect with scaling {scaling!r}: leave it out, or choose {' or '.join(takes)}")
        numbers = value if isinstance(value, tuple) else (value,)
        if name != "truncate" and not all(isinstance(number, (int, float)) and 0 < number < math.inf for number in numbers):
            raise ValueError(f"{name} {value!r} must be positive")
    trained = given.get(TRAINED, 2)
    if not isinstance(trained, int) or trained < 2:
        raise ValueError(f"{TRAINED} {trained!r} must be a whole number of at least 2 tokens")
