"""The time of a form at a length, on the processor or on a GPU, with the page faults beside it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import product

import torch

from erlangen.experiments.attention_cost.allocator import faults, keep_pages, return_pages, settle
from erlangen.experiments.attention_cost.forms import passes
from erlangen.experiments.attention_cost.tasks import Time, Windows
from erlangen.records.runs import Job, Measurement

MATRICES = 6  # of all scores, for which room is made: naive attention holds 4 in its backward pass
REPEATS = 3  # of a call, at least
UNITS = {"seconds": "s", "faults": "page faults"}


def timed(task: Time, job: Job) -> list[Measurement]:
    """Seconds and page faults of each form at each length, forward, and forward and backward: medians over calls."""
    kept = keep_pages(MATRICES * task.lengths[-1] ** 2) if task.kept else not return_pages()
    found: dict[str, list[float]] = {}
    for form, length in product(task.forms, task.lengths):
        for name, step in zip(("forward", "both"), passes(form, length, task.features, task.window, job), strict=True):
            seconds, faulted = clocked(step, task.budget, job.device)
            found.setdefault(f"{form} {name} seconds", []).append(seconds)
            found.setdefault(f"{form} {name} faults", []).append(faulted)
    measured = [Measurement(name, tuple(values), UNITS[name.rpartition(" ")[2]]) for name, values in found.items()]
    return [*measured, Measurement("pages kept", float(kept), "1 where the allocator keeps its pages")]


def clocked(step: Callable[[], object], budget: float, device: str) -> tuple[float, float]:
    """The median seconds and page faults of a call, once its memory has settled; REPEATS calls and `budget` seconds at least."""
    settle(step)
    times: list[float] = []
    faulted: list[int] = []
    end = time.perf_counter() + budget
    while len(times) < REPEATS or time.perf_counter() < end:
        before, start = faults(), now(device)
        step()
        times.append(now(device) - start)
        faulted.append(faults() - before)
    return statistics.median(times), float(statistics.median(faulted))


def now(device: str) -> float:
    """Seconds of a clock: of this thread, which computes alone, so that other processes do not count; on a GPU the wall's."""
    if device == "cpu":
        return time.thread_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def windows(task: Windows, job: Job) -> list[Measurement]:
    """Seconds and page faults of the local form at each window, forward and backward."""
    keep_pages(MATRICES * 2 * task.length * task.windows[-1])
    steps = [passes("local", task.length, task.features, window, job)[1] for window in task.windows]
    seconds, faulted = zip(*(clocked(step, task.budget, job.device) for step in steps), strict=True)
    return [Measurement("seconds", seconds, "s"), Measurement("faults", faulted, "page faults")]
