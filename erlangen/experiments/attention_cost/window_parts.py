"""T2: how the cost of attention with a window grows, and what a window costs that is given as a mask."""

from __future__ import annotations

import math

from erlangen.experiments.attention_cost import Recipe
from erlangen.experiments.attention_cost.length_parts import (
    ILLUSTRATES,
    faults_of,
    follows,
    reason,
    settled,
    wrong_steps,
)
from erlangen.experiments.attention_cost.memory_parts import as_foretold, holds_matrix, local_memory
from erlangen.experiments.attention_cost.readings import (
    QUIET,
    at,
    blur,
    counted,
    device,
    no_faults,
    over_lengths,
    shaped,
    slope,
    steps,
    uncounted,
)
from erlangen.experiments.attention_cost.tasks import Equal, Time, Windows
from erlangen.experiments.attention_cost.words import said
from erlangen.experiments.kit.counts import missing, total
from erlangen.experiments.kit.evidence import Evidence, by_seed
from erlangen.experiments.kit.parts import AnyPart, Check, Exact, Part
from erlangen.experiments.kit.tasks import read_task
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import at_most

BOUND = 16  # n w d multiply-adds: 4 forward, 8 backward, and 4 more where scores are computed again


def window_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """What is counted, what a clock says, and what is held."""
    return [
        products(evidence),
        equal_to_mask(evidence),
        time_over_length(recipe, evidence),
        time_over_window(recipe, evidence),
        local_memory(recipe, evidence),
        holds_matrix(recipe, evidence, "memory, window as a mask", "masked"),
        holds_matrix(recipe, evidence, "memory, ALiBi as a mask", "alibi"),
        as_foretold(recipe, evidence),
    ]


def products(evidence: Evidence) -> Exact:
    """Whether each step multiplies the counts as n or w is multiplied, and no count is above BOUND · n w d."""
    wrong = [step for over in ("length", "window") for step in wrong_local_steps(evidence, over)]
    above = [count > BOUND * n * w * d for n, w, d, count in shapes(evidence)]
    other = wrong_steps(evidence, "naive", "length", 1)
    return Exact(
        **said("products"),
        cases=len(wrong) + len(above),
        count=sum(wrong) + sum(above) + blur(evidence, "local"),
        unit="counterexamples",
        missing=uncounted(evidence, "local"),
        checks=(Check("the counter tells quadratic growth", any(other) if other else None),),
        corrected="It does not grow as n·w.",
        test=f"every step from a size to the next, forward and backward, in whole numbers; every count at most {BOUND} n·w·d",
        note="Where more than 2²¹ scores would be kept for the gradient, they are computed again: 16 n·w·d instead of 12.",
    )


def wrong_local_steps(evidence: Evidence, over: str) -> list[bool]:
    """For each step within one way of computing: whether the counts miss linear growth. Sizes must fill whole blocks."""
    wrong = []
    for sizes, result in counted(evidence, "local", over):
        window = int(str(result.params["window"]))
        forward, both = result.values("forward"), result.values("both")
        for step, whole in zip(steps(sizes, forward), steps(sizes, both), strict=True):
            small, large, before, after = step
            if over == "length" and (small % window or large % window):
                continue
            wrong.append(not follows(*step, 1))
            if whole[2] * after == whole[3] * before:  # both are kept, or both computed again
                wrong.append(not follows(*whole, 1))
            else:
                wrong.append(whole[3] != 4 * after)  # from here on they are computed again
    return wrong


def shapes(evidence: Evidence) -> list[tuple[int, int, int, float]]:
    """(n, w, d, multiply-adds forward and backward) of each count of the local form that fills whole blocks."""
    counts = [one for over in ("length", "window", "features") for one in shaped(evidence, "local", over)]
    return [(n, w, d, both) for n, w, d, _, both in counts if n % w == 0]


def equal_to_mask(evidence: Evidence) -> Exact:
    """Whether blocks and mask agree at every window, and a window off by one never does."""
    results = evidence.of(Equal)
    lone = sum(length == 1 for result in results for length, _ in read_task(Equal, result).cases())
    compared, seen = total(results, "compared"), total(results, "seen")
    return Exact(
        **said("equal to the mask"),
        cases=compared if math.isfinite(compared) else 0,
        count=total(results, "different"),
        unit="windows that differ",
        missing=missing(evidence, Equal),
        checks=(Check("a window off by one is seen, at every window", seen == compared - lone if seen >= 0 else None),),
        corrected="Blocks along the diagonal do not compute what the mask does.",
        test="output and gradients of q, k and v in float64, beyond 1e-10",
    )


def time_over_length(recipe: Recipe, evidence: Evidence) -> Part:
    """The exponent of the local form's time over the length."""
    lengths = settled(recipe)

    def exponent(results: list[list[JobResult]]) -> float:
        return slope(lengths, [at(one, "local", "both seconds", n) for one, n in zip(results[0], lengths, strict=True)])

    return Part(
        **said("time, length"),
        effect=over_lengths(evidence, Time, ["local"], lengths, exponent, kept=True),
        region=at_most(1 + recipe.tolerance, center=1, why=reason(recipe.tolerance)),
        unit="exponent",
        corrected=lambda found: f"On {device(evidence)} it grows with the exponent {found.estimate:.2f}.",
        checks=no_faults(faults_of(evidence, "local", "both", lengths), recipe.faults, evidence),
        note=f"From {lengths[0]:,} to {lengths[-1]:,} tokens at w = {recipe.window}. {ILLUSTRATES}",
        remedy=QUIET,
    )


def time_over_window(recipe: Recipe, evidence: Evidence) -> Part:
    """The exponent of the local form's time over the window."""
    arm = evidence.arm(Windows)
    faults = [fault for result in arm.results.values() for fault in result.values("faults") or (math.nan,)]
    return Part(
        **said("time, window"),
        effect=by_seed(lambda result: slope(recipe.windows, result.values("seconds")), arm),
        region=at_most(1 + recipe.tolerance, center=1, why=reason(recipe.tolerance)),
        unit="exponent",
        corrected=lambda found: f"On {device(evidence)} it grows with the exponent {found.estimate:.2f}.",
        checks=no_faults(faults, recipe.faults, evidence),
        note=f"From w = {recipe.windows[0]} to {recipe.windows[-1]} at {recipe.lengths[-1]:,} tokens. {ILLUSTRATES}",
        remedy=QUIET,
    )
