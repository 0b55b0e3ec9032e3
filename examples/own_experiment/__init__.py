"""A network that reads a set should not care for its order. Is it enough to show it many sets, or is it better to sort them?"""

from dataclasses import dataclass

from erlangen.experiments.kit import Claim, Job, job

from .tasks import ORDERS, Train

TITLE = "Sets, sorted or not"
QUESTION = "Does a network learn the sign of a median better if it reads the numbers in sorted order?"
MEMORY_MB = 400  # of one job
CLAIMS = (
    Claim(
        id="SORT",
        statement="Sorting a set of numbers helps a network to learn about its median.",
        how="Two-layer networks learn from 1000 sets of nine numbers whether the median is positive.",
        parts={"new sets": "accuracy on new sets, sorted minus as drawn, paired by seed"},
    ),
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """steps: of gradient descent. fit: accuracy that a network must reach in training. edge: the smallest gain that matters."""

    seeds: int = 5
    steps: int = 600
    fit: float = 95.0
    edge: float = 2.0


PRESETS = {"quick": Recipe(), "standard": Recipe(seeds=20)}


def jobs(recipe: Recipe) -> list[Job]:
    return [job(Train(order=order, steps=recipe.steps), seed=seed) for order in ORDERS for seed in range(recipe.seeds)]
