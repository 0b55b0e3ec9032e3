"""The nets of a run by their number of heads, each at its best learning rate, and what every comparison of them rests on."""

from __future__ import annotations

import math
from dataclasses import replace

from erlangen.experiments.heads import Recipe
from erlangen.experiments.heads.tasks import Copy, Learn
from erlangen.experiments.kit.evidence import Arm, Evidence, difference
from erlangen.experiments.kit.parts import Check
from erlangen.experiments.kit.tuning import Tuned, tuned
from erlangen.records.runs import JobResult

TOLERANCE = 0.01  # relative, of parameters and products


def heads_in_words(heads: int) -> str:
    """'1 head', '4 heads'"""
    return f"{heads} head{'s' * (heads > 1)}"


def nets(evidence: Evidence, heads: int) -> Tuned:
    """The nets with so many heads, at the rate whose validation loss is least."""
    best = tuned(evidence, Learn, heads=heads)
    return replace(best, arm=replace(best.arm, name=heads_in_words(heads)))


def copiers(evidence: Evidence, heads: int) -> Arm:
    """The nets that were to copy four tokens."""
    return replace(evidence.arm(Copy, heads=heads), name=heads_in_words(heads))


def lead(result: JobResult) -> float:
    """Nats per character by which a net is better than pairs of characters, which need no attention."""
    return result.value("pair_loss") - result.value("test_loss")


def untrained(recipe: Recipe, *compared: Tuned) -> tuple[str, ...]:
    """The nets that are hardly better than pairs of characters."""
    unit = "nats better than pairs of characters"
    return tuple(name for best in compared for name in best.arm.below(lead, recipe.fit, unit))


def unequal(evidence: Evidence) -> tuple[int, int]:
    """How many of all nets differ from the first in parameters or multiply-adds by more than TOLERANCE; how many there are."""
    costs = [(result.value("parameters"), result.value("products")) for result in evidence.of(Learn)]
    wrong = sum(
        not all(abs(value / first - 1) <= TOLERANCE for value, first in zip(cost, costs[0], strict=True)) for cost in costs
    )
    return wrong, len(costs)


def equal_cost(evidence: Evidence) -> Check:
    """Nothing can be said of heads where nets differ in size."""
    wrong, of = unequal(evidence)
    return Check("equal parameters and multiply-adds", None if not of else wrong == 0)


def control(recipe: Recipe, evidence: Evidence) -> Check:
    """Whether several heads did what one cannot, by the points that the recipe asks for."""
    arms = copiers(evidence, recipe.several), copiers(evidence, 1)
    gap = difference(*arms, "copied").interval(0.95).estimate if all(arm.results for arm in arms) else math.nan
    passed = None if math.isnan(gap) else gap > recipe.points
    return Check(f"{heads_in_words(recipe.several)} copy four tokens at once where one cannot", passed)
