"""T11: what the fused kernel saves and computes again, and where it falls back to another one."""

from __future__ import annotations

import math
from collections.abc import Callable

from erlangen.experiments.attention_cost import Recipe
from erlangen.experiments.attention_cost.binding_parts import exponentials, reads_and_writes, tiling
from erlangen.experiments.attention_cost.length_parts import faults_of, settled
from erlangen.experiments.attention_cost.readings import (
    QUIET,
    at,
    blur,
    counted,
    device,
    mebibytes,
    no_faults,
    over_lengths,
    peak,
    steps,
    uncounted,
    unheld,
)
from erlangen.experiments.attention_cost.tasks import Kernel, Memory, Time
from erlangen.experiments.attention_cost.words import said
from erlangen.experiments.kit.counts import missing, numbers
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import AnyPart, Check, Exact, Part
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import falls_below

HALF = 0.5
FUSED = "_scaled_dot_product_flash_attention_for_cpu"


def flash_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """What is saved, by what, what binds; then dropout, and the control of the formula."""
    return [
        saves_memory(recipe, evidence),
        saves_time(recipe, evidence, "saves time", seconds_of("both")),
        tiling(recipe, evidence),
        recomputes(recipe, evidence),
        saves_time(recipe, evidence, "recomputation, time", backward),
        reads_and_writes(recipe, evidence),
        exponentials(recipe, evidence),
        dropout(recipe, evidence),
        formula(evidence),
    ]


def saves_memory(recipe: Recipe, evidence: Evidence) -> Exact:
    """Whether fused attention holds less than half at every length; the naive form must hold n × n numbers."""
    lengths = recipe.lengths[-3:]
    held = [(peak(evidence, "fused", n), peak(evidence, "naive", n), mebibytes(evidence, n)) for n in lengths]
    return Exact(
        **said("saves memory"),
        cases=len(held) if all(math.isfinite(value) for row in held for value in row) else 0,
        count=float(sum(not fused < HALF * naive for fused, naive, _ in held)),
        unit="lengths at which it holds half or more",
        missing=unheld(evidence, ["fused", "naive"], lengths),
        checks=(Check("naive attention holds n × n numbers", all(naive >= matrix for _, naive, matrix in held)),),
        corrected="It does not hold less than half at every length.",
        test=f"peak memory of forward and backward at {', '.join(f'{n:,}' for n in lengths)} tokens",
    )


def seconds_of(name: str) -> Callable[[JobResult, str, int], float]:
    """Reads a form's time at a length."""
    return lambda result, form, length: at(result, form, f"{name} seconds", length)


def backward(result: JobResult, form: str, length: int) -> float:
    """The time of forward and backward less that of forward alone."""
    return at(result, form, "both seconds", length) - at(result, form, "forward seconds", length)


def saves_time(recipe: Recipe, evidence: Evidence, part: str, seconds: Callable[[JobResult, str, int], float]) -> Part:
    """The time of fused attention over that of naive attention: the geometric mean over the lengths that are judged."""
    lengths = settled(recipe)

    def log_ratio(results: list[list[JobResult]]) -> float:
        pairs = [(seconds(f, "fused", n), seconds(m, "naive", n)) for f, m, n in zip(*results, lengths, strict=True)]
        if not all(fused > 0 and naive > 0 for fused, naive in pairs):
            return math.nan
        return math.fsum(math.log(fused / naive) for fused, naive in pairs) / len(pairs)

    faults = [
        fault for form in ("fused", "naive") for name in ("forward", "both") for fault in faults_of(evidence, form, name, lengths)
    ]
    return Part(
        **said(part),
        effect=over_lengths(evidence, Time, ["fused", "naive"], lengths, log_ratio, kept=True).exp(),
        region=falls_below(recipe.saving, than=1, why="a smaller saving would not be worth a kernel of its own"),
        unit="of naive attention's time",
        corrected=lambda found: f"On {device(evidence)} it takes {found.estimate:.2f} times as long.",
        checks=no_faults(faults, recipe.faults, evidence),
        note=f"From {lengths[0]:,} to {lengths[-1]:,} tokens, d = {recipe.features}, full attention, on {device(evidence)}.",
        remedy=QUIET,
    )


def recomputes(recipe: Recipe, evidence: Evidence) -> Exact:
    """Whether the kernel computes 2 products forward and 5 backward for 2 and 4, and what it stores grows as n alone."""
    wrong = [count for pair in both_counts(evidence) for count in miscounted(*pair)]
    lengths = recipe.lengths[-3:]
    stored, naive = ([peak(evidence, form, n, "stored") for n in lengths] for form in ("fused", "naive"))
    wrong += [after * small != before * large for small, large, before, after in steps(lengths, stored)]
    logged = log_check(evidence)
    return Exact(
        **said("recomputes instead of storing"),
        cases=len(wrong) if all(map(math.isfinite, stored)) and len(wrong) >= len(lengths) else 0,
        count=sum(wrong) + blur(evidence, "fused", "naive"),
        unit="counterexamples",
        missing=(*uncounted(evidence, "fused", "naive"), *unheld(evidence, ["fused", "naive"], lengths)),
        checks=(
            *([logged] if logged else []),
            Check("naive attention is seen to store n × n numbers", all(s >= n * n for s, n in zip(naive, lengths, strict=True))),
        ),
        corrected="It does not compute 7 products for 6 while storing only what grows as n.",
        test="multiply-adds at every length: forward, backward (5/4), both (7/6); numbers stored, from a length to the next",
        note=more_products(evidence),
    )


def both_counts(evidence: Evidence) -> list[tuple[float, float, float, float]]:
    """(fused forward, fused both, naive forward, naive both) at each length that was counted for both."""
    found = {}
    for form in ("fused", "naive"):
        for sizes, result in counted(evidence, form, "length"):
            rows = zip(sizes, result.values("forward"), result.values("both"), strict=True)
            found[form] = {size: (forward, both) for size, forward, both in rows}
    fused, naive = found.get("fused", {}), found.get("naive", {})
    return [(*fused[size], *naive[size]) for size in fused if size in naive]


def more_products(evidence: Evidence) -> str:
    """How many more multiply-adds the fused kernel computes, at the longest length."""
    counts = both_counts(evidence)
    if not counts or not all(value > 0 for value in counts[-1]) or counts[-1][3] <= counts[-1][2]:
        return ""
    fused_forward, fused_both, naive_forward, naive_both = counts[-1]
    whole, back = fused_both / naive_both, (fused_both - fused_forward) / (naive_both - naive_forward)
    return (
        f"In forward and backward it computes {whole:.3f} times the naive form's products, in the backward pass {back:.3f} times."
    )


def miscounted(fused_forward: float, fused_both: float, naive_forward: float, naive_both: float) -> list[bool]:
    """Whether forward, backward, or both differ from 2 : 2, 5 : 4 and 7 : 6 products."""
    return [
        fused_forward != naive_forward,
        4 * (fused_both - fused_forward) != 5 * (naive_both - naive_forward),
        6 * fused_both != 7 * naive_both,
    ]


def dropout(recipe: Recipe, evidence: Evidence) -> Exact:
    """Whether at every length n × n numbers are held, and on a CPU no fused kernel ran."""
    lengths = recipe.lengths[-3:]
    held = [(peak(evidence, "dropout", n), peak(evidence, "fused", n), mebibytes(evidence, n)) for n in lengths]
    return Exact(
        **said("dropout"),
        cases=len(held) if all(math.isfinite(mine) for mine, _, _ in held) else 0,
        count=float(sum(mine < matrix for mine, _, matrix in held) + ran(evidence, "dropout")),
        unit="lengths at which less is held, and fused kernels that ran",
        missing=unheld(evidence, ["dropout", "fused"], lengths),
        checks=(Check("without dropout less than n × n numbers are held", all(fused < matrix for _, fused, matrix in held)),),
        corrected=f"On {device(evidence)} a fused kernel computes it.",
        test="peak memory of forward and backward; the names of the operations that ran",
    )


def ran(evidence: Evidence, form: str) -> int:
    """How often torch's fused kernel for a CPU ran in the memory jobs of a form."""
    name = f"{form} ran {FUSED}"
    return sum(math.isfinite(result.value(name)) for result in evidence.of(Memory))


def formula(evidence: Evidence) -> Exact:
    """Whether formula and log agree at every length, forward, and forward and backward."""
    pairs = logged_pairs(evidence)
    return Exact(
        **said("formula", "control"),
        cases=len(pairs) if all(math.isfinite(logged) for _, logged in pairs) else 0,
        count=float(sum(mine != logged for mine, logged in pairs)),
        unit="counts that differ",
        missing=missing(evidence, Kernel),
        corrected="The formula does not count what this version of torch computes.",
        test="multiply-adds by the formula and of the products in the log of the matrix library, full attention",
    )


def logged_pairs(evidence: Evidence) -> list[tuple[float, float]]:
    """(by formula, in the log)."""
    results = evidence.of(Kernel)
    return [
        pair
        for name in ("forward", "both")
        for pair in zip(numbers(results, name), results[0].values(f"{name} logged") if results else (), strict=False)
    ]


def log_check(evidence: Evidence) -> Check | None:
    """Whether the formula agrees with the log; None where torch has a matrix library without one."""
    pairs = logged_pairs(evidence)
    if pairs and not any(math.isfinite(logged) for _, logged in pairs):
        return None
    return Check("the kernel's formula agrees with the log", all(mine == logged for mine, logged in pairs) if pairs else None)
