"""Whether vectors are scores of classes, of which the largest names one: those of embeddings and boxes are not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

UNIT = 1e-3  # how far the lengths of normalized embeddings may be from 1
NOT_CLASSES = ("embed", "feature", "hidden", "pooler", "box", "point", "offset", "mean", "var", "latent", "image", "text")


def are_scores(outputs: Sequence[Tensor], name: str = "") -> bool:
    """Whether these may be logits or probabilities. name: of the output, if the model gives one.

    Vectors of length 1 are embeddings, unless they are probabilities: those are not negative, and add up to 1.
    """
    if outputs[0].ndim != 1 or not outputs[0].is_floating_point() or len({len(y) for y in outputs}) > 1:
        return False
    if any(word in name.lower().split(".")[-1] for word in NOT_CLASSES):
        return False
    rows = torch.stack([y.double() for y in outputs])  # (n, D)
    probable = bool((rows >= 0).all()) and bool(((rows.sum(1) - 1).abs() < UNIT).all())
    return probable or not bool(((rows.norm(dim=1) - 1).abs() < UNIT).all())
