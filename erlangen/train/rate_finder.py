"""A learning-rate range test: raise the rate from step to step, watch the loss, and take a tenth of the rate where it is least.

    rate(s) = low (high / low)^(s / (steps - 1))
    smooth(s) = Σ_i β^(s - i) loss(i) / Σ_i β^(s - i)

The loss falls as long as the rate is not too large, and is least shortly before it is; a tenth of that rate leaves the margin
that hundreds of steps at it need. It ends early where the smoothed loss is above twice its least. Source: Smith, "Cyclical
Learning Rates for Training Neural Networks", WACV 2017, whose triangular policy this is not.
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
    """Rates tried, the loss of each step's batch before the update with it, and smoothed, in nats a token; what to take."""

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
    """The curve, on a copy: the model, the random states and the order of the data stay as they are.

    Raises ErlangenError where the loss is not finite from the beginning, ValueError for an empty range.
    """
    if not 0 < low < high or steps < 2:
        raise ValueError(f"find_rate: {steps} steps from {low} to {high}")
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
        raise ErlangenError("--find-lr: the loss is not finite from the first step: look at model and data")
    return RateCurve(tuple(rates), tuple(losses), tuple(smooth), suggestion(rates, smooth))


def suggestion(rates: list[float], smooth: list[float]) -> float:
    """A tenth of the rate at which the smoothed loss is least."""
    return rates[min(range(len(rates)), key=smooth.__getitem__)] / MARGIN
