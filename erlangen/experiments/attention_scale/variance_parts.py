"""The scale of attention: the parts about the mean and the variance of drawn products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from erlangen.experiments.attention_scale import CLAIMS, QUOTES, Recipe
from erlangen.experiments.attention_scale.evidence import at
from erlangen.experiments.attention_scale.extremes import extreme
from erlangen.experiments.attention_scale.tasks import DISTRIBUTIONS, MEANS, PLANTED, SPREADS, Products
from erlangen.experiments.kit.evidence import Arm, Effect, Evidence
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.kit.wording import wording
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import at_most, exceeds

Case = tuple[str, float, float]  # distribution, σ, μ
Formula = Callable[[float, float, int], float]  # σ, μ, d -> expected value

said = partial(wording, CLAIMS, QUOTES)

CENTERED: tuple[Case, ...] = tuple((kind, sigma, 0.0) for kind in DISTRIBUTIONS for sigma in SPREADS)
SHIFTED: tuple[Case, ...] = tuple((kind, sigma, mu) for kind in DISTRIBUTIONS for sigma, mu in MEANS)
PLANTED_CASE: tuple[Case, ...] = (("planted", 1.0, 0.0),)
CHECKED_AT = 1 - 0.05 / 30  # level of the check on the planted shift: that of a part among 30


def variance_parts(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """Variance and mean against their formulas, and the control that a shift would have been seen."""
    arm = evidence.arm(Products)
    seen = noticed(recipe, arm)
    part = partial(against_formula, recipe, arm, seen)
    return [
        part("variance", CENTERED, "variance", lambda sigma, mu, d: d * sigma**4),
        part("scaled variance", CENTERED, "scaled variance", lambda sigma, mu, d: sigma**4),
        means_vanish(recipe, arm),
        part("mean, formula", SHIFTED, "mean", lambda sigma, mu, d: d * mu**2),
        part("variance with a mean", SHIFTED, "variance", lambda sigma, mu, d: d * (sigma**4 + 2 * mu**2 * sigma**2)),
        planted_shift(recipe, arm),
    ]


def against_formula(
    recipe: Recipe, arm: Arm, seen: Check, name: str, cases: Sequence[Case], moment: str, formula: Formula
) -> Part:
    """The largest relative deviation of a moment from its formula, over all cases and widths."""
    count = len(cases) * len(recipe.widths)
    return Part(
        **said(name),
        effect=extreme(arm, deviations(recipe, cases, moment, formula), max),
        region=at_most(recipe.deviation, why="5 % of the variance is 2.5 % of the spread of the scores"),
        unit="largest relative deviation",
        bounds=(0.0, math.inf),
        checks=(seen,),
        note=f"Over {count} cases: {len(recipe.widths)} widths, {len(DISTRIBUTIONS)} distributions, "
        f"{len(cases) // len(DISTRIBUTIONS)} pairs of mean and spread. The intervals of all cases hold together.",
        corrected="Some case deviates by more.",
    )


def deviations(recipe: Recipe, cases: Sequence[Case], moment: str, formula: Formula) -> list[Callable[[JobResult], float]]:
    """For each case and width, how far a result's moment is from its formula: measured / formula - 1."""

    def deviation(case: Case, place: int, result: JobResult) -> float:
        kind, sigma, mu = case
        name = kind if kind == "planted" else f"{kind} {sigma:g} {mu:g}"
        return at(result, f"{name} {moment}", place) / formula(sigma, mu, recipe.widths[place]) - 1

    return [partial(deviation, case, place) for case in cases for place in range(len(recipe.widths))]


def in_spreads(cases: Sequence[Case], recipe: Recipe) -> list[Callable[[JobResult], float]]:
    """For each case and width, the mean of q · k in standard deviations of q · k."""

    def standardized(name: str, place: int, result: JobResult) -> float:
        variance = at(result, f"{name} variance", place)
        return at(result, f"{name} mean", place) / math.sqrt(variance) if variance > 0 else math.nan

    names = [f"{kind} {sigma:g} {mu:g}" for kind, sigma, mu in cases]
    return [partial(standardized, name, place) for name in names for place in range(len(recipe.widths))]


def means_vanish(recipe: Recipe, arm: Arm) -> Part:
    """Is E[q · k] = 0 for all entries that are independent and identically distributed? With mean 0 it is: the control."""
    centered = extreme(arm, in_spreads(CENTERED, recipe), max)
    within = centered.interval(CHECKED_AT).high if arm.results and not centered.not_finite else math.nan
    passed = None if math.isnan(within) else within <= recipe.shifted
    return Part(
        **said("mean"),
        effect=extreme(arm, in_spreads((*CENTERED, *SHIFTED), recipe), max),
        region=at_most(recipe.shifted, why="a mean of a tenth of a standard deviation is not noticed beside the spread"),
        unit="standard deviations of q · k",
        bounds=(0.0, math.inf),
        checks=(Check("entries with mean 0 have a mean product of 0", passed),),
        corrected="Independent and identically distributed entries give E[q · k] = d · μ²; it is 0 only where μ = 0, and the "
        "variance is d · σ⁴ only there.",
        note="One mean for all entries is enough: nothing about independence makes it 0. At the start of training it is 0, "
        "because weights are drawn with mean 0.",
    )


def noticed(recipe: Recipe, arm: Arm) -> Check:
    """Positive control: the planted shift is told from the edge at each width, at the level at which all cases are judged."""
    effect = planted_effect(recipe, arm)
    low = effect.interval(CHECKED_AT).low if arm.results and not effect.not_finite else math.nan
    return Check(f"a variance {PLANTED - 1:.0%} too large is noticed", None if math.isnan(low) else low > recipe.deviation)


def planted_effect(recipe: Recipe, arm: Arm) -> Effect:
    """The least deviation over widths where the variance was made too large, judged as one of all cases."""
    quantities = deviations(recipe, PLANTED_CASE, "variance", lambda sigma, mu, d: d * sigma**4)
    return extreme(arm, quantities, min, family=len(CENTERED) * len(recipe.widths))


def planted_shift(recipe: Recipe, arm: Arm) -> Part:
    """The same as a part: the smallest planted deviation that was measured at any width."""
    return Part(
        **said("planted shift", "control"),
        effect=planted_effect(recipe, arm),
        region=exceeds(recipe.deviation, why="the same edge: what is larger must be seen to be larger"),
        unit="smallest relative deviation",
        note="Queries are drawn with a variance of 1.1 in place of 1.",
    )
