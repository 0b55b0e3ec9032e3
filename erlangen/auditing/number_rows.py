"""Outputs with one number for each token or point, (N,): rows (N, 1), and no vector with N features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from erlangen.auditing.model import Model
from erlangen.auditing.wrapped import Wrapped
from erlangen.symmetries.text import Text


@dataclass(frozen=True)
class NumberRows(Wrapped):
    """An adapter whose outputs (N,) for inputs of N tokens or points are rows of one number."""

    def split(self, y: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        rows = self.inner.split(y, batch)
        return [row[:, None] if is_as_long(row, x) else row for row, x in zip(rows, batch, strict=False)]


def with_number_rows(model: Model, inputs: Sequence[Any]) -> Model:
    """The model, with numbers as rows if it returns one for each token or point.

    A vector of just as many features looks the same, but keeps its length when the input loses its last token or point. A model
    that takes inputs of one length only is taken to return a vector.
    """
    x = inputs[0]
    if not isinstance(x, (Text, Tensor)) or len(x) < 2 or not is_as_long(model([x])[0], x):
        return model
    shorter = replace(x, **{name: part[:-1] for name, part in token_parts(x).items()}) if isinstance(x, Text) else x[:-1]
    try:
        y = model([shorter])[0]
    except Exception:
        return model
    return replace(model, adapter=NumberRows(model.adapter)) if is_as_long(y, shorter) else model


def token_parts(x: Text) -> dict[str, Any]:
    """The parts of a text with an entry for each token."""
    parts = {"ids": x.ids, "mask": x.mask, "positions": x.positions}
    return {name: part for name, part in parts.items() if part is not None}


def is_as_long(y: Tensor, x: Any) -> bool:
    """Whether an output has one number for each token or point."""
    return y.ndim == 1 and len(y) == len(x)
