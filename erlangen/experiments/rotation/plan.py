"""The jobs of `rotation`: one for each arm and seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.rotation.datasets import digest_of
from erlangen.experiments.rotation.tasks import ARMS, Train, angles, views
from erlangen.records.runs import Job

if TYPE_CHECKING:
    from erlangen.experiments.rotation import Recipe

RATE = 1e-3  # of the report's nets
_SLOWER = {"C4 compute": 1.15, "C4 parameters": 2.5, "C8 compute": 1.3, "C8 parameters": 6.0}  # than a plain net


def tasks(recipe: Recipe) -> list[Train]:
    """One for each arm. Raises DataError where the recipe's folder has no images."""
    digest = digest_of(recipe.data)
    return [
        task_of(
            Train, recipe, arm=arm, digest=digest, epochs=epochs(recipe, arm),
            rates=recipe.rates if ARMS[arm].tuned else (RATE,), trial=recipe.trial if ARMS[arm].tuned else 0,
        )
        for arm in recipe.arms
    ]  # fmt: skip


def epochs(recipe: Recipe, arm: str) -> tuple[int, ...]:
    """The epochs after which the nets of an arm are tested."""
    return tuple(sorted({recipe.epochs, *([recipe.long] if arm in recipe.longer else [])}))


def jobs(recipe: Recipe) -> list[Job]:
    """One net each, the longest first."""
    nets = [
        job(task, seed=seed, seconds=seconds(task), portable=True)
        for task in tasks(recipe)
        for seed in range(recipe.seeds + (0 if ARMS[task.arm].tuned else recipe.more))
    ]
    return sorted(nets, key=lambda net: -net.seconds)


def seconds(task: Train) -> float:
    """Of one job in float32 on one core: an image costs 0.7 ms in training and 0.2 ms in a test, in the report's net."""
    each = _SLOWER.get(task.arm, 1.0) * (0.3 * task.width + 0.7 * task.width**2)  # early layers cost memory, later ones products
    trained = max(task.epochs) + (len(task.rates) * task.trial if len(task.rates) > 1 else 0)
    tested = task.test * len(angles(task.step)) * (len(views(task)) + len(task.epochs) - 1)
    return 3 + each * (trained * (7.0e-4 * task.train + 4e-4 * task.validation) + 2.2e-4 * tested)
