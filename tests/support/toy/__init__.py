"""An experiment small enough to break on purpose: each job adds, waits, fails, dies or notes when it ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from erlangen.experiments.kit.tasks import job
from erlangen.records.runs import Claim, Job
from support.toy.tasks import Toy, What

TITLE = "A toy"
QUESTION = "Is one and one two?"
MEMORY_MB = 300
PRECISIONS = ("float32", "bfloat16")
CLAIMS = (Claim(id="X1", statement="One and one is two.", how="By adding.", parts={"sum": "the sum"}),)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """tasks: what the jobs do, each for every seed; where: a folder for marks that outlive a job; portable: whether they are."""

    tasks: tuple[What, ...] = ("add",)
    seeds: Annotated[int, Ge(1)] = 2
    wait: Annotated[float, Ge(0)] = 0.2
    where: str = ""
    portable: bool = False


PRESETS = {"quick": Recipe(), "standard": Recipe(seeds=5)}


def jobs(recipe: Recipe) -> list[Job]:
    return [
        job(
            Toy(what=what, wait=recipe.wait, where=recipe.where),
            seed=seed,
            seconds=recipe.wait,
            portable=recipe.portable,
            exclusive=what == "note-alone",
        )
        for what in recipe.tasks
        for seed in range(recipe.seeds)
    ]
