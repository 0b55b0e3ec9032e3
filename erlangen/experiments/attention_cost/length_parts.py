"""T1: how the cost of attention grows with the length and with the width, counted and timed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.attention_cost import Recipe
from erlangen.experiments.attention_cost.readings import (
    QUIET,
    arm,
    at,
    blur,
    counted,
    device,
    no_faults,
    over_lengths,
    slope,
    steps,
    together,
    uncounted,
)
from erlangen.experiments.attention_cost.tasks import Pieces, Time
from erlangen.experiments.attention_cost.words import said
from erlangen.experiments.kit.evidence import Evidence, by_seed
from erlangen.experiments.kit.parts import AnyPart, Check, Exact, Part
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import falls_below, within

ALIKE = 0.1  # how far a rate of growth may change and count as constant
SLOWER = 0.1
NUMBERS = 1024  # float32 in a page of 4 KiB
ILLUSTRATES = "It illustrates the count and cannot refute it: caches enter, too."


def length_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """What is counted, then what a clock says."""
    timed = [(form, name) for form in ("naive", "fused") for name in ("forward", "both")]
    return [
        grows(evidence, "products, length", ("scores",), "length", 2),
        grows(evidence, "products, width", ("scores",), "features", 1),
        exponential(evidence),
        grows(evidence, "products, whole layer", ("naive", "fused"), "length", 2),
        *(time_over_length(recipe, evidence, form, name) for form, name in timed),
        time_over_width(recipe, evidence),
        page_faults(recipe, evidence),
    ]


def wrong_steps(evidence: Evidence, form: str, over: str, power: int) -> list[bool]:
    """For each step from a size to the next, forward and backward: whether the count misses size^power. Whole numbers, exact."""
    wrong = []
    for sizes, result in counted(evidence, form, over):
        forward, both = result.values("forward"), result.values("both")
        backward = [whole - part for whole, part in zip(both, forward, strict=True)]
        for values in (forward, backward):
            wrong += [not follows(*step, power) for step in steps(sizes, values)]
    return wrong


def follows(small: int, large: int, before: float, after: float, power: int) -> bool:
    """Whether after / before = (large / small)^power, in whole numbers; never where a count is not one."""
    if not (math.isfinite(before) and math.isfinite(after) and before > 0):
        return False
    return bool(int(after) * small**power == int(before) * large**power)


def grows(evidence: Evidence, part: str, forms: Sequence[str], over: str, power: int) -> Exact:
    """Whether the counts grow with exactly this power; the same rule must fail where another one holds."""
    wrong = [step for form in forms for step in wrong_steps(evidence, form, over, power)]
    other = wrong_steps(evidence, "local", "length", 2) if power == 2 else wrong_steps(evidence, "scores", "length", 1)
    return Exact(
        **said(part),
        cases=len(wrong),
        count=sum(wrong) + blur(evidence, *forms),
        unit="steps with another exponent",
        missing=uncounted(evidence, *forms),
        checks=(Check("the counter tells growth with another exponent", any(other) if other else None),),
        corrected=f"It does not grow with the exponent {power}.",
        test="every step from a size to the next, forward and backward, in whole numbers",
    )


def exponential(evidence: Evidence) -> Exact:
    """Whether the logarithm of the cost grows by as much for each token, at short lengths as at long ones."""
    found = [constant for form in ("scores", "naive", "fused") for constant in constant_rates(evidence, form)]
    return Exact(
        **said("exponential"),
        cases=len(found),
        count=found.count(False) + blur(evidence, "scores", "naive", "fused"),
        unit="lengths at which the rate has changed",
        missing=uncounted(evidence, "scores", "naive", "fused"),
        corrected="It grows as n², which is quadratic: twice the tokens cost four times as much, at every length.",
        test="log of the cost per token between lengths that follow; a change by more than a tenth counts",
    )


def constant_rates(evidence: Evidence, form: str) -> list[bool]:
    """For each two steps that follow: whether the cost, forward and backward, grows by the same factor per token."""
    return [same for sizes, result in counted(evidence, form, "length") for same in same_rates(sizes, result.values("both"))]


def same_rates(sizes: Sequence[int], values: Sequence[float]) -> list[bool]:
    """Whether log(value) has the slope that it had a step before, for each step but the first."""
    if not all(math.isfinite(value) and value > 0 for value in values):
        return []
    rates = [math.log(after / before) / (large - small) for small, large, before, after in steps(sizes, values)]
    return [abs(late - early) <= ALIKE * abs(early) for _, _, early, late in steps(range(len(rates)), rates)]


def settled(recipe: Recipe) -> tuple[int, ...]:
    """The lengths at which exponents of the time are judged."""
    return tuple(length for length in recipe.lengths if length >= recipe.settled)


def faults_of(evidence: Evidence, form: str, name: str, lengths: Sequence[int], kept: bool = True) -> list[float]:
    """The page faults of each seed's calls at these lengths."""
    arms = {length: arm(evidence, Time, form, length, kept=kept) for length in lengths}
    return [at(result, form, f"{name} faults", n) for n, one in arms.items() for result in one.results.values()]


def time_over_length(recipe: Recipe, evidence: Evidence, form: str, name: str) -> Part:
    """The exponent of a form's time over the length."""
    lengths, edge = settled(recipe), recipe.tolerance

    def exponent(results: list[list[JobResult]]) -> float:
        return slope(lengths, [at(one, form, f"{name} seconds", n) for one, n in zip(results[0], lengths, strict=True)])

    return Part(
        **said(f"time, {form}, forward" if name == "forward" else f"time, {form}"),
        effect=over_lengths(evidence, Time, [form], lengths, exponent, kept=True),
        region=within(edge, around=2, why=reason(edge)),
        unit="exponent",
        corrected=lambda found: f"On {device(evidence)} it grows with the exponent {found.estimate:.2f}.",
        checks=no_faults(faults_of(evidence, form, name, lengths), recipe.faults, evidence),
        note=f"From {lengths[0]:,} to {lengths[-1]:,} tokens. {ILLUSTRATES}",
        remedy=QUIET,
    )


def reason(edge: float) -> str:
    """Why an exponent's region ends where it ends."""
    cost = 100 * (2**edge - 1)
    return f"{edge:g} changes the cost of a doubling by {cost:.0f} %, where linear and quadratic growth differ by 100 %"


def time_over_width(recipe: Recipe, evidence: Evidence) -> Part:
    """The exponent of naive attention's time, forward, over the number of features."""
    return Part(
        **said("time, width"),
        effect=by_seed(
            lambda result: slope(recipe.widths, [together(result, width, "whole") for width in recipe.widths]),
            evidence.arm(Pieces),
        ),
        region=falls_below(SLOWER, than=1, why=f"products grow with the exponent 1; {SLOWER:g} is 7 % of a doubling"),
        unit="exponent",
        corrected=lambda found: f"On {device(evidence)} it grows with the exponent {found.estimate:.2f}.",
        note=f"From d = {recipe.widths[0]} to {recipe.widths[-1]}, {recipe.pieces:,} tokens. Softmax costs the same at every d.",
        remedy=QUIET,
    )


def page_faults(recipe: Recipe, evidence: Evidence) -> Exact:
    """Whether faults are seen where pages are returned, and few are where they are kept."""
    pages = {n: min(recipe.faults, n * n // NUMBERS) for n in recipe.lengths[-2:]}  # at least those of the scores
    seen = [fault > least for n, least in pages.items() for fault in faults_both(evidence, n, kept=False)]
    few = [fault <= recipe.faults for n in pages for fault in faults_both(evidence, n, kept=True)]
    absent = [label for n in pages for flag in (True, False) for label in arm(evidence, Time, "naive", n, kept=flag).missing]
    return Exact(
        **said("page faults", "control"),
        cases=len(seen) + len(few) if seen and few else 0,
        count=float((seen + few).count(False)),
        unit="medians on the wrong side",
        missing=tuple(dict.fromkeys(absent)),
        test=f"median page faults of a call of naive attention: at most {recipe.faults:,}, or more than the scores have pages",
        corrected="The page faults are not what the allocator's setting leads to expect: do not trust the times.",
    )


def faults_both(evidence: Evidence, length: int, kept: bool) -> list[float]:
    """The page faults of naive attention at a length, forward, and forward and backward."""
    return [fault for name in ("forward", "both") for fault in faults_of(evidence, "naive", name, [length], kept)]
