"""Claim G11: its parts: where attention goes, one mask against another, and all graphs with structure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from statistics import fmean

from erlangen.experiments.kit.evidence import Arm, Evidence, Quantity, by_seed, difference, read
from erlangen.experiments.kit.parts import AllOf, AnyPart, Check, Part
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.transformer_as_graph import CLAIMS, QUOTES, Recipe
from erlangen.experiments.transformer_as_graph.comparisons import (
    COMPARISONS,
    ON_CORA,
    PLACES,
    STRUCTURED,
    Comparison,
    Where,
    words,
)
from erlangen.experiments.transformer_as_graph.tasks import ArmName, Cora, CoraArm, Train
from erlangen.records.runs import JobResult, Measurement
from erlangen.statistics.regions import at_most, exceeds

DILUTED: dict[str, Where] = {
    "attention on true edges, homophilous": "most",
    "attention on true edges, heterophilous": "least",
}
"""Where the edges say most of the class. A mean over all graphs could hide that the two differ in opposite directions."""

AVERAGE = "average"  # what `average` calls its measurement
SHARE, CLASSES = "share_of_edges", "attention_on_same_classes"  # what attention on true edges is compared with


def structure_parts(recipe: Recipe, evidence: Evidence) -> list[AnyPart]:
    """Those of attention, those of every comparison and number of classes, Cora, and the claim as a whole."""
    named = [comparison.name(classes) for classes, comparison in product(recipe.classes, STRUCTURED)]
    blocks = [compared(recipe, evidence, comparison, classes) for classes, comparison in product(recipe.classes, COMPARISONS)]
    cora = [on_cora(recipe, evidence, part) for part in ON_CORA if recipe.cora_seeds]
    decisive = [part for part in (*blocks, *cora) if part.part in (*named, "GAT, Cora")]
    overall = AllOf(
        **wording(CLAIMS, QUOTES, "all graphs with structure"),
        parts=tuple(part.part for part in decisive),
        corrected=least_lead(decisive),
    )
    dilution = AllOf(**wording(CLAIMS, QUOTES, "attention on true edges"), parts=tuple(DILUTED))
    return [
        dilution,
        *(attention(recipe, evidence, part, "complete", SHARE, where) for part, where in DILUTED.items()),
        attention(recipe, evidence, "attention within a class", "complete", CLASSES),
        attention(recipe, evidence, "attention within a class, with eigenvectors", "complete/eigenvectors", CLASSES),
        *blocks,
        *cora,
        overall,
    ]


def least_lead(parts: Sequence[Part]) -> str:
    """What is true where GAT is not more accurate on each graph: where it leads least, and by how much; '' where unknown."""
    leads = {part.part: part.effect.interval(0.95).estimate for part in parts}
    known = {name: lead for name, lead in leads.items() if math.isfinite(lead)}
    if not known:
        return ""
    least = min(known, key=lambda name: known[name])
    return f"It depends on the graph: its lead is {known[least]:+.1f} points ({least.removeprefix('GAT, ')})."


def attention(recipe: Recipe, evidence: Evidence, part: str, name: ArmName, base: str, where: Where = "all") -> Part:
    """Attention on true edges over their share, or over what other nodes of the same classes get, over the block models."""
    shown = [arm for classes in recipe.classes for arm in arms(recipe, evidence, classes, where, name)]
    pairs = [(log_ratio(r, base, "planted_"), log_ratio(r, base)) for arm in shown for r in arm.results.values()]
    raised = [planted - found for planted, found in pairs]
    limit = 1 + recipe.tolerance
    return Part(
        **wording(CLAIMS, QUOTES, part),
        effect=by_seed(
            lambda result: result.value(AVERAGE),
            average(shown, partial(log_ratio, base=base), name),
            test="t interval over seeds of the mean log ratio over layers and block models",
        ).exp(),
        region=at_most(limit, center=1.0, why=f"a preference of {recipe.tolerance:.0%} or less is too small to matter"),
        unit="attention on true edges / their share" if base == SHARE else "attention on neighbors / on others of their classes",
        untrained=untrained(recipe, shown),
        checks=(
            Check(
                name="attention that was planted on true edges is seen",
                passed=None if not raised or math.isnan(sum(raised)) else min(raised) > math.log(limit),
            ),
        ),
        corrected=lambda ratio: f"They get {ratio.estimate:.2f} times as much.",
    )


def compared(recipe: Recipe, evidence: Evidence, comparison: Comparison, classes: int) -> Part:
    """One arm against another on the block models of one number of classes."""
    names = (comparison.left, comparison.right)
    sides = [arms(recipe, evidence, classes, comparison.where, name) for name in names]
    left, right = (average(side, "test_accuracy", name) for side, name in zip(sides, names, strict=True))
    points = recipe.places(classes, comparison.where)
    place = PLACES["all"] if len(points) > 1 else f"{100 * points[0]:g} % of the edges within a class"
    why = f"a difference of {recipe.margin:g} points or less is too small to matter"
    return Part(
        claim="G11",
        part=comparison.name(classes),
        of=comparison.of,
        statement=f"With {classes} classes, {place}: {comparison.says}.",
        effect=difference(left, right, AVERAGE, unit="%"),
        region=exceeds(recipe.margin, why=why) if comparison.gains else at_most(recipe.margin, why=why),
        unit="points of test accuracy",
        untrained=untrained(recipe, [*sides[0], *sides[1]]),
        checks=() if comparison.gains else (edges_gain(recipe, evidence, classes),),
        corrected=lambda gain: f"The difference is {gain.estimate:+.1f} points.",
    )


def on_cora(recipe: Recipe, evidence: Evidence, part: str) -> Part:
    """One arm against another on Cora's public split: one graph, so that the seeds are trainings."""
    left, right = (named(evidence.arm(Cora, arm=name), name) for name in ON_CORA[part][:2])
    return Part(
        **wording(CLAIMS, QUOTES, part),
        effect=difference(left, right, "test_accuracy", unit="%"),
        region=exceeds(recipe.margin, why=f"a difference of {recipe.margin:g} points or less is too small to matter"),
        unit="points of test accuracy",
        untrained=untrained(recipe, [left, right]),
        corrected=lambda gain: f"The difference is {gain.estimate:+.1f} points.",
        note="One graph and one split: the interval is over trainings.",
    )


def named(arm: Arm, name: CoraArm) -> Arm:
    """The arm, called by what it attends to."""
    return replace(arm, name=f"{words(name)[0]} (Cora)")


def edges_gain(recipe: Recipe, evidence: Evidence, classes: int) -> Check:
    """The positive control of every "no more accurate": where attention must gain, the same comparison sees it.

    Nets that did not train would gain or lose for another reason.
    """
    along, alone = (arms(recipe, evidence, classes, "most", name)[0] for name in ("graph", "self"))
    gain = difference(along, alone, "test_accuracy")
    seen = gain.interval(0.95).estimate > recipe.margin and not untrained(recipe, [along, alone])
    return Check(
        name=f"{classes} classes: attention along the edges gains over attention to itself {PLACES['most']}",
        passed=None if gain.missing or gain.not_finite else seen,
    )


def arms(recipe: Recipe, evidence: Evidence, classes: int, where: Where, name: ArmName) -> list[Arm]:
    """One arm, on the block models of each homophily."""
    found = {
        homophily: evidence.arm(Train, classes=classes, homophily=homophily, arm=name)
        for homophily in recipe.places(classes, where)
    }
    return [replace(arm, name=f"{', '.join(words(name))} (homophily {homophily:g})") for homophily, arm in found.items()]


def average(arms: Sequence[Arm], quantity: Quantity, name: ArmName) -> Arm:
    """The arms of several block models as one: each seed's mean of a quantity, called `AVERAGE`."""
    seeds = set.intersection(*(set(arm.results) for arm in arms))
    means = {seed: fmean(read(arm.results[seed], quantity) for arm in arms) for seed in sorted(seeds)}
    results = {seed: replace(arms[0].results[seed], measurements=(Measurement(AVERAGE, mean),)) for seed, mean in means.items()}
    return Arm(", ".join(words(name)), results, tuple(label for arm in arms for label in arm.missing))


def untrained(recipe: Recipe, arms: Sequence[Arm]) -> tuple[str, ...]:
    """The arms whose mean training accuracy falls short of the recipe's fit."""
    means = {arm.name: arm.mean(fit).estimate for arm in arms}
    return tuple(f"{name}: {mean:.3g} %, needs {recipe.fit:g}" for name, mean in means.items() if not mean >= recipe.fit)


def fit(result: JobResult) -> float:
    """The training accuracy of the network, or that which it can reach if validation nodes chose an earlier epoch."""
    chosen, reachable = result.value("train_accuracy"), result.value("reachable_accuracy")
    return chosen if math.isnan(reachable) else max(chosen, reachable)


def log_ratio(result: JobResult, base: str, prefix: str = "") -> float:
    """Mean over layers of log(attention on true edges / base), NaN where one is not positive: above 0, they get more.

    prefix: "planted_" for the positive control.
    """
    mass = result.values(f"{prefix}attention_on_edges")
    share = (result.value(SHARE),) * len(mass) if base == SHARE else result.values(prefix + base)
    ratios = [mine / theirs if theirs > 0 else math.nan for mine, theirs in zip(mass, share, strict=False)]
    return fmean(map(math.log, ratios)) if ratios and all(ratio > 0 for ratio in ratios) else math.nan
