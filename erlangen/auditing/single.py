"""What is given -> its inputs, one by one: a batch, a list, or a single input without a batch axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError
from erlangen.auditing.domain import load_domain
from erlangen.auditing.layout import COLORS

ONE = "The inputs have no batch axis, and were taken as one input."


def split_inputs(given: Any, domain: str | None, layout: str | None) -> tuple[list[Any], tuple[str, ...]]:
    """The inputs, one by one, and a sentence if there was no batch axis.

    Raises ModelError for three axes that may be one image in color, or as many gray ones.
    """
    if is_numbers(given):
        given = torch.as_tensor(given)
    if isinstance(given, np.ndarray) and given.dtype != object:
        given = torch.as_tensor(given)
    if not isinstance(given, Tensor) or not given.ndim:
        return list(given), ()
    one = is_one_input(given, domain, layout)
    return ([given], (ONE,)) if one else (list(given.unbind(1 if layout == "tbc" else 0)), ())


def is_numbers(given: Any) -> bool:
    """Whether a list holds numbers alone: one text, or one series."""
    return isinstance(given, (list, tuple)) and bool(given) and all(isinstance(entry, (int, float)) for entry in given)


def is_one_input(given: Tensor, domain: str | None, layout: str | None) -> bool:
    """Whether an array is a single input. With fewer axes than a batch of its domain has, it is; and so is a declared layout's.

    (T,) is one text if it holds integers, one series if that is the domain. (B, H, W) is a batch of gray images, and (B, T) one
    of series with a single channel.
    """
    if given.ndim == 1:
        return domain == "series" or (domain in (None, "texts") and not given.is_floating_point())
    if domain is None or given.ndim != len(load_domain(domain).axes):
        return False
    if domain == "images" and layout is None and (given.shape[0] in COLORS or given.shape[-1] in COLORS):
        sizes = ", ".join(map(str, given.shape))
        raise ModelError(
            f"an array of shape ({sizes}) is one image, or {len(given)} gray ones: add the missing axis, "
            f"(1, {sizes}) or ({len(given)}, 1, {', '.join(map(str, given.shape[1:]))})"
        )
    return layout is not None or domain == "points"
