"""Causal self-attention in three forms: naive, fused and local.

    Attention(Q, K, V) = Softmax(Q Kᵀ / √d + bias) V,   query at p sees keys at q ≤ p, with a window w only p - w < q ≤ p

naive   computes the whole (T, T) matrix of weights, so that it can be inspected; O(T² d)
fused   torch's scaled_dot_product_attention, which does not store the matrix if it has a kernel for the case
local   computes only blocks along the diagonal; O(T w d), forward and backward

All give the same numbers and gradients. Sources: Vaswani et al., 2017; Dao et al., "FlashAttention", 2022; Beltagy et al.,
"Longformer", 2020.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn.cache import KeyValueCache
from erlangen.nn.dropout import dropout
from erlangen.nn.positions import Rotary, alibi_bias, alibi_slopes, rotate

Form = Literal["auto", "naive", "fused", "local"]
Positions = Literal["rotary", "absolute", "alibi", "none"]

HIDDEN = float("-inf")
NAIVE_UP_TO = 512  # tokens, up to which plain matrix products in bfloat16 are faster than torch's fused kernel on a CPU


def naive_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, p: float = 0.0) -> tuple[Tensor, Tensor]:
    """q (B, H, Tq, d) and k, v (B, H, Tk, d) -> output (B, H, Tq, d) and weights (B, H, Tq, Tk).

    bias: (Tq, Tk) or (H, Tq, Tk), -inf for hidden keys. p: dropout of the weights; the returned weights are without dropout.
    """
    scores = (q * (1 / math.sqrt(q.shape[-1]))) @ k.mT  # (B, H, Tq, Tk)
    weights = (scores if bias is None else scores + bias.to(scores.dtype)).softmax(-1)
    return dropout(weights, p, p > 0) @ v, weights


def fused_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, causal: bool, p: float = 0.0) -> Tensor:
    """Like `naive_attention`, but returns no weights.

    causal: every query sees only keys up to its own position; needs as many queries as keys and bias None.
    """
    return F.scaled_dot_product_attention(q, k, v, None if bias is None else bias.to(q.dtype), p, is_causal=causal)


def local_attention(q: Tensor, k: Tensor, v: Tensor, window: int, slopes: Tensor | None = None, p: float = 0.0) -> Tensor:
    """Like `naive_attention` with a causal window, computed from blocks of w queries and 2w keys. q, k, v (B, H, T, d)."""
    t, w = q.shape[2], min(window, q.shape[2])
    blocks = -(-t // w)
    q, k, v = (torch.unflatten(F.pad(x, (0, 0, 0, blocks * w - t)), 2, (blocks, w)) for x in (q, k, v))  # (B, H, n, w, d)
    k, v = (
        torch.cat([F.pad(x, (0, 0, 0, 0, 1, 0))[:, :, :-1], x], 3) for x in (k, v)
    )  # (B, H, n, 2w, d), preceded by the previous block
    distance = torch.arange(w, 2 * w, device=q.device)[:, None] - torch.arange(2 * w, device=q.device)  # (w, 2w)
    bias = hide(distance, window).expand(blocks, w, 2 * w).clone()
    bias[0, :, :w] = HIDDEN  # the first block has no previous block
    if slopes is not None:
        bias = bias + alibi_bias(slopes, distance)[:, None]  # (H, n, w, 2w)
    return naive_attention(q, k, v, bias, p)[0].flatten(2, 3)[:, :, :t]


def hide(distance: Tensor, window: int | None) -> Tensor:
    """float32 of the shape of `distance`: 0 if the query sees a key this far back, -inf if it is ahead or outside the window."""
    seen = distance >= 0 if window is None else (distance >= 0) & (distance < window)
    return torch.zeros(distance.shape, device=distance.device).masked_fill_(~seen, HIDDEN)


@dataclass(frozen=True, kw_only=True)
class AttentionConfig:
    """Configuration of an attention layer.

    window: tokens that a query sees, including itself; None for all tokens up to it. form: `auto` chooses the fastest one for the
    device, the dtype, the length and dropout. Raises ValueError for values that do not fit.
    """

    width: int
    heads: int
    positions: Positions = "rotary"
    rotary: Rotary = field(default_factory=Rotary)
    form: Form = "auto"
    window: int | None = None
    dropout: float = 0.0
    bias: bool = False

    def __post_init__(self) -> None:
        if self.width < 1 or self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of the number of heads, {self.heads}, and both at least 1")
        if self.form not in get_args(Form):
            raise ValueError(f"attention {self.form!r} is unknown: choose one of {', '.join(get_args(Form))}")
        if self.positions not in get_args(Positions):
            raise ValueError(f"positions {self.positions!r} are unknown: choose one of {', '.join(get_args(Positions))}")
        if self.form == "local" and self.window is None:
            raise ValueError("attention 'local' needs a window: give one, or choose another form of attention")
        if self.window is not None and self.window < 1:
            raise ValueError(f"window {self.window} must be at least 1 token")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is outside [0, 1)")
        if self.positions == "rotary":
            self.rotary.frequencies(self.width // self.heads)


class CausalSelfAttention(nn.Module):
    """x (B, T, width) -> (B, T, width).

    Tables of positions belong to the model and not to the layer: they are made once per call for all layers (`Context`).
    """

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.config = config
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=config.bias)
        self.out = nn.Linear(config.width, config.width, bias=config.bias)

    def forward(self, x: Tensor, context: Context, layer: int = 0) -> Tensor:
        q, k, v = self.project(x, context)  # (B, H, T, d)
        p = self.config.dropout if self.training else 0.0
        if context.cache is not None:
            k, v = context.cache.extend(layer, k, v)
        form = context.form
        if form == "local":
            y = local_attention(q, k, v, cast(int, self.config.window), context.slopes, p)
        elif form == "fused":
            y = fused_attention(q, k, v, context.bias, context.plain_causal, p)
        else:
            y, weights = naive_attention(q, k, v, context.bias, p)
            if context.weights is not None:
                context.weights.append(weights)
        return cast(Tensor, self.out(y.transpose(1, 2).flatten(2)))

    def project(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, (B, H, T, d) each; queries and keys are rotated if positions are rotary."""
        qkv = self.qkv(x).unflatten(-1, (3, self.config.heads, -1)).permute(2, 0, 3, 1, 4)  # (3, B, H, T, d)
        if context.table is None:
            return cast("tuple[Tensor, Tensor, Tensor]", qkv.unbind(0))
        q, k = rotate(qkv[:2], context.table, self.config.rotary.layout).unbind(0)
        return q, k, qkv[2]


@dataclass
class Context:
    """What all layers share in a call of the model; `context` makes it, once per call.

    bias: (T, keys) or (H, T, keys), -inf for hidden keys; None if nothing is hidden or the form hides keys by itself.
    weights: the list to which the layers append their attention weights, if these are wanted.
    """

    form: Form
    table: Tensor | None = None
    bias: Tensor | None = None
    slopes: Tensor | None = None
    plain_causal: bool = False
    cache: KeyValueCache | None = None
    weights: list[Tensor] | None = None


def context(
    config: AttentionConfig,
    length: int,
    like: Tensor,
    cache: KeyValueCache | None = None,
    weights: bool = False,
    training: bool = False,
) -> Context:
    """The context of a call with `length` new tokens. like: a tensor with the dtype and device of the products."""
    device, dtype = like.device, like.dtype
    start = 0 if cache is None else cache.length
    queries = torch.arange(start, start + length, device=device)
    keys = queries if cache is None else cache.positions(length)
    form = "naive" if weights else chosen_form(config, length, len(keys), like, training)
    slopes = alibi_slopes(config.heads).to(device) if config.positions == "alibi" else None
    table = None
    if config.positions == "rotary":
        table = config.rotary.table(queries, config.width // config.heads).to(dtype)
    windowed = config.window is not None and len(keys) > config.window
    plain_causal = form == "fused" and length == len(keys) > 1 and slopes is None and not windowed
    bias = None
    if form != "local" and not plain_causal and (length > 1 or windowed or slopes is not None):
        distance = queries[:, None] - keys  # (T, keys)
        bias = hide(distance, config.window)
        if slopes is not None:
            bias = bias + alibi_bias(slopes, distance)
        bias = bias.to(dtype)
    return Context(form, table, bias, slopes, plain_causal, cache, [] if weights else None)


def chosen_form(config: AttentionConfig, queries: int, keys: int, like: Tensor, training: bool) -> Form:
    """The form that runs: `auto` is resolved, and `local` is replaced if there is a cache, or no key outside the window."""
    form = config.form
    if form == "auto":
        if config.window is not None and keys >= 4 * config.window:
            form = "local"
        elif like.device.type != "cpu":
            form = "fused"
        else:
            by_hand = (training and config.dropout > 0) or queries == 1 or (like.dtype == torch.bfloat16 and keys <= NAIVE_UP_TO)
            form = "naive" if by_hand else "fused"
    if form == "local" and (queries != keys or keys <= cast(int, config.window)):
        return "naive" if like.device.type == "cpu" else "fused"
    return form
