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


def other_tokens(x: Text, places: Tensor, seed: int) -> Tensor:
    """For each of these places (R,) another token than the one there; padding only if there is no other.

    They are those of a second text as long as x, in which no token comes twice before all have come once. So if a text is cut at
    every place, as many different tokens come next as there are cuts, or as there are in the vocabulary.
    """
    old, at = x.ids[places].cpu().numpy(), places.cpu().numpy()
    if x.vocabulary <= 2:
        return torch.from_numpy((old + 1) % x.vocabulary).to(x.ids)
    has_padding = 0 <= x.padding < x.vocabulary
    count = x.vocabulary - has_padding
    rng = np.random.default_rng([seed, abs(int(x.ids.sum()))])  # other tokens for other texts
    order = rng.choice(count, size=min(len(x) + 1, count), replace=False)
    order = order + (has_padding & (order >= x.padding))
    rounds, turn = np.divmod(at, len(order))
    others = order[(turn + 1 + rounds % (len(order) - 1)) % len(order)]  # each of the others as often, if a text repeats a token
    return torch.from_numpy(np.where(order[turn] == old, others, order[turn])).to(x.ids)


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
