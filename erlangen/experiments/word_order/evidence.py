"""Word order: the arms of a run, how far each net gets from no order to rotary positions, and what was exactly alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, by_seed, group
from erlangen.experiments.kit.tuning import Tuned, tuned
from erlangen.experiments.word_order.bounds import bound
from erlangen.experiments.word_order.statements import layers
from erlangen.experiments.word_order.tasks import Puzzle, PuzzleName, Text
from erlangen.records.runs import JobResult

ROUNDING = 1e-12
"""Readings in float64 no further apart than this are equal: as a share of their spread, or of their length where that is more."""

POSITION_TITLES = {"none": "no positions", "rotary": "rotary positions"}


def on_puzzle(evidence: Evidence, puzzle: str, net: str, depth: int, positions: str) -> Tuned:
    """The nets of an arm at the best of their learning rates."""
    best = tuned(evidence, Puzzle, puzzle=puzzle, net=net, depth=depth, positions=positions)
    return replace(best, arm=replace(best.arm, name=f"{puzzle}, {net_title(net, depth, positions)}"))


def on_text(evidence: Evidence, net: str, depth: int, positions: str) -> Tuned:
    """The nets of an arm at the best of their learning rates."""
    best = tuned(evidence, Text, net=net, depth=depth, positions=positions)
    return replace(best, arm=replace(best.arm, name=f"text, {net_title(net, depth, positions)}"))


def net_title(net: str, depth: int, positions: str) -> str:
    """'causal, 2 layers, no positions', or what the predictor is called that sees no order."""
    return "counts alone" if net == "bag" else f"{net}, {layers(depth)}, {POSITION_TITLES[positions]}"


def puzzle_score(puzzle: PuzzleName, none: Arm, rotary: Arm) -> Effect:
    """(right - bound) / (right with rotary positions - bound), paired by seed; right: mean probability of the right answer."""
    least = bound(puzzle)

    def share(result: JobResult, other: JobResult) -> float:
        return quotient(result.value("right") - least, other.value("right") - least)

    return by_seed(share, none, rotary, groups=[group(arm, "right", "%") for arm in (none, rotary)])


def text_score(none: Arm, rotary: Arm, unordered: Arm) -> Effect:
    """(loss without order - loss) / (loss without order - loss with rotary positions), paired by seed."""

    def share(result: JobResult, other: JobResult, least: JobResult) -> float:
        at = least.value("test_loss")
        return quotient(at - result.value("test_loss"), at - other.value("test_loss"))

    arms = (none, rotary, unordered)
    return by_seed(share, *arms, groups=[group(arm, "test_loss", "nats") for arm in arms])


def quotient(above: float, below: float) -> float:
    """0 where order gains nothing, which the guard on what it gains reports; NaN where a number is missing."""
    return above / below if below > 0 else 0.0 * (above + below)


def best_unordered(evidence: Evidence, depth: int) -> Tuned:
    """On a text, the best of the predictors that see no order: counts alone; for deeper nets, a causal net of one layer, too."""
    counts, single = on_text(evidence, "bag", 1, "none"), on_text(evidence, "causal", 1, "none")
    return min((counts, single), key=least_loss) if depth > 1 and single.arm.results else counts


def least_loss(arm: Tuned) -> float:
    """Its validation loss, by which the choice is made; infinite where there is none."""
    return min(arm.loss, default=math.inf)


def still_learning(arm: Arm, gain: str, most: float, unit: str) -> tuple[str, ...]:
    """The nets that depend on the order of what they read and gained more than `most` in the last third of their training.

    One that does not depend on it cannot pass the bound, however long it is trained.
    """
    gained = partial(gain_of, name=gain)
    rising = {
        seed: gained(result)
        for seed, result in sorted(arm.results.items())
        if not alike(result, "trained") and not gained(result) <= most
    }
    return tuple(f"{arm.name} seed {seed} (still gaining: {value:.2g} {unit})" for seed, value in rising.items())


def gain_of(result: JobResult, name: str) -> float:
    """What a net gained in the last third of its training: points of accuracy, or nats."""
    if name == "accuracy":
        return result.value("validation_accuracy") - result.value("late_accuracy")
    return result.value("late_loss") - result.value("validation_loss")


def tolerance(result: JobResult, when: str) -> float:
    """The error / spread that rounding may cause; NaN where the readings were not measured."""
    size = result.value(f"{when}_size")
    return ROUNDING * max(1.0, size) if math.isfinite(size) else math.nan


def alike(result: JobResult, when: str) -> bool:
    """Whether every text was read the same in another order; not where that was not measured."""
    errors, most = result.values(f"{when}_errors"), tolerance(result, when)
    return bool(errors) and all(error <= most for error in errors)


def count_above(results: Iterable[JobResult], name: str) -> tuple[float, float]:
    """Of all texts, before and after training: how many have an error above rounding, and how many there are.

    NaN for the first where a number is missing or not finite.
    """
    above, cases = 0.0, 0
    for result in results:
        for when in ("random", "trained"):
            errors, most = result.values(f"{when}_{name}"), tolerance(result, when)
            cases += len(errors)
            above += sum(error > most for error in errors) if finite([most, *errors]) and errors else math.nan
    return above, cases


def finite(values: Sequence[float]) -> bool:
    """Whether all are."""
    return all(map(math.isfinite, values))
