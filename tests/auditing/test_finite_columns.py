"""Columns of an output that are infinite for every input, and outputs in rows that are one vector."""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor

from erlangen.auditing.arrays import Arrays
from erlangen.auditing.domain import load_domain
from erlangen.auditing.finite_columns import with_finite_columns
from erlangen.auditing.model import Model
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.auditing.vector_outputs import as_vector
from erlangen.symmetries.causality import Causality
from erlangen.symmetries.point_permutation import PointPermutation
from erlangen.symmetries.text import Text

LOGITS = torch.arange(12.0).view(3, 4)
NEVER = torch.tensor([False, True, False, True])


def adapted(*outputs: Tensor) -> Model:
    return with_finite_columns(Model(function=len, adapter=Arrays()), outputs)


def split(model: Model, *outputs: Tensor) -> list[Tensor]:
    return model.adapter.split(torch.stack(outputs), [torch.zeros(3, 8, 8)] * len(outputs))


def test_columns_that_are_always_infinite_are_left_out() -> None:
    y = LOGITS.masked_fill(NEVER, -inf)
    model = adapted(*y)
    assert torch.equal(torch.stack(split(model, *y)), LOGITS[:, ~NEVER])
    assert model.notes == ("Columns of the output that are infinite for every input are left out: 1 and 3.",)
    y[1, 3] = inf  # another infinity, and a number in their place
    assert torch.equal(split(model, y[1])[0], y[1])
    assert torch.equal(split(model, LOGITS[0])[0], LOGITS[0])
    assert torch.equal(split(model, LOGITS[0, :3])[0], LOGITS[0, :3])


def test_nothing_is_left_out_of_other_outputs() -> None:
    y = LOGITS.masked_fill(NEVER, -inf)
    y[0, 1] = inf
    y[2, 3] = 0
    for outputs in (LOGITS, y, torch.full((3, 4), -inf), torch.full((3, 4), torch.nan), LOGITS.long()):
        assert not adapted(*outputs).notes


def test_channels_of_a_map_are_columns_too() -> None:
    y = torch.rand(2, 4, 5, 6)
    y[:, 2] = inf
    model = adapted(*y)
    assert [tuple(part.shape) for part in split(model, *y)] == [(3, 5, 6)] * 2
    assert torch.equal(split(model, *y)[1], y[1, [0, 1, 3]])
    last = y.movedim(1, -1)
    assert torch.equal(split(adapted(*last), *last)[1], last[1][..., [0, 1, 3]])


def test_rows_read_as_a_vector_move_as_one() -> None:
    x, y = torch.randn(7, 3), torch.randn(4, 3)
    check = as_vector(SymmetryCheck(PointPermutation()), y).symmetry
    g = PointPermutation().generators(x)[0]
    expected, actual = check.align(y, y + 1, g, x)
    assert torch.equal(expected, y)
    assert torch.equal(actual, y + 1)
    inner, same = check.align(x, x, g, x)  # the rows of an inner layer are points
    assert torch.equal(inner, PointPermutation().act(x, g))
    assert torch.equal(same, x)
    text = Text(torch.arange(7), 9)
    causal = as_vector(SymmetryCheck(Causality()), y).symmetry
    assert causal.align(y, y, Causality().generators(text)[0], text) is None  # as of any vector


def test_the_adapters_of_domains_leave_finite_outputs_alone() -> None:
    model = Model(function=len, adapter=load_domain("points").adapter(len))
    assert with_finite_columns(model, [LOGITS, LOGITS]) is model
