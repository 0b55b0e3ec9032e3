"""The jobs of `length`, and how long each takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.kit.texts import text_parameters
from erlangen.experiments.length.tasks import (
    ARMS,
    BLOCK,
    LENGTHS,
    MODELS,
    READINGS,
    SYNTAX,
    Answer,
    Arm,
    Contrast,
    Memory,
    Read,
    Recall,
    Shift,
)
from erlangen.records.runs import Job

if TYPE_CHECKING:
    from erlangen.experiments.length import Recipe


def jobs(recipe: Recipe) -> list[Job]:
    """What is counted, then a net for each kind of positions, text and seed, the longest first; seconds on one core."""
    counted = [job(Answer(block=BLOCK, lengths=LENGTHS)), *(job(Memory(preset=name), seconds=1.3) for name in MODELS)]
    each = [trained for seed in range(recipe.seeds) for trained in trainings(recipe, seed)]
    return counted + sorted(each, key=lambda job: -job.seconds)


def trainings(recipe: Recipe, seed: int) -> list[Job]:
    """The nets of one seed."""
    text = {"layers": recipe.text_layers, "steps": recipe.text_steps, **text_parameters(recipe.corpus)}
    told = {"layers": recipe.text_layers, "steps": recipe.tale_steps, "batch": recipe.tale_batch}
    recalled = [task_of(Recall, recipe, arm=arm, **recall_steps(recipe, arm)) for arm in ARMS]
    read = [task_of(Read, recipe, arm=arm, tuning=recipe.text_tuning * (arm == "rotary"), **text) for arm in ARMS]
    tales = [task_of(Contrast, recipe, arm=arm, lr=lr, **told) for arm in SYNTAX for lr in recipe.tale_lrs]
    update = 5e-4 * recipe.batch * recipe.width / 64  # seconds of a layer, forward and backward
    return [
        *(job(task, seed=seed, seconds=seconds(task, update, task.episodes)) for task in recalled),
        *(job(task, seed=seed, seconds=seconds(task, update, task.passages)) for task in read),
        job(task_of(Shift, recipe, **text), seed=seed, seconds=1 + update * recipe.text_layers * recipe.text_steps),
        *(
            job(
                task, seed=seed, seconds=1 + 0.01 * task.pairs + 2 * update * task.layers * task.steps * task.batch / recipe.batch
            )
            for task in tales
        ),
    ]


def recall_steps(recipe: Recipe, arm: Arm) -> dict[str, int]:
    """How long a net learns on registers, and on long ones thereafter."""
    return {
        "steps": recipe.absolute_steps if arm == "absolute" else recipe.steps,
        "tuning": recipe.tuning * (arm == "rotary"),
    }


def seconds(task: Recall | Read, update: float, passages: int) -> float:
    """Of training a net and of testing every way in which it reads."""
    ways = len(READINGS[task.arm]) + (task.tuning > 0) + 2 * (task.arm == "alibi")  # its bias takes longer
    return 1 + update * task.layers * (task.steps + 1.5 * task.tuning) + 0.004 * passages * task.layers * ways
