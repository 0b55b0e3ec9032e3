"""Outputs with columns that are infinite for every input: the logits of classes or tokens that a model never predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from erlangen.auditing.choice import shortened
from erlangen.auditing.model import Model
from erlangen.auditing.wrapped import Wrapped


@dataclass(frozen=True)
class FiniteColumns(Wrapped):
    """The adapter `inner` for outputs without their infinite columns. axis: the one that numbers columns. ndim: of an output.

    values: what each column is, infinity with its sign; 0 if it is finite. An output with other numbers in these columns stays as
    it is, so that its shape tells.
    """

    axis: int
    ndim: int
    values: tuple[float, ...]

    def split(self, y: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        return [self.finite(row) for row in self.inner.split(y, batch)]

    def finite(self, y: Tensor) -> Tensor:
        if y.ndim != self.ndim or y.shape[self.axis] != len(self.values) or not y.is_floating_point():
            return y
        columns, values = y.movedim(self.axis, -1), y.new_tensor(self.values)
        if not bool((columns == values)[..., values != 0].all()):
            return y
        return columns[..., values == 0].movedim(-1, self.axis)


def with_finite_columns(model: Model, outputs: Sequence[Tensor]) -> Model:
    """The model, without the columns of its output that are infinite in all of `outputs`."""
    for axis in (-1, 0) if outputs[0].ndim > 1 else (-1,):
        values = infinite_columns([y.movedim(axis, -1).reshape(-1, y.shape[axis]) for y in outputs])
        if any(values) and not all(values):
            names = [str(place) for place, value in enumerate(values) if value]
            note = f"Columns of the output that are infinite for every input are left out: {shortened(names)}."
            adapter = FiniteColumns(model.adapter, axis, outputs[0].ndim, tuple(values))
            return replace(model, adapter=adapter, notes=(*model.notes, note))
    return model


def infinite_columns(rows: Sequence[Tensor]) -> list[float]:
    """The value of each column of rows (S, D) in which all entries are the same infinity, and 0 for the others."""
    if (
        len({part.shape[1] for part in rows}) > 1
        or not rows[0].is_floating_point()
        or all(bool(p.isfinite().all()) for p in rows)
    ):
        return []
    together = torch.cat(list(rows))
    constant = together[0].isinf() & (together == together[0]).all(0)
    return [float(value) for value in torch.where(constant, together[0], 0)]
