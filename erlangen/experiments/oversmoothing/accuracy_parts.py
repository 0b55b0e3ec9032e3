"""The parts of G3 about accuracy: of deep nets with B beside shallow ones, beside nets without B, and beside what replaces it."""

from __future__ import annotations

from functools import partial

from erlangen.experiments.kit.evidence import Evidence, difference
from erlangen.experiments.kit.parts import Part
from erlangen.experiments.kit.published import published_numbers
from erlangen.experiments.kit.tuning import tuning_check
from erlangen.experiments.oversmoothing import Recipe
from erlangen.experiments.oversmoothing.evidence import NAMES, at_rates, loss_is_seen, nets, said, setting, untrained
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import at_least, exceeds

IN_PLACE_OF_B = {"loops": "deep, self-loops", "wide": "deep, equal parameters", "normalized": "deep, LayerNorm"}

published = partial(published_numbers, "erlangen.experiments.oversmoothing")
"""Accuracies from the literature."""


def accuracy_parts(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """Deep nets with B beside shallow ones, beside deep ones without B, and beside the alternatives that the recipe has."""
    replaced = [in_place_of_b(recipe, evidence, name, part) for name, part in IN_PLACE_OF_B.items() if name in recipe.arms]
    return [accuracy_kept(recipe, evidence), lead(recipe, evidence), *replaced]


def accuracy_kept(recipe: Recipe, evidence: Evidence) -> Part:
    """Points of test accuracy from shallow to deep nets with B."""
    deep, shallow = (nets(recipe, evidence, "root", depth) for depth in (recipe.deep, recipe.depths[0]))
    constant = list(deep.arm.values("classes_predicted").values()).count(1)
    return Part(
        **said(recipe, "accuracy of deep nets"),
        effect=difference(deep.arm, shallow.arm, "test_accuracy", unit="%"),
        region=at_least(-recipe.tolerance, why="a smaller loss of accuracy does not matter"),
        unit="points of test accuracy, deep minus shallow",
        untrained=untrained(recipe, deep, shallow),
        checks=(loss_is_seen(recipe, evidence), tuning_check(deep, shallow)),
        corrected=lambda change: f"Deep nets with B lose {-change.estimate:.1f} points of test accuracy.",
        note=f"{setting(recipe)} Deep nets that predict one class for every node: {constant} of {len(deep.arm.results)}. "
        f"{at_rates(deep, shallow)}",
        published=published()["graphsage_cora"].get(str(recipe.deep)) if recipe.data == "cora" else None,
        measured=deep.arm.mean("test_accuracy").estimate,
    )


def lead(recipe: Recipe, evidence: Evidence) -> Part:
    """Points of test accuracy by which deep nets with B lead those without."""
    root, none = (nets(recipe, evidence, name, recipe.deep) for name in ("root", "none"))
    return Part(
        **said(recipe, "deep, B against none"),
        effect=difference(root.arm, none.arm, "test_accuracy", unit="%"),
        region=exceeds(recipe.tolerance, why="a smaller lead does not matter"),
        unit="points of test accuracy, with B minus without",
        untrained=untrained(recipe, root, none),
        checks=(loss_is_seen(recipe, evidence), tuning_check(root, none)),
        corrected=partial(lead_in_words, recipe),
        note=f"{setting(recipe)} {at_rates(root, none)}",
    )


def lead_in_words(recipe: Recipe, gain: Interval) -> str:
    """What is true where deep nets with B do not lead by the edge: they are less accurate, or about as accurate."""
    if gain.high < -recipe.tolerance:
        return f"Deep nets with B are less accurate than deep nets without it, by {-gain.estimate:.1f} points."
    return f"Deep nets with B are at most {gain.high:.1f} points more accurate than deep nets without it."


def in_place_of_b(recipe: Recipe, evidence: Evidence, name: str, part: str) -> Part:
    """Points of test accuracy between deep nets with something else in place of B and deep nets with it."""
    other, root = (nets(recipe, evidence, arm, recipe.deep) for arm in (name, "root"))
    return Part(
        **said(recipe, part, "control" if name == "wide" else "extension"),
        effect=difference(other.arm, root.arm, "test_accuracy", unit="%"),
        region=at_least(-recipe.tolerance, why="a smaller loss of accuracy does not matter"),
        unit=f"points of test accuracy, {NAMES[name]} minus with B",
        untrained=untrained(recipe, other, root),
        checks=(loss_is_seen(recipe, evidence), tuning_check(other, root)),
        corrected=lambda change: f"They are {-change.estimate:.1f} points less accurate than deep nets with B.",
        note=f"{setting(recipe)} {at_rates(other, root)}",
    )
