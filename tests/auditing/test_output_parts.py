"""What a model returns, taken apart by name, and which parts of it are judged."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from auditing.oracles.several_outputs import Answer
from torch import Tensor, nn

import erlangen
from erlangen.auditing.choice import Choice, shortened
from erlangen.auditing.containers import DEPTH, parts_of, tensors_of
from erlangen.auditing.domain import load_domain
from erlangen.auditing.inputs import generated
from erlangen.auditing.judged import choose
from erlangen.auditing.model import Model
from erlangen.auditing.part import named_outputs

A, B = torch.zeros(2, 3), torch.ones(2, 4)
IMAGES = torch.stack(generated("images", (3, 12, 12), 8))
TEXTS = generated("texts", (10,), 8, 20)
Pair = namedtuple("Pair", "classes boxes")


@dataclass
class Scores:
    """One that can also be called."""

    scores: Tensor
    _raw: Tensor

    def __call__(self) -> Tensor:
        return self.scores


class Plain:
    def __init__(self) -> None:
        self.second, self._hidden, self.first = A, torch.zeros(2), B


class OneSlot:
    __slots__ = "only"

    def __init__(self) -> None:
        self.only = A


@pytest.mark.parametrize(
    ("output", "names"),
    [
        (A, [""]),
        ((A, [B, A.clone()]), ["0", "1.0", "1.1"]),
        ({"a": A, "more": [{"b": B}]}, ["a", "more.0.b"]),
        (Pair(A, B), ["classes", "boxes"]),
        (Answer(A, B), ["classes", "features"]),
        (Scores(A, B), ["scores", "_raw"]),
        (Plain(), ["second", "first"]),
        (OneSlot(), ["only"]),
        (named_outputs({"boxes": A, "scores": B}), ["boxes", "scores"]),
        (named_outputs({"boxes": A}), [""]),
        ({"a": A, "again": A}, ["a"]),
        ({"a": Scores, "b": nn.Linear(2, 2), "c": len, "d": "text", "e": None}, []),
    ],
)
def test_every_tensor_has_its_path_for_a_name(output: Any, names: list[str]) -> None:
    assert list(tensors_of(output)) == names


def test_containers_are_opened_to_some_depth() -> None:
    def nested(depth: int) -> Any:
        return A if not depth else [nested(depth - 1)]

    assert list(tensors_of(nested(DEPTH))) == [".".join("0" * DEPTH)]
    assert not tensors_of(nested(DEPTH + 1))
    assert DEPTH >= 4
    assert parts_of(3) == {}


def test_a_choice_keeps_the_reasons_that_it_had() -> None:
    choice = Choice(("a", "b", "c"), {"d": "a cache"})
    assert choice.only_main("declared") == Choice(("a",), {"b": "declared", "c": "declared", "d": "a cache"})
    assert choice.without({"b": "constant"}) == Choice(("a", "c"), {"d": "a cache", "b": "constant"})
    assert Choice(("a",), {"b": "x", "c": "y", "d": "x"}).notes() == (
        "Of what the model returns, a is judged, but not b and d (x); c (y); select='NAME' judges one alone.",
    )


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("a", "a"),
        ("ab", "a and b"),
        ("abc", "a, b and c"),
        ("abcdef", "a, b, c, d, e and f"),
        ("abcdefghi", "a, b, c, d, e, f and 3 more"),
    ],
)
def test_many_names_are_shortened(names: str, text: str) -> None:
    assert shortened(list(names)) == text


def chosen(domain: str, inputs: Any, outputs: list[dict[str, Tensor]], wanted: tuple[str, ...] = ()) -> Choice:
    kind = load_domain(domain)
    model = Model(function=len, adapter=kind.adapter(lambda x: x))
    return choose(model, kind, "main", outputs, [inputs[:1], inputs[:2]], wanted)


def two(*shape: int) -> list[Tensor]:
    """For one input and for two."""
    return [torch.ones(1, *shape), torch.ones(2, *shape)]


@pytest.mark.parametrize(
    ("domain", "name", "parts", "why"),
    [
        ("texts", "scores", two(10, 4), None),
        ("texts", "mems", two(10, 4), "a cache"),
        ("texts", "past_key_values.0.1", two(2, 10, 4), "a cache"),
        ("texts", "hidden_states.1", two(10, 4), "of inner layers"),
        ("texts", "weights", two(2, 10, 10), "a number for each pair of positions"),
        ("texts", "channels", two(4, 10), None),
        ("points", "weights", two(10, 10), "a number for each pair of positions"),
        ("texts", "loss", [torch.ones(()), torch.ones(())], "one value for the whole batch"),
        ("texts", "first", [torch.ones(1, 4), torch.ones(1, 4)], "no part for each input"),
        ("texts", "gram", [torch.ones(1, 1), torch.ones(2, 2)], "its shape depends on the batch"),
        ("texts", "empty", two(0), "no part for each input"),
        ("texts", "ids", [part.long() for part in two(10)], "integers: ids or a mask"),
        ("images", "square", two(3, 12, 12), None),
    ],
)
def test_what_is_judged_and_why_not(domain: str, name: str, parts: list[Tensor], why: str | None) -> None:
    inputs = {"texts": TEXTS, "images": list(IMAGES), "points": list(torch.randn(2, 10, 3))}[domain]
    found = chosen(domain, inputs, [{"main": main, name: part} for main, part in zip(two(5), parts, strict=True)])
    assert list(found.left_out.items()) == ([] if why is None else [(name.partition(".")[0], why)])
    assert found.names == (("main", name) if why is None else ("main",))
    wanted = chosen(domain, inputs, [{"main": main, name: part} for main, part in zip(two(5), parts, strict=True)], (name,))
    assert (name in wanted.names) == (
        why not in ("no part for each input", "one value for the whole batch", "its shape depends on the batch")
    )


def test_at_most_sixteen_outputs_are_judged_but_for_those_declared() -> None:
    outputs = [{"main": main} | {f"y{k}": part for k in range(20)} for main, part in zip(two(5), two(3), strict=True)]
    found = chosen("images", list(IMAGES), outputs, ("y18",))
    assert found.names == ("main", *[f"y{k}" for k in range(15)], "y18")
    assert set(found.left_out.values()) == {"beyond the first 16"}


def test_the_parts_of_a_batch_of_fixed_size_are_those_of_all_its_inputs() -> None:
    kind = load_domain("images")
    model = Model(function=len, adapter=kind.adapter(lambda x: x), fixed_batch=4)
    outputs = {"main": torch.ones(4, 5), "other": torch.ones(4, 3), "alone": torch.ones(1, 3)}
    assert choose(model, kind, "main", [outputs], [list(IMAGES[:1])]).names == ("main", "other")


def test_the_main_output_is_the_one_that_libraries_call_so() -> None:
    def model(x: Tensor) -> dict[str, Tensor]:
        return {"hidden": x.amax((2, 3)), "logits": x.amin((2, 3))[:, :2]}

    found = erlangen.audit(model, IMAGES, "repeat", where=False, only_exact=True)
    assert [(output.name, output.shape) for output in found.outputs] == [("logits", "2"), ("hidden", "3")]


def test_both_outputs_of_a_model_of_one_input_at_a_time_are_judged() -> None:
    def model(x: Tensor) -> tuple[Tensor, Tensor]:
        (one,) = x
        return one.amax((1, 2))[None], one[None]

    found = erlangen.audit(model, IMAGES, "translation", where=False, only_exact=True)
    assert [output.name for output in found.outputs] == ["0", "1"]
    assert found.checks[-1].judgment == "exact"


def test_a_vector_beside_a_map_has_no_spread_over_a_single_input() -> None:
    found = erlangen.audit(lambda x: (x, x.amax((2, 3))), IMAGES[:1], "repeat", where=False)
    assert not found.outputs
    assert "0 is judged, but not 1 (the same for every input)" in " ".join(found.notes)


def test_a_main_output_that_cannot_be_judged_is_a_failure() -> None:
    def model(x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, :, :, : 3 + int(x[0, 0, 0, 0] > IMAGES[:4, 0, 0, 0].mean())].flatten(1), x.amax((2, 3))

    with pytest.raises(erlangen.auditing.ModelError, match="features"):
        erlangen.audit(model, IMAGES, "repeat", where=False, batch_size=1)


@pytest.mark.parametrize(("output", "shape"), [(None, "10 × 1"), ("vector", "10")])
def test_numbers_declared_as_a_vector_are_no_rows(output: str | None, shape: str) -> None:
    def model(ids: Tensor) -> Tensor:
        return ids.float().cumsum(1)

    assert erlangen.audit(model, TEXTS, "repeat", domain="texts", where=False, output=output).output == shape
