"""Which tokens of a batch are padding, and the position of each token in its text.

    mask m (B, T): 1 for a token, 0 for padding.   position of column t: m_1 + ... + m_t - 1   (at least 0)

so that a text has the same positions alone and padded on the left. A query sees the columns up to its own that are not padding,
and itself: padding that sees itself has finite outputs, which nothing else sees. Distances, for ALiBi and windows, are those of
positions: padding between two tokens does not count. The convention is that of GPT-2 in transformers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.nn.naive import HIDDEN
from erlangen.nn.positions import alibi_bias


def check_mask(mask: Tensor, batch: int, tokens: int, cached: int) -> Tensor:
    """The mask (B, cached + tokens) as booleans. Raises ValueError for another shape, for numbers other than 0 and 1 (a mask of
    numbers that are added to scores has 0 for tokens), and for a text without a token.
    """
    if mask.shape != (batch, cached + tokens):
        held = f" ({cached} in the cache and {tokens} new ones)" if cached else ""
        raise ValueError(
            f"attention_mask: the shape must be {(batch, cached + tokens)}, a number for each token{held}, but is "
            f"{tuple(mask.shape)}"
        )
    seen = mask != 0
    binary, empty = (~seen | (mask == 1)).all(), ~seen.any(1)
    if not torch.compiler.is_compiling() and not bool(binary & ~empty.any()):  # a GPU is waited for once
        if not bool(binary):
            raise ValueError("attention_mask: 1 for a token and 0 for padding are needed, but it has other numbers")
        raise ValueError(f"attention_mask: row {int(empty.nonzero()[0])} has padding alone: leave the text out")
    return seen


def check_positions(positions: Tensor, batch: int, tokens: int, kind: str) -> Tensor:
    """The positions (T,) or (B, T) of new tokens, int64. Raises ValueError for another shape or dtype, or if they are unused."""
    if kind not in ("rotary", "absolute"):
        raise ValueError(f"positions: a model with positions {kind!r} does not use them: leave them out")
    if positions.shape not in ((tokens,), (batch, tokens)) or positions.is_floating_point() or positions.dtype == torch.bool:
        raise ValueError(
            f"positions: whole numbers of shape {(tokens,)} or {(batch, tokens)} are needed, but these are {positions.dtype} of "
            f"shape {tuple(positions.shape)}"
        )
    return positions.long()


def text_positions(mask: Tensor) -> Tensor:
    """The position of each column in its text, (B, T) int64."""
    return (mask.long().cumsum(1) - 1).clamp_min(0)


def padded_bias(mask: Tensor, queries: Tensor, keys: Tensor, window: int | None, slopes: Tensor | None) -> Tensor:
    """The bias of scores between columns `queries` (T,) and `keys` (K,) of mask (B, ...): (B, 1 or H, T, K), -inf if hidden."""
    places, ahead = text_positions(mask), keys - queries[:, None]  # (T, K)
    distance = places[:, queries, None] - places[:, None, keys]  # (B, T, K)
    seen = (ahead == 0) | ((ahead < 0) & mask[:, None, keys])
    if window is not None:
        seen = seen & (distance < window)
    bias = torch.zeros(seen.shape, device=mask.device).masked_fill_(~seen, HIDDEN)[:, None]
    return bias if slopes is None else bias + alibi_bias(slopes, distance).transpose(0, 1)
