"""A learning-rate range test: raise the rate at every step and suggest a tenth of the rate at which the loss is lowest.

    rate(s) = low (high / low)^(s / (steps - 1))
    smooth(s) = Σ_i β^(s - i) loss(i) / Σ_i β^(s - i)

The loss falls until the rate becomes too large, and is lowest shortly before; a tenth of that rate leaves the margin that
hundreds of steps need. The test stops early if the smoothed loss exceeds twice its minimum. Source: Smith, "Cyclical Learning
Rates for Training Neural Networks", WACV 2017 (the range test, without the triangular policy).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from erlangen.data.corpus import Corpus
from erlangen.errors import ErlangenError
from erlangen.models.gpt import GPT
from erlangen.train.language_model import LanguageSchedule, Precision, Training, check

BETA, MARGIN, TOO_HIGH = 0.9, 10.0, 2.0


@dataclass(frozen=True)
class RateCurve:
    """The result of a range test, one entry per step.

    rates: the rates tried. losses: of each step's batch before the update, in nats per token; smoothed: the same, smoothed.
    suggestion: the rate to use.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float


def find_rate(
    model: GPT,
    corpus: Corpus,
    schedule: LanguageSchedule,
    *,
    precision: Precision = "float32",
    device: str = "cpu",
    low: float = 1e-5,
    high: float = 1.0,
    steps: int = 100,
    on_step: Callable[[int], None] | None = None,
) -> RateCurve:
    """Run the range test on a copy of the model; the model, the random states and the order of the data are not changed.

    Raises ErlangenError if the loss is not finite at the first step, ValueError for an empty range or fewer than 2 steps.
    """
    if not 0 < low < high or steps < 2:
        raise ValueError(f"find_rate: {steps} steps from {low} to {high}: use at least 2 steps, and 0 < low < high")
    check(schedule, precision, device)
    rates: list[float] = []
    losses: list[float] = []
    smooth: list[float] = []
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if device.startswith("cuda") else []):
        training = Training(copy.deepcopy(model).to(device).train(), corpus, schedule, precision, device)
        total = 0.0
        for step in range(steps):
            rate = low * (high / low) ** (step / (steps - 1))
            training.schedule = replace(schedule, lr=rate, warmup=0, final=1.0)  # the same at every step
            training.update(training.model)
            loss = float(training.unread.pop())
            if not math.isfinite(loss):
                break
            total = BETA * total + (1 - BETA) * loss
            rates.append(rate)
            losses.append(loss)
            smooth.append(total / (1 - BETA ** (step + 1)))
            if on_step is not None:
                on_step(step + 1)
            if smooth[-1] > TOO_HIGH * min(smooth):
                break
    if not rates:
        raise ErlangenError("--find-lr: the loss is not finite at the first step: check the model and the data")
    return RateCurve(tuple(rates), tuple(losses), tuple(smooth), suggestion(rates, smooth))


def suggestion(rates: list[float], smooth: list[float]) -> float:
    """A tenth of the rate at which the smoothed loss is lowest."""
    return rates[min(range(len(rates)), key=smooth.__getitem__)] / MARGIN
