"""Repeated n-grams: oracle is a set of the n-grams of a list; the same with room for more; texts that cannot continue."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, strategies as st

from erlangen.errors import ErlangenError
from erlangen.generate.captured import CapturedDecoder
from erlangen.generate.decode import generate
from erlangen.generate.filters import choose
from erlangen.generate.ngrams import WrittenText, removable, repeated_ngrams
from erlangen.generate.settings import Settings
from erlangen.models.gpt import GPT, GPTConfig

VOCABULARY = 5


def completed(text: list[int], n: int) -> list[bool]:
    """For each token, whether the n-gram that it completes is in the text."""
    grams = {tuple(text[i : i + n]) for i in range(len(text) - n + 1)}
    return [(*text[len(text) - n + 1 :], token) in grams for token in range(VOCABULARY)]


@given(st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=30), st.integers(1, 6), st.integers(0, 9))
def test_the_tokens_are_those_that_complete_an_ngram_of_the_text(text: list[int], n: int, more: int) -> None:
    rows = torch.tensor([text, text[::-1]])
    expected = torch.tensor([completed(text, n), completed(text[::-1], n)])
    assert torch.equal(repeated_ngrams(rows, n, VOCABULARY), expected)
    room = torch.cat([rows, torch.zeros(2, more, dtype=torch.int64)], 1)  # token 0 is in the room, not in the text
    assert torch.equal(repeated_ngrams(room, n, VOCABULARY, torch.tensor([len(text)])), expected)


def test_a_token_beyond_the_vocabulary_counts_only_as_context() -> None:
    text = torch.tensor([[7, 1, 9, 7]])
    assert repeated_ngrams(text, 2, VOCABULARY).tolist() == [[False, True, False, False, False]]
    assert not repeated_ngrams(text[:, :3], 1, VOCABULARY)[0, [0, 2, 3, 4]].any()


def test_written_text_keeps_its_tokens_when_it_moves_to_larger_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlangen.generate.ngrams.LEAST", 64)
    written, prompt = WrittenText(2, torch.device("cpu")), torch.arange(12).view(2, 6)
    written.begin(prompt)
    rooms = set()
    for number in range(200):
        written.make_room(6 + number + 1)
        written.append(torch.tensor([number, -number]))
        rooms.add(written.room)
    assert rooms == {64, 128, 256}
    assert int(written.length) == 206
    assert torch.equal(written.tokens[:, :206], torch.cat([prompt, torch.stack([torch.arange(200), -torch.arange(200)])], 1))
    written.begin(prompt[:, :1])
    assert (int(written.length), written.room) == (1, 256)


def model() -> GPT:
    torch.manual_seed(0)
    return GPT(GPTConfig(vocabulary=VOCABULARY, block=16, layers=1, heads=1, width=8)).double().eval()


@pytest.mark.parametrize("captured", [False, True])
def test_no_ngram_occurs_twice_and_a_text_that_cannot_continue_is_an_error(captured: bool) -> None:
    gpt = model()
    read = CapturedDecoder(gpt, 3, torch.float64) if captured else None
    prompt = torch.tensor([[0, 1], [1, 2], [3, 3]])
    for temperature in (0.0, 1.0):
        text = generate(gpt, prompt, 14, settings=Settings(temperature=temperature, no_repeat_ngram_size=2), read=read)
        for row in text.tolist():
            assert len({*itertools.pairwise(row)}) == 15
    assert len({*generate(gpt, prompt[:1], 3, settings=Settings(no_repeat_ngram_size=1))[0].tolist()}) == 5
    for n, length in ((1, 4), (2, 30)):
        with pytest.raises(ErlangenError, match=f"--no-repeat-ngram-size {n}: every token would repeat"):
            generate(gpt, prompt, length, settings=Settings(no_repeat_ngram_size=n), read=read)


@pytest.mark.parametrize("captured", [False, True])
def test_a_row_that_has_ended_cannot_fail_the_others(captured: bool) -> None:
    """Token v is followed by v + 1, and 4 ends a text. Row 1 ends at once; the 1-grams of both would then be used up."""
    gpt, stop = model(), 4
    with torch.no_grad():
        gpt.embed.weight.copy_(torch.eye(VOCABULARY, 8))
        gpt.head.weight.copy_(torch.eye(VOCABULARY, 8).roll(1, 0))
        for block in gpt.blocks:
            for name in ("attention.out", "mlp.down"):
                block.get_submodule(name).weight.zero_()  # type: ignore[operator]
    read = CapturedDecoder(gpt, 2, torch.float64) if captured else None
    settings = Settings(temperature=0, no_repeat_ngram_size=1)
    text = generate(gpt, torch.tensor([[0, 0, 0, 0], [0, 1, 2, 3]]), 10, settings=settings, stop=stop, read=read)
    assert text.tolist() == [[0, 0, 0, 0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 4, 4, 4]]


def test_rows_without_a_token_keep_all_and_are_named() -> None:
    banned, stuck = removable(torch.tensor([[True, False], [True, True]]))
    assert banned.tolist() == [[True, False], [False, False]]
    assert stuck.tolist() == [False, True]


def test_a_choice_ignores_a_row_that_has_ended() -> None:
    logits, previous, uniform = torch.zeros(2, 2), torch.tensor([[0, 1], [0, 0]]), torch.zeros(2, dtype=torch.float64)
    settings = Settings(no_repeat_ngram_size=1)
    assert choose(logits, settings, uniform, previous, torch.tensor([True, False]))[1] == 1
    with pytest.raises(ErlangenError, match="every token"):
        choose(logits, settings, uniform, previous, torch.tensor([False, True]))
