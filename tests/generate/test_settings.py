"""Every option changes the texts of every decoder, and to the same: none is ignored. Options that make no sense are named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Tensor

from erlangen.errors import ErlangenError
from erlangen.generate.captured import CapturedDecoder
from erlangen.generate.decode import Reader, generate
from erlangen.generate.fast import fast_decoder
from erlangen.generate.settings import Settings
from erlangen.models.gpt import GPT, GPTConfig

OPTIONS: dict[str, dict[str, Any]] = {
    "temperature": {"temperature": 0.5},
    "top_k": {"top_k": 2},
    "top_p": {"top_p": 0.5},
    "min_p": {"min_p": 0.5},
    "typical_p": {"typical_p": 0.4},
    "min_tokens_to_keep": {"top_k": 1, "typical_p": 0.1, "min_p": 1.0, "top_p": 0.1, "min_tokens_to_keep": 3},
    "repetition_penalty": {"repetition_penalty": 2.0},
    "no_repeat_ngram_size": {"no_repeat_ngram_size": 2},
    "seed": {"seed": 9},
}
"""An option and a value that has an effect."""
DECODERS: dict[str, Callable[[GPT], Reader | None]] = {
    "plain": lambda model: None,
    "fast": lambda model: fast_decoder(model, 4, "float32"),
    "fast, plain products": lambda model: fast_decoder(model, 4, "plain"),
    "captured": lambda model: CapturedDecoder(model, 4, torch.float32),
}


@pytest.fixture(scope="module")
def model() -> GPT:
    torch.manual_seed(0)
    gpt = GPT(GPTConfig(vocabulary=13, block=16, layers=2, heads=2, width=64))
    with torch.no_grad():
        for parameter in gpt.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return gpt.eval()


def written(model: GPT, decoder: str, **options: Any) -> Tensor:
    prompt = torch.randint(13, (4, 5), generator=torch.Generator().manual_seed(1))
    return generate(model, prompt, 30, settings=Settings(**options), read=DECODERS[decoder](model))


def test_every_option_is_tried() -> None:
    assert {*OPTIONS} == {field.name for field in fields(Settings)}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("decoder", DECODERS)
def test_every_option_has_its_effect_in_every_decoder(model: GPT, decoder: str, option: str) -> None:
    without = {name: value for name, value in OPTIONS[option].items() if name != option}
    text = written(model, decoder, **OPTIONS[option])
    assert not torch.equal(text, written(model, decoder, **without))
    assert torch.equal(text, written(model, "plain", **OPTIONS[option]))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("cut", ["top_k", "top_p", "min_p", "typical_p"])
def test_each_filter_keeps_the_least_number_in_every_decoder(model: GPT, decoder: str, cut: str) -> None:
    value = 1 if cut == "top_k" else 1.0 if cut == "min_p" else 0.01
    text = written(model, decoder, **{cut: value}, min_tokens_to_keep=4, temperature=3.0)
    assert torch.equal(text, written(model, "plain", **{cut: value}, min_tokens_to_keep=4, temperature=3.0))
    if cut != "typical_p":  # without it the likeliest token alone is left
        assert torch.equal(written(model, decoder, **{cut: value}), written(model, "plain", temperature=0))
        assert not torch.equal(text, written(model, "plain", temperature=0))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_k", 0),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("min_p", -0.1),
        ("min_p", 2.0),
        ("typical_p", 0.0),
        ("typical_p", 1.5),
        ("typical_p", float("nan")),
        ("min_tokens_to_keep", 0),
        ("repetition_penalty", 0.0),
        ("no_repeat_ngram_size", 0),
        ("seed", -1),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_as_the_command_has_it(option: str, value: float) -> None:
    with pytest.raises(ErlangenError, match=f"^--{option.replace('_', '-')} {value}"):
        Settings(**{option: value})
