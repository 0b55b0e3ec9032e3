"""What the symmetries of texts share: real tokens, replacements for them, and tokens put before a text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.text import Text


def real_tokens(x: Text) -> Tensor:
    """Positions of the tokens that are not padding, (R,) in ascending order."""
    if x.mask is None:
        return torch.arange(len(x), device=x.ids.device)
    return x.mask.nonzero()[:, 0]


def has_rows(y: Tensor, x: Text) -> bool:
    """Whether y has one row per position, (T, D)."""
    return y.ndim == 2 and len(y) == len(x)


def other_tokens(ids: Tensor, x: Text, seed: int) -> Tensor:
    """For each of `ids` (R,) a different token, uniformly from the vocabulary; padding only if there is no other."""
    rng = np.random.default_rng(seed)
    old = ids.cpu().numpy()
    steps = rng.integers(1, x.vocabulary, size=len(old))
    new = (old + steps) % x.vocabulary
    if x.vocabulary > 2:  # padding is redrawn from all tokens but the old one and padding
        low, high = np.minimum(old, x.padding), np.maximum(old, x.padding)
        rest = rng.integers(0, x.vocabulary - 2, size=len(old))
        rest = rest + (rest >= low)
        rest = rest + (rest >= high)
        new = np.where(new == x.padding, rest, new)
    return torch.from_numpy(new).to(ids)


def draw_tokens(x: Text, count: int, seed: int) -> Tensor:
    """Tokens (count,), uniformly from the vocabulary without the padding token."""
    ids = np.random.default_rng(seed).integers(0, x.vocabulary - 1, size=count)
    return torch.from_numpy(ids + (ids >= x.padding)).to(x.ids)


def prepend(x: Text, front: Tensor, mask: int) -> Text:
    """The text after the tokens `front` (k,), with mask value `mask` there if the text has a mask; positions unchanged."""
    joined = replace(x, ids=torch.cat([front, x.ids]))
    if x.mask is None:
        return joined
    return replace(joined, mask=torch.cat([torch.full_like(x.mask[:1], mask).expand(len(front)), x.mask]))


def rows_after(y: Tensor, y_g: Tensor, k: int, x: Text) -> tuple[Tensor, Tensor] | None:
    """The rows of the real tokens of x in y (T, D) and in y_g (k + T, D); None for outputs without one row per position."""
    if not has_rows(y, x) or y_g.ndim != 2 or len(y_g) != len(y) + k:
        return None
    real = real_tokens(x).to(y.device)
    return y[real], y_g[real + k]
