"""The local form against the masked one: every window, outputs and gradients, in float64."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from erlangen.experiments.attention_cost.forms import Attention, with_mask
from erlangen.experiments.attention_cost.tasks import Equal
from erlangen.nn.banded import local_attention
from erlangen.records.runs import Job, Measurement

TOLERANCE = 1e-10  # of numbers around 1 in float64, whose rounding is 2e-16


def equal(task: Equal, job: Job) -> list[Measurement]:
    """Windows compared, those at which an output or gradient differs, and those at which a window off by one differs."""
    compared = different = seen = 0
    for length, window in task.cases():
        drawn = draw(length, task.features, job.seed)
        expected = outcome(partial(with_mask, form="masked", window=window), drawn)
        compared += 1
        different += differs(outcome(partial(local_attention, window=window), drawn), expected)
        if length > 1:
            off = window + 1 if window < length else window - 1
            seen += differs(outcome(partial(local_attention, window=off), drawn), expected)
    return [
        Measurement("compared", compared, "windows"),
        Measurement("different", different, "windows"),
        Measurement("seen", seen, "windows off by one that differ"),
    ]


def draw(length: int, features: int, seed: int) -> list[Tensor]:
    """Queries, keys, values and the gradient of the output, (1, 2, n, d) each: two heads."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(4, 1, 2, length, features, generator=generator, dtype=torch.float64).unbind(0)
    return [*(x.clone().requires_grad_() for x in drawn[:3]), drawn[3]]


def outcome(attend: Attention, drawn: list[Tensor]) -> list[Tensor]:
    """The output and the gradients of queries, keys and values."""
    y = attend(drawn[0], drawn[1], drawn[2])
    return [y.detach(), *torch.autograd.grad(y, drawn[:3], drawn[3])]


def differs(left: list[Tensor], right: list[Tensor]) -> bool:
    """Whether an entry differs by more than TOLERANCE, or is not finite."""
    return not all(bool(((a - b).abs() <= TOLERANCE).all()) for a, b in zip(left, right, strict=True))
