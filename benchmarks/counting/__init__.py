"""Jobs that count, for `benchmarks/sweep.py`: an experiment whose work is known."""

from __future__ import annotations

from dataclasses import dataclass

from erlangen.experiments.kit.tasks import job
from erlangen.records.runs import Claim, Job

from .tasks import Count

TITLE = "Counting"
QUESTION = "How long do so many jobs take?"
MEMORY_MB = 300
CLAIMS = (Claim(id="COUNT", statement="Every job counted to the end.", how="By counting.", parts={"count": "the count"}),)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """steps: that each job counts."""

    steps: int = 1
    seeds: int = 10


PRESETS = {"quick": Recipe()}


def jobs(recipe: Recipe) -> list[Job]:
    return [job(Count(steps=recipe.steps), seed=seed, seconds=2e-8 * recipe.steps) for seed in range(recipe.seeds)]
