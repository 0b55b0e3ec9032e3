"""The nets of a run by the shape of their MLPs, each at its best learning rate, and what every comparison of them rests on."""

from __future__ import annotations

import math
from dataclasses import replace

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.parts import Check
from erlangen.experiments.kit.tuning import Tuned, tuned
from erlangen.experiments.mlp_shape import ARMS, Recipe
from erlangen.experiments.mlp_shape.tasks import Learn, inner_width
from erlangen.records.runs import JobResult, Measurement

TOLERANCE = 0.01  # relative, of parameters
STARTS = {"default": "", "he": ", start of He", "gpt2": ", start of GPT-2"}


def title(recipe: Recipe, arm: str) -> str:
    """'4 × 85, residual': hidden layers and the features of each, with what sets the arm apart."""
    depth, residual, start = ARMS[arm]
    return f"{depth} × {inner_width(recipe.width, depth)}{', residual' if residual else ''}{STARTS[start]}"


def nets(recipe: Recipe, evidence: Evidence, arm: str) -> Tuned:
    """The nets of an arm, at the rate whose validation loss is least."""
    depth, residual, start = ARMS[arm]
    best = tuned(evidence, Learn, depth=depth, residual=residual, start=start)
    return replace(best, arm=replace(best.arm, name=title(recipe, arm)))


def every_rate(evidence: Evidence, arm: str) -> list[JobResult]:
    """The results of an arm at all rates."""
    depth, residual, start = ARMS[arm]
    return evidence.of(Learn, depth=depth, residual=residual, start=start)


def sensitivity(recipe: Recipe, evidence: Evidence, arm: str) -> Arm:
    """The nets at their best rate, whose `sensitivity` is the mean of the bounded losses at all rates minus that at the best."""
    depth, residual, start = ARMS[arm]
    best = nets(recipe, evidence, arm)
    others = [evidence.arm(Learn, depth=depth, residual=residual, start=start, lr=rate) for rate in best.rates]

    def with_cost(seed: int, result: JobResult) -> JobResult:
        losses = [other.results[seed].value("bounded_loss") for other in others if seed in other.results]
        cost = sum(losses) / len(losses) - result.value("bounded_loss")
        return replace(result, measurements=(*result.measurements, Measurement("sensitivity", cost)))

    return replace(best.arm, results={seed: with_cost(seed, result) for seed, result in best.arm.results.items()})


def lead(result: JobResult) -> float:
    """Nats per character by which a net is better than pairs of characters, which need no attention."""
    return result.value("pair_loss") - result.value("test_loss")


def untrained(recipe: Recipe, *compared: Tuned) -> tuple[str, ...]:
    """The nets that are hardly better than pairs of characters."""
    unit = "nats better than pairs of characters"
    return tuple(name for best in compared for name in best.arm.below(lead, recipe.fit, unit))


def unequal(evidence: Evidence) -> tuple[int, int]:
    """How many of all nets differ from the first in parameters by more than TOLERANCE; how many there are."""
    sizes = [result.value("parameters") for result in evidence.of(Learn)]
    return sum(not abs(size / sizes[0] - 1) <= TOLERANCE for size in sizes), len(sizes)


def equal_size(evidence: Evidence) -> Check:
    """Nothing can be said of shapes where nets differ in size."""
    wrong, of = unequal(evidence)
    return Check("equal parameters", None if not of else wrong == 0)


def known(value: float, passed: bool) -> bool | None:
    """Whether a check passed; None where its value was not measured."""
    return None if math.isnan(value) else passed
