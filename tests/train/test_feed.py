"""Batches are the same wherever they are gathered."""

from __future__ import annotations

import pytest
import torch
from torch import Generator

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus, random_starts, windows
from erlangen.train.feed import Feed, fits


def corpus_of(dtype: torch.dtype, starts: bool = False) -> Corpus:
    tokens = torch.randint(5, (900,), generator=Generator().manual_seed(0)).to(dtype)
    allowed = torch.arange(0, 850, 7) if starts else None
    return Corpus(
        name="x", tokenizer=CharacterTokenizer("abcde"), train=tokens, validation=tokens, test=tokens, train_starts=allowed
    )


@pytest.mark.parametrize("starts", [False, True])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_rows_gathered_on_a_device_are_those_gathered_on_the_host(dtype: torch.dtype, starts: bool) -> None:
    corpus = corpus_of(dtype, starts)
    feed = Feed(corpus, 8, torch.device("cpu"))
    assert feed.resident is None
    first = feed.starts(50, Generator().manual_seed(1))
    assert torch.equal(first, random_starts(900, 8, 50, Generator().manual_seed(1), corpus.train_starts))
    host = feed.rows(first)
    feed.resident = corpus.train
    rows = feed.rows(first)
    assert rows.dtype == host.dtype == torch.int64
    assert torch.equal(rows, host)
    inputs, targets = windows(corpus.train, first, 8)
    assert torch.equal(rows[:, :-1], inputs)
    assert torch.equal(rows[:, 1:], targets)


@pytest.mark.parametrize(
    ("free", "tokens", "kept"), [(8 << 30, 1 << 20, True), (1 << 20, 1 << 20, False), (8 << 40, 3 << 30, False)]
)
def test_a_gpu_keeps_what_takes_a_small_part_of_it(free: int, tokens: int, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    corpus = torch.empty(tokens, dtype=torch.uint8, device="meta")
    assert fits(corpus, torch.device("cuda")) == kept
    assert not fits(corpus, torch.device("cpu"))
