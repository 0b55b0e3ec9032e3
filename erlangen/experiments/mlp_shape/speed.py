"""Tokens per second of a training step, every shape in one process, in turn, so that what slows the machine slows all.

What else runs only ever adds to a time, so a shape's time is the lower quartile of its steps. On one thread the clock is that
thread's own time on the processor.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from erlangen.experiments.mlp_shape.shapes import build
from erlangen.experiments.mlp_shape.tasks import Speed
from erlangen.models.gpt import GPTConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.language_schedule import LanguageSchedule
from erlangen.train.optimizer import adamw

VOCABULARY = 64
WARM = 3  # steps that are not counted
LEAST = 5  # that are, of each shape


def time_shapes(task: Speed, job: Job) -> list[Measurement]:
    """Tokens per second of each depth, and by what factor the machine's other work slowed its steps; the threads of torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(task.threads)
    try:
        steps = [training_step(task, depth, job.seed) for depth in task.depths]
        clock = time.thread_time if task.threads == 1 else time.perf_counter
        times = taking_turns(steps, task.seconds, clock)
        typical = [statistics.quantiles(own, n=4)[0] for own in times]
        return [
            Measurement("tokens_per_second", tuple(task.batch * task.block / seconds for seconds in typical), "for each depth"),
            Measurement("slowdown", max(seconds / min(own) for seconds, own in zip(typical, times, strict=True))),
            Measurement("threads", torch.get_num_threads()),
        ]
    finally:
        torch.set_num_threads(before)


def training_step(task: Speed, depth: int, seed: int) -> Callable[[], None]:
    """Forward, backward, clipping and update on random tokens."""
    config = GPTConfig(
        vocabulary=VOCABULARY, block=task.block, layers=task.layers, heads=task.heads, width=task.width, dropout=0.0
    )
    model = build(config, depth, seed)
    optimizer = adamw(model, LanguageSchedule())
    rows = torch.randint(VOCABULARY, (task.batch, task.block + 1))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        model(rows[:, :-1], targets=rows[:, 1:]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()

    return step


def taking_turns(
    steps: list[Callable[[], None]], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> list[list[float]]:
    """Seconds by the clock of each call of each step; they take turns until `seconds` have passed for each, on average."""
    for step in steps * WARM:
        step()
    times: list[list[float]] = [[] for _ in steps]
    end = time.perf_counter() + seconds * len(steps)
    while len(times[-1]) < LEAST or time.perf_counter() < end:
        for own, step in zip(times, steps, strict=True):
            start = clock()
            step()
            own.append(clock() - start)
    return times
