"""The training loop that all nets of `word-order` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from erlangen.experiments.word_order.tasks import Puzzle, Sentences, Text
from erlangen.train.language_schedule import LanguageSchedule
from erlangen.train.optimizer import adamw, set_rate

Draw: TypeAlias = Callable[[Generator], tuple[Tensor, Tensor]]
"""A batch: tokens (B, T) and targets (B, A), what should follow each of the last A tokens."""

LATE = 2 / 3  # of the steps, after which a net is looked at for the first time


def schedule_of(task: Sentences | Puzzle | Text, seed: int) -> LanguageSchedule:
    """AdamW, its rate warmed up over a tenth of the steps and lowered to 1 % along a cosine."""
    return LanguageSchedule(steps=task.steps, lr=task.lr, warmup=max(task.steps // 10, 1), seed=seed)


def fit(net: nn.Module, draw: Draw, schedule: LanguageSchedule, look: Callable[[], float]) -> tuple[float, float]:
    """Train `net` in place; what `look` says of it after two thirds of the steps and at the end.

    Loss: mean over a batch and its answers of -log p(target). The batches depend on the schedule's seed alone: all arms of a
    seed see the same ones.
    """
    optimizer, data = adamw(net, schedule), Generator().manual_seed(schedule.seed)
    late = float("nan")
    for step in range(schedule.steps):
        if step == round(LATE * schedule.steps):
            late = look()
        net.train()
        set_rate(optimizer, schedule.lr_at(step))
        loss = batch_loss(net, *draw(data))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), schedule.clip, foreach=True)
        optimizer.step()
    return late, look()


def batch_loss(net: nn.Module, tokens: Tensor, targets: Tensor) -> Tensor:
    """Mean nats per answer, ()."""
    logits = net(tokens, tokens.shape[1] - targets.shape[1])  # (B, A, V)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


@torch.no_grad()
def log_probabilities(net: nn.Module, tokens: Tensor, targets: Tensor, batch: int = 128) -> Tensor:
    """What `net` gives, in eval mode, to each token (N, A, vocabulary) after each of the last A of tokens (N, T)."""
    net.eval()
    start = tokens.shape[1] - targets.shape[1]
    return torch.cat([net(some, start).log_softmax(-1) for some in torch.split(tokens, batch)])
