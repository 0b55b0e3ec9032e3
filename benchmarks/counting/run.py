"""Counting, in Python: nothing but one core is needed."""

from __future__ import annotations

from erlangen.experiments.kit.tasks import perform
from erlangen.records.runs import Job, Measurement

from .tasks import Count


def run(job: Job) -> list[Measurement]:
    return perform(job, {Count: count})


def count(task: Count, job: Job) -> list[Measurement]:
    total = 0
    for _ in range(task.steps):
        total += 1
    return [Measurement("count", total)]
