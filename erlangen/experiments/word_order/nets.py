"""The nets of `word-order`: a Transformer with or without positions, and a predictor that is unordered by construction."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.experiments.word_order.tasks import Puzzle, Sentences, Text
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.nn.attention import context


class Reader(nn.Module):
    """tokens (B, T) -> logits (B, T - start, vocabulary): a GPT, or with `encoder` the same net without the causal mask.

    leak: the size of a signal that tells the position of every token, as a share of the embeddings' root mean square:

        h_p = embed(x_p) + leak · rms(embed) · √2 sin((1 + i) p),   feature i, position p

    A net without positions has leak 0; a leak of 0.01 is what a measure of order must be able to see.
    """

    def __init__(self, config: GPTConfig, encoder: bool) -> None:
        super().__init__()
        self.gpt, self.encoder, self.leak = GPT(config), encoder, 0.0

    def forward(self, tokens: Tensor, start: int = 0) -> Tensor:
        h = self.gpt.embedded(tokens)  # (B, T, width)
        if self.leak:
            h = h + self.leak * self.gpt.embed.weight.square().mean().sqrt() * signal(h)
        seen = context(self.gpt.config.layer(), tokens.shape[1], h, training=self.training)
        if self.encoder:  # every token sees every other
            seen = replace(seen, form="fused", bias=None, plain_causal=False)
        for layer, block in enumerate(self.gpt.blocks):
            h = block(h, seen, layer)
        return self.gpt.unembed(h[:, start:])


def signal(h: Tensor) -> Tensor:
    """A fixed row of unit mean square for each position, (T, width), as long and wide as h (B, T, width)."""
    position, feature = (torch.arange(size, dtype=h.dtype) for size in h.shape[1:])
    return math.sqrt(2) * torch.sin(position[:, None] * (1 + feature))


class Bag(nn.Module):
    """tokens (B, T) -> logits (B, T - start, vocabulary), from how often each token came so far and which one came last:

        logits_t = MLP(√n_t, x_t),   n_t(v) = number of s ≤ t with x_s = v

    That is all there is to know about a text but for the order of the tokens before the last.
    """

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.first, self.second = nn.Linear(2 * vocabulary, width), nn.Linear(width, width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor, start: int = 0) -> Tensor:
        last = F.one_hot(tokens, self.vocabulary).to(self.head.weight.dtype)  # (B, T, V)
        counts = last.cumsum(1)[:, start:]
        h = F.gelu(self.first(torch.cat([counts.sqrt(), last[:, start:]], -1)))
        return cast(Tensor, self.head(h + F.gelu(self.second(h))))


def built(task: Puzzle | Text, *, vocabulary: int, block: int) -> Reader | Bag:
    """The net of an arm, with random weights."""
    return Bag(vocabulary, 8 * task.width) if task.net == "bag" else reader(task, vocabulary=vocabulary, block=block)


def reader(task: Sentences | Puzzle | Text, *, vocabulary: int, block: int) -> Reader:
    """A Transformer as the task describes it, without dropout."""
    config = GPTConfig(
        vocabulary=vocabulary, block=block, layers=task.depth, heads=task.heads, width=task.width, positions=task.positions,
        dropout=0.0,
    )  # fmt: skip
    return Reader(config, encoder=task.net == "encoder")
