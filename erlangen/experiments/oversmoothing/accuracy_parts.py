"""The parts of G3 about accuracy: of deep nets with B beside shallow ones, beside nets without B, and beside what replaces it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

from erlangen.experiments.kit.evidence import Evidence, by_seed, difference, group, read
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.kit.published import published_numbers
from erlangen.experiments.kit.tuning import Tuned, tuning_check
from erlangen.experiments.oversmoothing import Recipe
from erlangen.experiments.oversmoothing.evidence import (
    NAMES,
    at_rates,
    did_not_train,
    loss_is_seen,
    nets,
    said,
    setting,
    something_to_prevent,
    untrained,
)
from erlangen.records.runs import JobResult
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import at_least, exceeds

IN_PLACE_OF_B = {"loops": "deep, self-loops", "wide": "deep, equal parameters", "normalized": "deep, LayerNorm"}

Pair: TypeAlias = tuple[Tuned, Tuned]  # the deep and the shallow nets of an arm

published = partial(published_numbers, "erlangen.experiments.oversmoothing")
"""Accuracies from the literature."""


def accuracy_parts(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """Deep nets with B beside shallow ones, beside nets without B, and beside the alternatives that the recipe has."""
    root, none = (over_depth(recipe, evidence, name) for name in ("root", "none"))
    seen = partial(loss_is_seen, recipe, nets(recipe, evidence, "alone", recipe.deep))
    others = {name: nets(recipe, evidence, name, recipe.deep) for name in IN_PLACE_OF_B if name in recipe.arms}
    to_prevent = loss_to_prevent(recipe, root, none)
    return [
        accuracy_kept(recipe, root, (seen(*root), to_prevent)),
        loss_prevented(recipe, (*root, *none), (seen(*root, *none), to_prevent), did_not_train(recipe, evidence)),
        lead(recipe, root[0], none[0], seen(root[0], none[0])),
        *(in_place_of_b(recipe, name, other, root[0], seen(other, root[0])) for name, other in others.items()),
    ]


def over_depth(recipe: Recipe, evidence: Evidence, name: str) -> Pair:
    """The deep and the shallow nets of an arm."""
    deep, shallow = (nets(recipe, evidence, name, depth) for depth in (recipe.deep, recipe.depths[0]))
    return deep, shallow


def loss_to_prevent(recipe: Recipe, root: Pair, none: Pair) -> Check:
    """Whether deep nets without B are less accurate than shallow ones, which learned their training nodes as well."""
    changes = [difference(deep.arm, shallow.arm, "test_accuracy") for deep, shallow in (root, none)]
    with_b, without = (change.interval(0.95).estimate for change in changes)
    return something_to_prevent(math.nan if untrained(recipe, *none) else without, with_b, -recipe.tolerance)


def accuracy_kept(recipe: Recipe, root: Pair, checks: tuple[Check, ...]) -> Part:
    """Points of test accuracy from shallow to deep nets with B."""
    deep, shallow = root
    constant = list(deep.arm.values("classes_predicted").values()).count(1)
    return Part(
        **said(recipe, "accuracy of deep nets"),
        effect=difference(deep.arm, shallow.arm, "test_accuracy", unit="%"),
        region=at_least(-recipe.tolerance, why="a smaller loss of accuracy does not matter"),
        unit="points of test accuracy, deep minus shallow",
        untrained=untrained(recipe, deep, shallow),
        checks=(*checks, tuning_check(deep, shallow)),
        corrected=lambda change: f"Deep nets with B lose {-change.estimate:.1f} points of test accuracy.",
        note=f"{setting(recipe)} Deep nets that predict one class for every node: {constant} of {len(deep.arm.results)}. "
        f"{at_rates(deep, shallow)}",
        published=published()["graphsage_cora"].get(str(recipe.deep)) if recipe.data == "cora" else None,
        measured=deep.arm.mean("test_accuracy").estimate,
    )


def loss_prevented(recipe: Recipe, compared: Sequence[Tuned], checks: tuple[Check, ...], note: str) -> Part:
    """Points of test accuracy that depth costs nets without B more than nets with it.

    A lead of deep nets would not tell: nets with B may be better or worse at every depth.
    """
    arms = [tuned.arm for tuned in compared]

    def prevented(*results: JobResult) -> float:
        deep, shallow, deep_without, shallow_without = (read(result, "test_accuracy") for result in results)
        return (deep - shallow) - (deep_without - shallow_without)

    return Part(
        **said(recipe, "loss with depth, B against none"),
        effect=by_seed(
            prevented, *arms, test="t interval over seeds of paired differences",
            groups=[group(arm, "test_accuracy", "%") for arm in arms],
        ),
        region=exceeds(recipe.tolerance, why="a smaller difference of losses does not matter"),
        unit="points of test accuracy, change from shallow to deep with B minus without",
        untrained=untrained(recipe, *compared),
        checks=(*checks, tuning_check(*compared)),
        corrected=prevented_in_words,
        note=" ".join(filter(None, (setting(recipe), at_rates(*compared), note))),
    )  # fmt: skip


def prevented_in_words(saved: Interval) -> str:
    """What is true where nets with B do not lose less by the edge: they lose more, or about as much."""
    if saved.high < 0:
        return f"From shallow to deep, nets with B lose {-saved.estimate:.1f} points more than nets without it."
    return f"From shallow to deep, nets with B lose at most {saved.high:.1f} points less than nets without it."


def lead(recipe: Recipe, root: Tuned, none: Tuned, seen: Check) -> Part:
    """Points of test accuracy by which deep nets with B lead those without."""
    return Part(
        **said(recipe, "deep, B against none"),
        effect=difference(root.arm, none.arm, "test_accuracy", unit="%"),
        region=exceeds(recipe.tolerance, why="a smaller lead does not matter"),
        unit="points of test accuracy, with B minus without",
        untrained=untrained(recipe, root, none),
        checks=(seen, tuning_check(root, none)),
        corrected=lead_in_words,
        note=f"{setting(recipe)} {at_rates(root, none)}",
    )


def lead_in_words(gain: Interval) -> str:
    """What is true where deep nets with B do not lead by the edge: they are less accurate, or about as accurate."""
    if gain.high < 0:
        return f"Deep nets with B are less accurate than deep nets without it, by {-gain.estimate:.1f} points."
    return f"Deep nets with B are at most {gain.high:.1f} points more accurate than deep nets without it."


def in_place_of_b(recipe: Recipe, name: str, other: Tuned, root: Tuned, seen: Check) -> Part:
    """Points of test accuracy between deep nets with something else in place of B and deep nets with it."""
    return Part(
        **said(recipe, IN_PLACE_OF_B[name], "control" if name == "wide" else "extension"),
        effect=difference(other.arm, root.arm, "test_accuracy", unit="%"),
        region=at_least(-recipe.tolerance, why="a smaller loss of accuracy does not matter"),
        unit=f"points of test accuracy, {NAMES[name]} minus with B",
        untrained=untrained(recipe, other, root),
        checks=(seen, tuning_check(other, root)),
        corrected=lambda change: f"They are {-change.estimate:.1f} points less accurate than deep nets with B.",
        note=f"{setting(recipe)} {at_rates(other, root)}",
    )
