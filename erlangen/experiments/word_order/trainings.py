"""The nets that learn a puzzle or a text, each at the learning rates that are tried for it."""

from __future__ import annotations

from itertools import product

from erlangen.experiments.kit.tasks import task_of
from erlangen.experiments.kit.texts import text_parameters
from erlangen.experiments.word_order.recipe import Recipe
from erlangen.experiments.word_order.tasks import Puzzle, Text

NETS = ("causal", "encoder")
POSITIONS = ("none", "rotary")


def puzzle_nets(recipe: Recipe) -> list[Puzzle]:
    """Every puzzle, net and learning rate of a seed."""
    marks = [
        task_of(Puzzle, recipe, puzzle="marks", net=net, depth=depth, positions=positions, steps=recipe.marks_steps)
        for net, depth, positions in product(NETS, recipe.depths, POSITIONS)
    ]
    reverse = [
        task_of(
            Puzzle, recipe, puzzle="reverse", net="causal", depth=depth, positions=positions, steps=recipe.reverse_steps, lr=lr
        )
        for depth, positions in product(recipe.depths, POSITIONS)
        for lr in (recipe.rates if depth == 2 else (recipe.lr,))
    ]
    bags = [
        task_of(Puzzle, recipe, puzzle=puzzle, net="bag", depth=1, positions="none", steps=steps, lr=lr)
        for puzzle, steps in (("marks", recipe.marks_steps), ("reverse", recipe.reverse_steps))
        for lr in (recipe.bag_rates if recipe.depths else ())
    ]
    return [*marks, *reverse, *bags]


def text_nets(recipe: Recipe) -> list[Text]:
    """Every net and learning rate of a seed on a text."""
    if not recipe.text_depths:
        return []
    shared = {"steps": recipe.text_steps, "batch": recipe.text_batch, **text_parameters(recipe.corpus)}
    nets = [
        task_of(Text, recipe, net="causal", depth=depth, positions=positions, lr=recipe.text_lr, **shared)
        for depth, positions in product(recipe.text_depths, POSITIONS)
    ]
    return [*nets, *(task_of(Text, recipe, net="bag", depth=1, positions="none", lr=lr, **shared) for lr in recipe.bag_rates)]


def seconds(task: Puzzle | Text) -> float:
    """Of one training, on one core."""
    tokens = task.batch * (task.block if isinstance(task, Text) else 17) / 512
    size = tokens * task.width / 64
    if task.net == "bag":
        return 0.2 + task.steps * size * (0.011 if isinstance(task, Text) else 0.003)
    return 0.2 + task.steps * task.depth * (0.002 + 0.003 * size)
