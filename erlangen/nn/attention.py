"""Causal self-attention in three forms: naive, fused and local.

    Attention(Q, K, V) = Softmax(Q Kᵀ / √d + bias) V,   query at p sees keys at q ≤ p, with a window w only p - w < q ≤ p

naive   computes the whole (T, T) matrix of weights, so that it can be inspected; O(T² d)
fused   torch's scaled_dot_product_attention, which does not store the matrix if it has a kernel for the case
local   computes only blocks along the diagonal; O(T w d), forward and backward

All give the same numbers and gradients. On a GPU the fused form runs windows and ALiBi in FlexAttention (`erlangen.nn.flex`).
`erlangen.nn.backend` says what runs for a call, and where the matrix is stored after all. Sources: Vaswani et al., 2017; Dao et
al., "FlashAttention", 2022; Beltagy et al., "Longformer", 2020.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.nn.attention_config import AttentionConfig as AttentionConfig, Form as Form, Positions as Positions
from erlangen.nn.backend import (
    Backend as Backend,
    attention_backend as attention_backend,
    biased,
    chosen_form as chosen_form,
)
from erlangen.nn.banded import local_attention as local_attention
from erlangen.nn.cache import KeyValueCache
from erlangen.nn.flex import Band, band, flex_attention
from erlangen.nn.naive import HIDDEN as HIDDEN, hide as hide, naive_attention as naive_attention, repeat_heads as repeat_heads
from erlangen.nn.positions import alibi_bias, alibi_slopes, rotate
from erlangen.nn.token_mask import padded_bias, text_positions


def fused_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, causal: bool, p: float = 0.0) -> Tensor:
    """Like `naive_attention`, but returns no weights.

    causal: every query sees only keys up to its own position; needs as many queries as keys and bias None.
    """
    d = q.shape[-1]
    if causal and q.is_cuda and d % 8:  # torch's kernels for a GPU take groups of features, else it stores the matrix
        q, k, v = (F.pad(x, (0, -d % 8)) for x in (q, k, v))  # (B, H, T, d + 1 ... d + 7)
        return F.scaled_dot_product_attention(q, k, v, None, p, is_causal=True, scale=1 / math.sqrt(d))[..., :d]
    if bias is not None:
        # torch's kernel for a CPU takes a mask of two or four axes; given three it stores the matrix of weights
        bias = (bias if bias.dim() != 3 else bias[None]).to(q.dtype)
    return F.scaled_dot_product_attention(q, k, v, bias, p, is_causal=causal)


class CausalSelfAttention(nn.Module):
    """x (B, T, width) -> (B, T, width).

    Tables of positions belong to the model and not to the layer: they are made once per call for all layers (`Context`).
    """

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.config = config
        self.qkv = nn.Linear(config.width, (config.heads + 2 * config.key_heads) * config.head_dim, bias=config.bias)
        self.out = nn.Linear(config.width, config.width, bias=config.bias)

    def forward(self, x: Tensor, context: Context, layer: int = 0) -> Tensor:
        q, k, v = self.project(x, context)  # (B, H, T, d)
        p = self.config.dropout if self.training else 0.0
        if context.cache is not None:
            k, v = context.cache.extend(layer, k, v)
        form = context.form
        if form != "naive":
            k, v = repeat_heads(k, self.config.heads), repeat_heads(v, self.config.heads)
        if form == "local":
            y = local_attention(q, k, v, cast(int, self.config.window), context.slopes, p)
        elif context.band is not None:
            y = flex_attention(q, k, v, context.band)
        elif form == "fused":
            y = fused_attention(q, k, v, context.bias, context.plain_causal, p)
        else:
            y, weights = naive_attention(q, k, v, context.bias, p)
            if context.weights is not None:
                context.weights.append(weights)
        return cast(Tensor, self.out(y.transpose(1, 2).flatten(2)))

    def project(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, H, T, d), keys and values (B, H', T, d); queries and keys are rotated if positions are rotary."""
        # Split before anything is permuted: the gradients are then concatenated once, and not also copied to another order
        heads, shared, d = self.config.heads, self.config.key_heads, self.config.head_dim
        qkv = self.qkv(x)  # (B, T, (H + 2 H') d)
        if context.table is None:
            parts = qkv.split((heads * d, shared * d, shared * d), -1)
            q, k, v = (part.unflatten(-1, (-1, d)).transpose(1, 2) for part in parts)
            return q, k, v
        qk, v = qkv.split(((heads + shared) * d, shared * d), -1)
        table, layout = context.table.unsqueeze(-2), self.config.rotary.layout  # (2, T, 1, d)
        if heads == shared:
            q, k = rotate(qk.unflatten(-1, (2, heads, d)), table.unsqueeze(-2), layout).transpose(1, 3).unbind(2)
        else:
            rotated = rotate(qk.unflatten(-1, (-1, d)), table, layout)  # (B, T, H + H', d)
            q, k = torch.split(rotated.transpose(1, 2), [heads, shared], 1)
        return q, k, v.unflatten(-1, (-1, d)).transpose(1, 2)


@dataclass
class Context:
    """What all layers share in a call of the model; `context` makes it, once per call.

    bias: (T, keys), (H, T, keys) or (B, 1 or H, T, keys), -inf for hidden keys; None if nothing is hidden or the form hides keys
    by itself. weights: the list to which the layers append their attention weights, if these are wanted. band: what a query
    sees, if FlexAttention runs; the form is then `fused`.
    """

    form: Form
    table: Tensor | None = None
    bias: Tensor | None = None
    slopes: Tensor | None = None
    plain_causal: bool = False
    cache: KeyValueCache | None = None
    weights: list[Tensor] | None = None
    band: Band | None = None


def context(
    config: AttentionConfig,
    length: int,
    like: Tensor,
    cache: KeyValueCache | None = None,
    weights: bool = False,
    training: bool = False,
    mask: Tensor | None = None,
    positions: Tensor | None = None,
) -> Context:
    """The context of a call with `length` new tokens. like: a tensor with the dtype and device of the products.

    mask: (B, cached + new) booleans, False for padding (erlangen.nn.token_mask). positions: (T,) or (B, T) of the new tokens, for
    rotary positions; by default those in the text.
    """
    device, dtype = like.device, like.dtype
    start = 0 if cache is None else cache.length
    queries = torch.arange(start, start + length, device=device)
    keys = queries if cache is None else cache.positions(length)
    held = keys.shape[0]  # not len(keys), which a compiler takes for a constant
    backend = attention_backend(config, length, held, like, training, weights, mask is not None)
    form = "naive" if weights else chosen_form(config, length, held, like, training, mask is not None)
    slopes = alibi_slopes(config.heads, device) if config.positions == "alibi" else None
    table = None
    if config.positions == "rotary":
        table = rotary_table(config, queries, held, cache, mask, positions).to(dtype)
    flex = band(length, config.window, slopes, device) if backend.kernel == "flex" else None
    windowed = config.window is not None and held > config.window
    plain_causal = mask is None and form == "fused" and length == held > 1 and not biased(config, held)
    bias = None
    if mask is not None:
        bias = padded_bias(mask, queries, keys, config.window, slopes).to(dtype)
    elif form != "local" and not plain_causal and flex is None and (length > 1 or windowed or slopes is not None):
        distance = queries[:, None] - keys  # (T, keys)
        bias = hide(distance, config.window)
        if slopes is not None:
            bias = bias + alibi_bias(slopes, distance)
        bias = bias.to(dtype)
    return Context(form, table, bias, slopes, plain_causal, cache, [] if weights else None, flex)


def rotary_table(
    config: AttentionConfig,
    queries: Tensor,
    held: int,
    cache: KeyValueCache | None,
    mask: Tensor | None,
    positions: Tensor | None,
) -> Tensor:
    """`Rotary.table` of the queries, which are columns (T,): (2, T, d), or (2, B, T, d) if texts differ. held: keys in all."""
    if positions is None:
        if mask is None:
            return config.rotary.table(queries, config.head_dim, held)
        positions = text_positions(mask)[:, queries]
    lengths = positions.amax(-1, keepdim=True) + 1
    lengths = lengths if cache is None else lengths.clamp_max(cache.size)
    return config.rotary.table(positions, config.head_dim, lengths[..., None])
