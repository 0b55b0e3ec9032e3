"""What the symmetries of texts share: which tokens are real, which could stand there instead, and what is put in front."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.text import Text


def real(x: Text) -> Tensor:
    """Places of the tokens that are not padding, (R,) in rising order."""
    if x.mask is None:
        return torch.arange(len(x), device=x.ids.device)
    return x.mask.nonzero()[:, 0]


def has_rows(y: Tensor, x: Text) -> bool:
    """Whether y is one row a position, (T, D)."""
    return y.ndim == 2 and len(y) == len(x)


def others(ids: Tensor, x: Text, seed: int) -> Tensor:
    """For each of `ids` (R,) another token of the vocabulary, uniformly; the padding token only where nothing else is left."""
    rng = np.random.default_rng(seed)
    old = ids.cpu().numpy()
    steps = rng.integers(1, x.vocabulary, size=len(old))
    new = (old + steps) % x.vocabulary
    if x.vocabulary > 2:  # padding is redrawn: two tokens at most are ruled out, so one more draw among the rest is uniform
        low, high = np.minimum(old, x.padding), np.maximum(old, x.padding)
        rest = rng.integers(0, x.vocabulary - 2, size=len(old))
        rest = rest + (rest >= low)
        rest = rest + (rest >= high)
        new = np.where(new == x.padding, rest, new)
    return torch.from_numpy(new).to(ids)


def drawn(x: Text, count: int, seed: int) -> Tensor:
    """Tokens (count,), uniformly from the vocabulary without the padding token."""
    ids = np.random.default_rng(seed).integers(0, x.vocabulary - 1, size=count)
    return torch.from_numpy(ids + (ids >= x.padding)).to(x.ids)


def prepended(x: Text, front: Tensor, mask: int) -> Text:
    """`front` (k,) put before the text, its places marked by `mask` where the text has a mask, everything else left out."""
    joined = replace(x, ids=torch.cat([front, x.ids]))
    if x.mask is None:
        return joined
    return replace(joined, mask=torch.cat([torch.full_like(x.mask[:1], mask).expand(len(front)), x.mask]))


def behind(y: Tensor, y_g: Tensor, k: int, x: Text) -> tuple[Tensor, Tensor] | None:
    """The rows of real tokens in y (T, D), and those in y_g (k + T, D); None for outputs without a row for each position."""
    if not has_rows(y, x) or y_g.ndim != 2 or len(y_g) != len(y) + k:
        return None
    places = real(x).to(y.device)
    return y[places], y_g[places + k]
