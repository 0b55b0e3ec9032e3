"""An experiment small enough to break on purpose: each job adds, waits, fails, dies or notes when it ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from erlangen.records.runs import Claim, Job

TITLE = "A toy"
MEMORY_MB = 300
CLAIMS = (Claim(id="X1", statement="One and one is two.", how="By adding.", parts={"sum": "the sum"}),)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """tasks: what the jobs do, each for every seed; where: a folder for marks that outlive a job."""

    tasks: tuple[Literal["add", "wait", "fail", "die", "die-once", "hold", "note", "note-alone", "repeat"], ...] = ("add",)
    seeds: Annotated[int, Ge(1)] = 2
    wait: Annotated[float, Ge(0)] = 0.2
    where: str = ""


PRESETS = {"quick": Recipe(), "standard": Recipe(seeds=5)}


def jobs(recipe: Recipe, precision: str = "float32", device: str = "cpu") -> list[Job]:
    return [
        Job(
            experiment=__name__,
            params={"task": task, "wait": recipe.wait, "where": recipe.where},
            seed=seed,
            exclusive=task == "note-alone",
            seconds=recipe.wait,
        )
        for task in recipe.tasks
        for seed in range(recipe.seeds)
    ]
