"""What is found out of outputs when the model is called on all inputs: rows of numbers, coarse numbers, readings, and gaps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import erlangen
from erlangen.auditing.called_outputs import call_output
from erlangen.auditing.declarations import Declaration
from erlangen.auditing.domain import load_domain
from erlangen.auditing.inputs import generated
from erlangen.auditing.model import Model
from erlangen.auditing.number_rows import NumberRows, with_number_rows
from erlangen.auditing.output_reading import MapAdapter
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.symmetries.reflection import Reflection

IMAGES = torch.stack(generated("images", (3, 12, 12), 8))
TEXTS = generated("texts", (8,), 6, 20)


def of(domain: str, function: Any) -> Model:
    return Model(function=function, adapter=load_domain(domain).adapter(function))


def numbers(x: Tensor) -> Tensor:
    """A number for each point of clouds (B, N, 3)."""
    return x.square().sum(2)


@pytest.mark.parametrize("n", [2, 3, 9])
def test_a_number_for_each_point_is_a_row_and_as_many_features_are_not(n: int) -> None:
    clouds = list(torch.randn(4, n, 3))
    assert isinstance(with_number_rows(of("points", numbers), clouds).adapter, NumberRows)
    features = lambda x: x.mean((1, 2))[:, None] * torch.arange(1.0, n + 1)  # noqa: E731
    assert not isinstance(with_number_rows(of("points", features), clouds).adapter, NumberRows)
    one_length = lambda x: x.flatten(1) @ torch.ones(3 * n, n)  # noqa: E731
    assert not isinstance(with_number_rows(of("points", one_length), clouds).adapter, NumberRows)


def test_a_single_point_is_not_taken_away() -> None:
    sizes = []

    def function(x: Tensor) -> Tensor:
        sizes.append(x.shape[1])
        return numbers(x)

    assert not isinstance(with_number_rows(of("points", function), list(torch.randn(4, 1, 3))).adapter, NumberRows)
    assert set(sizes) <= {1}


def test_vectors_of_inner_layers_are_no_rows_of_numbers() -> None:
    adapter = NumberRows(load_domain("points").adapter(len))
    clouds = list(torch.randn(2, 9, 3))
    assert adapter.split(torch.randn(2, 9), clouds)[0].shape == (9, 1)
    assert adapter.split(torch.randn(2, 5), clouds)[0].shape == (5,)


@pytest.mark.parametrize("domain", ["texts", "points"])
def test_two_numbers_of_two_places_are_asked_as_rows(domain: str) -> None:
    check, model = {
        "texts": ("token-permutation", lambda ids: (ids.double() + 1).log()),
        "points": ("point-permutation", numbers),
    }[domain]
    inputs = generated("texts", (2,), 12, 20) if domain == "texts" else torch.randn(12, 2, 3)
    found = erlangen.audit(model, inputs, [check], domain=domain, where=False).checks[-1]
    assert found.judgment == "exact", found.reason


def test_numbers_are_as_coarse_as_the_output() -> None:
    eps = {
        dtype: call_output(
            load_domain("images"), of("images", lambda x, dtype=dtype: x.mean((2, 3)).to(dtype)), Declaration(), list(IMAGES), []
        ).model.eps
        for dtype in (torch.bfloat16, torch.float32, torch.float64)
    }
    assert eps[torch.bfloat16] == torch.finfo(torch.bfloat16).eps
    assert eps[torch.float32] == eps[torch.float64] == torch.finfo(torch.float32).eps, "no finer than the inputs"


@pytest.mark.parametrize(
    ("dtype", "varies", "judgment"),
    [
        (torch.bfloat16, 0.03, "broken"),
        (torch.float16, 0.005, "not measured"),
        (torch.bfloat16, 0.0, None),
        (torch.float32, 1e-7, None),
        (torch.float32, 0.03, "broken"),
    ],
)
def test_what_varies_by_percents_is_not_left_out_for_coarse_numbers(
    dtype: torch.dtype, varies: float, judgment: str | None
) -> None:
    """Beside an output that does not change under shifts, one that does, by a few percent of its mean."""

    def model(x: Tensor) -> dict[str, Tensor]:
        return {"steady": x.exp().mean((2, 3)), "nearly the same": 1 + varies * x[:, :, 3, 3].tanh()}

    found = erlangen.audit(model, IMAGES.to(dtype), ["translation"], where=False, elements=8)
    assert [output.name for output in found.outputs] == (["steady", "nearly the same"] if judgment else [])
    assert judgment is None or found.checks[-1].judgment == judgment


def test_permuted_classes_are_permuted_while_readings_are_tried() -> None:
    """(12, 12, 12) may be a map or a class for each pixel: what moves along, with exchanged classes, are the pixels."""

    def model(x: Tensor) -> Tensor:
        slopes = [(k + 1) * (x[:, 0].roll(1, -1) - x[:, 0].roll(-1, -1)).tanh() for k in range(6)]
        return torch.stack([side.sinh() for slope in slopes for side in (slope, -slope)], -1)

    cycles = tuple((k, k + 1) for k in range(0, 12, 2))
    found = erlangen.audit(model, IMAGES, ["reflection"], permuted_classes={"reflection": cycles}, where=False)
    assert found.checks[-1].judgment == "exact", found.checks[-1].reason
    for permuted, is_flat in (({"reflection": cycles}, True), ({}, False)):
        declaration = Declaration(None, permuted)
        called = call_output(load_domain("images"), of("images", model), declaration, list(IMAGES), [SymmetryCheck(Reflection())])
        assert isinstance(called.model.adapter, MapAdapter) == is_flat


def test_an_output_that_is_missing_for_some_inputs_is_left_out_with_the_reason() -> None:
    def model(x: Tensor) -> dict[str, Tensor]:
        y = x.mean((2, 3))
        return {"logits": y, "aux": 2 * y} if len(x) > 2 or x[0, 0, 0, 0] == IMAGES[0, 0, 0, 0] else {"logits": y}

    found = erlangen.audit(model, [*IMAGES[:4], *torch.rand(2, 3, 9, 9)], ["repeat"], where=False)
    assert not found.outputs
    note = next(note for note in found.notes if "aux" in note)
    assert "logits is judged, but not aux" in note
    assert "aux" in note.partition("(")[2]
