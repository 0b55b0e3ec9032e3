"""A pytest plugin: transformers' own tests then run our filters under the names of its logits processors.

python -m pytest -p peers.swap_transformers .../transformers/tests/generation/test_logits_process.py

A class here only translates the call: `filter_value` stands for -inf, `prompt_ignore_length` cuts the tokens that are given to
our penalty, and texts that are packed into one row are given to it one by one. Each test's number of calls of ours is in the
property `ours` of the XML report.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
import transformers
import transformers.generation
from torch import Tensor

from erlangen.generate import filters
from erlangen.generate.ngrams import removable, repeated_ngrams

OUT = float("-inf")
calls = 0


class Swapped:
    """A logits processor (input_ids (B, t), scores (B, V)) -> scores that calls one of our filters."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], filter_value: float = OUT) -> None:
        self.function, self.filter_value = function, filter_value
        self.packed: tuple[Tensor, Tensor] | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        global calls
        calls += 1
        if self.packed is not None:
            return self.of_each(input_ids, scores, *self.packed)
        assert scores.ndim == 2, "ours take scores (B, V)"
        kept = self.function(input_ids, scores)
        return torch.where((kept == OUT) & (scores != OUT), self.filter_value, kept)

    def set_continuous_batching_context(self, ends: Tensor, bounds: Tensor) -> None:
        """Texts follow one another in a single row from now on: text i from bounds[i] to bounds[i + 1], its scores at ends[i]."""
        self.packed = ends, bounds

    def of_each(self, ids: Tensor, scores: Tensor, ends: Tensor, bounds: Tensor) -> Tensor:
        """Packed ids (T,) and scores (1, T, V) with those at each text's end filtered, a text at a time."""
        scores = scores.clone()
        for end, text in zip(ends.tolist(), torch.tensor_split(ids, bounds[1:-1].cpu()), strict=True):
            scores[:, end] = self.function(text[None], scores[:, end])
        return scores


def cutting(cut: Callable[[Tensor, Any, int], Tensor]) -> Callable[..., Swapped]:
    """The class of a filter that cuts, called as transformers' is: (limit, filter_value, min_tokens_to_keep)."""

    def swapped(limit: float = 0.9, filter_value: float = OUT, min_tokens_to_keep: int = 1, **named: float) -> Swapped:
        limit = named.get("mass", named.get("top_k", named.get("top_p", named.get("min_p", limit))))
        return Swapped(lambda _, scores: cut(scores, limit, min_tokens_to_keep), filter_value)

    return swapped


def penalty(penalty: float, prompt_ignore_length: int = 0) -> Swapped:
    return Swapped(lambda ids, scores: filters.repetition_penalty(scores, ids[:, prompt_ignore_length:], penalty))


def no_repetition(ngram_size: int) -> Swapped:
    def without(ids: Tensor, scores: Tensor) -> Tensor:
        return scores.masked_fill(removable(repeated_ngrams(ids, ngram_size, scores.shape[-1]))[0], OUT)

    return Swapped(without)


def heat(temperature: float) -> Swapped:
    return Swapped(lambda _, scores: filters.temperature(scores, temperature))


OURS: dict[str, Callable[..., Swapped]] = {
    "TemperatureLogitsWarper": heat,
    "TopKLogitsWarper": cutting(filters.top_k),
    "TopPLogitsWarper": cutting(filters.top_p),
    "MinPLogitsWarper": cutting(filters.min_p),
    "TypicalLogitsWarper": cutting(filters.typical_p),
    "RepetitionPenaltyLogitsProcessor": penalty,
    "NoRepeatNGramLogitsProcessor": no_repetition,
}


def ids_tensor(shape: tuple[int, ...], vocab_size: int) -> Tensor:
    """Random tokens, as the function of this name in transformers' tests."""
    return torch.randint(vocab_size, shape)


def module(name: str, **attributes: object) -> ModuleType:
    """A module in the place of one that the file uses little of, and that imports all models and torchvision."""
    made = ModuleType(name)
    vars(made).update(attributes)
    return made


def pytest_configure() -> None:
    """Put ours in the place of transformers', before any test file is imported."""
    for stub in (
        module("tests.test_modeling_common", ids_tensor=ids_tensor),
        module("transformers.testing_utils", require_torch=lambda test: test, torch_device="cpu"),
    ):
        sys.modules[stub.__name__] = stub
    for name, ours in OURS.items():
        setattr(transformers, name, ours)
        setattr(transformers.generation, name, ours)


def pytest_runtest_setup() -> None:
    global calls
    calls = 0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    item.user_properties.append(("ours", calls))
