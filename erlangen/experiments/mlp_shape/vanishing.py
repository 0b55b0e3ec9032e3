"""Positive control: deep MLPs of sigmoids, in which gradients are known to vanish, measured as those of GELUs are.

The sigmoid's derivative is at most 1/4 and its activations stay near 1/2, so that the gradient of the first weights shrinks with
what flows back. Source: Hochreiter, "Untersuchungen zu dynamischen neuronalen Netzen", 1991.
"""

from __future__ import annotations

import torch

from erlangen.experiments.mlp_shape.gradients import gradients
from erlangen.experiments.mlp_shape.shapes import build
from erlangen.experiments.mlp_shape.tasks import Vanish
from erlangen.models.gpt import GPTConfig
from erlangen.records.runs import Job, Measurement

VOCABULARY, ROWS = 32, 8


def measure_vanishing(task: Vanish, job: Job) -> list[Measurement]:
    """First over last gradients, of weights and of the signal, on random tokens."""
    config = GPTConfig(
        vocabulary=VOCABULARY, block=task.block, layers=task.layers, heads=task.heads, width=task.width, dropout=0.0
    )
    model = build(config, task.depth, job.seed, start=task.start, activation=task.activation)
    measured = gradients(model, torch.randint(VOCABULARY, (ROWS, task.block + 1)))
    return [
        Measurement("weight_ratio_at_start", measured.weight_ratio, "first over last layer"),
        Measurement("signal_ratio_at_start", measured.signal_ratio, "first over last layer"),
    ]
