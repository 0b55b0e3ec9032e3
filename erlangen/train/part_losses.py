"""Losses of the train, validation or test part of a corpus, in the precision of a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from erlangen.data.corpus import Corpus
from erlangen.measure.token_loss import How, aligned_losses, token_losses
from erlangen.models.gpt import GPT
from erlangen.train.precision import HALVES, Precision, arithmetic

Part = Literal["train", "validation", "test"]


def part_losses(
    model: GPT,
    corpus: Corpus,
    part: Part,
    precision: Precision = "float32",
    limit: int | None = None,
    how: How = "windows",
    tell: Callable[[int], None] = lambda n: None,
) -> tuple[Tensor, Tensor]:
    """The loss in nats of each token of a part, (n,), in order, and the positions of these tokens, (n,).

    Each token is scored once, in windows of the model's block; `how` names the kind of windows, see
    `erlangen.measure.token_loss`. If it is known where the part's documents begin, windows hold whole documents. limit: only the
    first `limit` tokens, but at least one document. tell: see `token_losses`.
    """
    with arithmetic(model.embed.weight.device, "tf32" if precision == "tf32" else "float32"):  # halves: see `autocast` below
        return _part_losses(model, corpus, part, HALVES.get(precision), limit, how, tell)


def _part_losses(
    model: GPT, corpus: Corpus, part: Part, products: torch.dtype | None, limit: int | None, how: How, tell: Callable[[int], None]
) -> tuple[Tensor, Tensor]:
    tokens: Tensor = getattr(corpus, part)
    starts, block = document_starts(corpus, part), model.config.block
    if starts is None:
        tokens = tokens[: limit and limit + 1]
        return token_losses(model, tokens, block, how=how, autocast=products, tell=tell), torch.arange(1, len(tokens))
    if limit is not None and limit < len(tokens):
        whole = max(int(torch.searchsorted(starts, limit, right=True)) - 1, 1)  # documents that end within the limit
        tokens, starts = tokens[: int(starts[whole])] if whole < len(starts) else tokens, starts[:whole]
    return aligned_losses(model, tokens, starts, block, autocast=products, tell=tell)


def document_starts(corpus: Corpus, part: Part) -> Tensor | None:
    """The positions at which the documents of a part begin, (documents,); None if they are not known."""
    if part != "train":
        return corpus.validation_starts if part == "validation" else corpus.test_starts
    if corpus.train_starts is None:
        return None
    return torch.cat([torch.zeros(1, dtype=torch.int64), corpus.train_starts + 1])  # a training window starts at the END before
