"""How a symmetry asks a model: what it may refuse, what one input is asked alone, and calls of one size on both sides."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from support.records import series, text
from torch import Tensor

from erlangen.auditing.arrays import Arrays
from erlangen.auditing.domains.texts import Texts, adapter, recognize, special_tokens, with_special
from erlangen.auditing.model import Model
from erlangen.auditing.pair import Pair
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.symmetries.causality import Causality
from erlangen.symmetries.left_padding import LeftPadding
from erlangen.symmetries.series_causality import SeriesCausality
from erlangen.symmetries.text import Text
from erlangen.symmetries.translation import Translation

CHECK = SymmetryCheck(Causality())
TEXTS = [text(12, salt=1), text(7, salt=2), text(12, salt=3), text(7, salt=4), text(12, salt=5)]


def running_sum(ids: Tensor) -> Tensor:
    return ids.double().cumsum(1)[..., None]


def asked(
    function: Callable[..., Tensor], inputs: list[Any], check: SymmetryCheck = CHECK, n: int = 0, adapted: Any = None
) -> list[Pair]:
    model = Model(function=function, adapter=adapted or Texts(), batch_size=4)
    outputs = dict(enumerate(model(inputs)))
    elements = check.draw(model, inputs, outputs, list(outputs), n, np.random.default_rng(0))
    return list(check.pairs(model, inputs, outputs, elements))


def differences(found: list[Pair]) -> list[float]:
    return [float((pair.expected - pair.actual).abs().max()) for pair in found]


@pytest.mark.parametrize("n", [0, 8])
def test_a_model_of_one_length_refuses_others_and_fails_nowhere(n: int) -> None:
    def fixed(ids: Tensor) -> Tensor:
        if ids.shape[1] not in (7, 12):
            raise ValueError("no such length")
        return running_sum(ids)

    found = asked(fixed, TEXTS, n=n)
    refused = [pair for pair in found if pair.refused]
    assert refused
    assert all(pair.element.change == "cut" and "no such length" in pair.refused for pair in refused)
    assert not any(pair.failure for pair in found)
    assert max(differences([pair for pair in found if not pair.refused])) == 0


def test_a_prefix_that_is_not_finite_is_refused() -> None:
    def normalized(x: Tensor) -> Tensor:
        return torch.where(torch.tensor(x.shape[-1] == 1), torch.nan, x)

    found = asked(normalized, [series()], SymmetryCheck(SeriesCausality()), adapted=Arrays(True))
    assert {pair.refused for pair in found if pair.element.change == "cut" and pair.element.t == 0} == {"NaN or infinity"}
    assert sum(bool(pair.refused) for pair in found) == 1


def test_what_fails_without_being_optional_is_a_failure() -> None:
    def picky(ids: Tensor) -> Tensor:
        if bool((ids == 0).any()):
            raise ValueError("no padding here")
        return running_sum(ids)

    found = asked(picky, TEXTS)
    assert {pair.element.change for pair in found if pair.failure} == {"padding"}


@pytest.mark.parametrize("n", [0, 3])
def test_every_cut_of_the_shortest_text_is_asked_once(n: int) -> None:
    found = asked(running_sum, TEXTS, n=n)
    swept = [pair.element.t for pair in found if pair.input == 1 and pair.element.change == "others" and pair.element.seed == 1]
    assert sorted(swept) == list(range(6))
    if n:
        assert {pair.input for pair in found if pair.element.seed == 1} == {1}


def test_elements_are_those_that_fit_each_output() -> None:
    """Inputs of one size whose outputs have a stride of 2 and of 4."""
    outputs = {0: torch.zeros(5, 8, 8), 1: torch.zeros(5, 4, 4)}
    model = Model(function=len, adapter=Arrays())
    drawn = SymmetryCheck(Translation()).draw(model, [torch.zeros(3, 16, 16)] * 2, outputs, [0, 1], 6, np.random.default_rng(0))
    for i, stride in ((0, 2), (1, 4)):
        assert len(drawn[i]) == 6
        assert all(step % stride == 0 for g in drawn[i] for step in g)


def test_both_sides_come_from_calls_of_one_size() -> None:
    """A model whose answers say how many inputs share a call is causal all the same."""
    sizes = []

    def sized(ids: Tensor) -> Tensor:
        sizes.append(len(ids))
        return running_sum(ids) + 100 * len(ids)

    for inputs in (TEXTS, TEXTS[:1]):
        found = asked(sized, inputs)
        assert max(differences(found)) == 0
    assert max(sizes) == 4


def test_many_cuts_of_one_text_share_calls() -> None:
    calls = []

    def watched(ids: Tensor) -> Tensor:
        calls.append(ids.shape)
        return running_sum(ids)

    x = text(60)
    found = asked(watched, [x], n=1)
    assert len(found) == 60
    whole = [shape for shape in calls if shape[1] == 60]
    assert len(whole) <= 1 + 15 + 2  # the output, 59 cuts by fours, and references of two sizes


def test_the_scope_is_that_of_the_text_that_is_swept() -> None:
    outputs = {i: running_sum(x.ids[None])[0] for i, x in enumerate(TEXTS)}
    assert CHECK.scope(TEXTS, outputs).startswith("every cut of a text of 7 tokens, prefixes of 1, 2, 3, 5 and 6 tokens")
    assert SymmetryCheck(LeftPadding()).scope(TEXTS, outputs) == ""


class Configured:
    def __init__(self, **values: Any) -> None:
        self.config = type("Config", (), values)()


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        (Configured(pad_token_id=1, eos_token_id=2), (1, 2)),
        (Configured(pad_token_id=None, eos_token_id=[7, 9]), (None, 7)),
        (Configured(pad_token_id=-1, eos_token_id=True), (None, None)),
        (Configured(), (None, None)),
        (object(), (None, None)),
    ],
)
def test_special_tokens_come_from_the_config(model: object, tokens: tuple[int | None, int | None]) -> None:
    assert special_tokens(model) == tokens


def test_texts_keep_special_tokens_of_their_own() -> None:
    plain, own = Text(torch.arange(4), 9), Text(torch.arange(4), 9, padding=5, end=6)
    first, second = with_special([plain, own], 1, 2)
    assert (first.padding, first.end) == (1, 2)
    assert (second.padding, second.end) == (5, 6)
    (kept,) = with_special([plain], None, None)
    assert (kept.ids is plain.ids, kept.padding, kept.end) == (True, plain.padding, plain.end)  # Python 3.13 compares tensors


def test_a_decoder_is_called_with_its_encoders_input() -> None:
    def forward(input_ids: Tensor, decoder_input_ids: Tensor, decoder_attention_mask: Tensor | None = None) -> Tensor:
        return input_ids.double().mean(1)[:, None, None] * running_sum(decoder_input_ids)

    batch = {
        "input_ids": torch.arange(12).view(3, 4),
        "decoder_input_ids": torch.arange(1, 16).view(3, 5),
        "decoder_attention_mask": torch.ones(3, 5),
    }
    texts = recognize(batch)
    assert texts is not None
    assert [x.fixed["input_ids"].tolist() for x in texts] == batch["input_ids"].tolist()
    model = Model(function=forward, adapter=adapter(forward))
    assert torch.equal(torch.stack(model(texts)), forward(batch["input_ids"], batch["decoder_input_ids"]))
    assert max(differences(asked(forward, texts, adapted=adapter(forward)))) == 0
    padded = recognize({**batch, "decoder_attention_mask": torch.tensor([[0, 1, 1, 1, 1]]).expand(3, -1)})
    assert padded is not None
    assert [len(x) for x in padded] == [4, 4, 4]
