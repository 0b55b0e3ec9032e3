"""The worst pair of a check, run again layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from erlangen.auditing.conditions import BatchComposition, among
from erlangen.auditing.layers import locate
from erlangen.auditing.model import Model
from erlangen.auditing.pair import Check, Outputs
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.auditing.tally import Bad
from erlangen.records.audit import Breaks

MOST = 4  # inputs


def broken_at(check: Check, model: Model, inputs: Sequence[Any], outputs: Outputs, few: Sequence[int], bad: Bad) -> Breaks | None:
    """Where the layers part; None for checks that have no two calls to compare, and models without layers."""
    if model.module is None:
        return None
    if isinstance(check, BatchComposition):
        batch, place = among(inputs, bad.input, bad.element or (bad.input,))
        return locate(model, [inputs[bad.input]], batch, lambda i, y, y_g: (y, y_g), bad.label, keep=1, start=place)
    if not isinstance(check, SymmetryCheck):
        return None
    key = model.adapter.key(inputs[bad.input])
    chosen = [bad.input, *(i for i in few if i != bad.input and model.adapter.key(inputs[i]) == key)][:MOST]
    symmetries = [check.symmetry.fitted(inputs[i], outputs[i]) for i in chosen]
    moved = [symmetry.act(inputs[i], bad.element) for symmetry, i in zip(symmetries, chosen, strict=True)]
    reference = [symmetry.reference(inputs[i], bad.element) for symmetry, i in zip(symmetries, chosen, strict=True)]

    def align(place: int, y: Tensor, y_g: Tensor) -> tuple[Tensor, Tensor] | None:
        return symmetries[place].align(y, y_g, bad.element, inputs[chosen[place]])

    return locate(model, reference, moved, align, bad.label, keep=len(chosen))
