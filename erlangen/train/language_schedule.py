"""The training schedule of a language model: its numbers, and the learning rate of each step.

    lr(s) = lr (s + 1) / warmup                                          for steps s < warmup, counted from 0
          = lr [f + (1 - f) (1 + cos(π (s - warmup) / (steps - warmup))) / 2],  f = final, afterwards

Source: Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LanguageSchedule:
    """How to train a language model.

    batch: windows per step, over all processes. accumulate: slices into which each process divides its share of the batch.
    lr: the highest learning rate; final: the fraction of it that is left at the end. patience: training stops after this many
    evaluations in a row without improvement; None to never stop early. evaluation_tokens: tokens from the beginning of the
    validation part that an evaluation uses; None for all. Raises ValueError for a value out of range.
    """

    steps: int = 2000
    batch: int = 32
    lr: float = 3e-3
    final: float = 0.01
    warmup: int = 100
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)
    clip: float = 1.0
    accumulate: int = 1
    evaluate_every: int = 100
    evaluation_tokens: int | None = 32768
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "evaluate_every", "evaluation_tokens", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} {value} must be at least 1")
        if not (
            0 < self.lr < math.inf and 0 <= self.final <= 1 and self.warmup >= 0 and self.weight_decay >= 0 and self.clip > 0
        ):
            raise ValueError(f"{self}: lr and clip must be above 0, final in [0, 1], warmup and weight_decay at least 0")

    def lr_at(self, step: int) -> float:
        """The learning rate of update `step`, counted from 0."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        share = min((step - self.warmup) / max(self.steps - self.warmup, 1), 1.0)
        return self.lr * (self.final + (1 - self.final) * (1 + math.cos(math.pi * share)) / 2)
