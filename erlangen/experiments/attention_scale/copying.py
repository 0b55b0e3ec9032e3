"""A net that can solve its task by attention alone: one block with one head, no MLP.

    x = norm(embed(token) + place),   S = factor · Q Kᵀ,   y = x + softmax(S) V Wₒ,   logits = norm(y) Wₕ

Queries and keys are as wide as the net, d. All weights of products start as N(0, 1/d), so that the entries of queries and keys
have variance 1. The task: name the token LAG places earlier in a circle of `keys` random tokens, at every position.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from erlangen.experiments.attention_scale.scores import scores
from erlangen.experiments.attention_scale.tasks import Copy

LAG = 5


class Pass(NamedTuple):
    """A forward pass: queries (B, n, d), scores (B, n, n) and logits (B, n, vocabulary)."""

    queries: Tensor
    scores: Tensor
    logits: Tensor


class CopyNet(nn.Module):
    """tokens (B, n) -> Pass. The arms of a seed start with the same weights; `matched` divides two of them by d^(1/4).

    Then q · k of the matched arm, which has no scale, starts as (q · k) / √d of the scaled arm.
    """

    def __init__(self, task: Copy, generator: Generator) -> None:
        super().__init__()
        self.arm, d = task.arm, task.width

        def normal(rows: int, std: float) -> nn.Parameter:
            return nn.Parameter(std * torch.randn(rows, d, generator=generator))

        self.embed, self.place = normal(task.vocabulary, 1.0), normal(task.keys, 1.0)
        by_quarter = d**-0.25 if task.arm == "matched" else 1.0
        self.query, self.key = (normal(d, by_quarter / math.sqrt(d)) for _ in range(2))
        self.value, self.out = (normal(d, 1 / math.sqrt(d)) for _ in range(2))
        self.head = normal(task.vocabulary, 1 / math.sqrt(d))

    def forward(self, tokens: Tensor) -> Pass:
        d = self.embed.shape[1]
        x = F.rms_norm(self.embed[tokens] + self.place, (d,))  # (B, n, d)
        q = x @ self.query.T
        s = scores(q, x @ self.key.T, self.arm)  # (B, n, n)
        y = x + s.softmax(-1) @ (x @ self.value.T) @ self.out.T
        return Pass(q, s, F.rms_norm(y, (d,)) @ self.head.T)


def draw(task: Copy, batch: int, generator: Generator) -> Tensor:
    """Random tokens (batch, keys)."""
    return torch.randint(task.vocabulary, (batch, task.keys), generator=generator)


def copy_loss(logits: Tensor, tokens: Tensor) -> Tensor:
    """Mean cross-entropy in nats of the token LAG places earlier, (): logits (B, n, vocabulary), tokens (B, n)."""
    return F.cross_entropy(logits.flatten(0, 1), tokens.roll(LAG, 1).flatten())
