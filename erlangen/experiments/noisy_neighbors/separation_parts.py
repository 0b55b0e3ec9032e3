"""Attention among noisy neighbors: G8's parts about two classes, whose other class is the noise. Imports no torch."""

from __future__ import annotations

import math
from functools import partial

from erlangen.experiments.kit.evidence import Arm, Evidence, difference, mean
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.noisy_neighbors.claims import CLAIMS, FAR, NEAR
from erlangen.experiments.noisy_neighbors.evidence import cell, class_arm
from erlangen.experiments.noisy_neighbors.recipe import Recipe
from erlangen.experiments.noisy_neighbors.tasks import PlantedSeparate
from erlangen.records.runs import Of
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import at_least, at_most, exceeds, falls_below

said = partial(wording, CLAIMS, {})
THEOREM = (
    "Fountoulakis et al. (JMLR 2023) prove, for graphs that grow, that an attention exists which does so above √(log n) standard "
    "deviations, and that none does far below."
)
TRADE = "Stated by Ma et al. (arXiv 2412.15496) of an attention that they construct; here of trained nets."
ATTENTIVE = ("gat", "gatv2")


def separation_parts(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """Where the class means lie far apart and close: the attention on the other class, and the accuracy against GCN's."""
    parts = []
    for easy in (True, False):
        constructed = evidence.arm(PlantedSeparate, **cell(recipe, easy))
        trained = [class_arm(evidence, layer, **cell(recipe, easy)) for layer in ATTENTIVE]
        parts += [separated(recipe, arm, easy, arm.name) for arm in trained]
        parts += [
            separated(recipe, constructed, easy, "constructed attention"),
            *(gain(recipe, evidence, arm, easy) for arm in trained),
        ]
    return parts


def separated(recipe: Recipe, arm: Arm, easy: bool, name: str) -> Part:
    """Attention on neighbors of the other class, over their share."""
    built = name == "constructed attention"
    of: Of = "rival" if built or not easy else "extension"
    apart = f"{1 if easy else 0.5:g} √(log n) standard deviations"
    distance = cell(recipe, easy)["distance"]
    least, most = recipe.suppression, f"{recipe.listened:g}"
    return Part(
        **said(f"{FAR if easy else NEAR}, {name}", of),
        effect=mean(arm, "attention", unit="of their share"),
        region=at_most(least, center=1.0, why=f"neighbors that keep more are hardly suppressed; refuted from {most} on")
        if easy
        else at_least(least, center=0.0, why="neighbors that keep less are clearly suppressed"),
        unit="of their share",
        bounds=(0.0, math.inf),
        untrained=() if built else arm.below("train_accuracy", recipe.two_class_fit),
        checks=(
            Check(f"the class means lie more than {apart} apart", distance > 1)
            if easy
            else Check(f"the class means lie {apart} apart at most", distance <= 0.5),
        ),
        note=THEOREM,
    )  # fmt: skip


def gain(recipe: Recipe, evidence: Evidence, arm: Arm, easy: bool) -> Part:
    """Points of accuracy by which a layer leads GCN."""
    gcn, margin = class_arm(evidence, "gcn", **cell(recipe, easy)), recipe.margin
    structure, features = structure_noise(recipe, easy), feature_noise(recipe, easy)
    why = "a smaller difference does not matter"
    return Part(
        **said(f"{'structure' if easy else 'feature'} noise, {arm.name}", "rival"),
        effect=difference(arm, gcn, "test_accuracy", unit="%"),
        region=exceeds(margin, why=why) if easy else falls_below(margin, why=why),
        unit="points of lead over GCN",
        untrained=(*arm.below("train_accuracy", recipe.two_class_fit), *gcn.below("train_accuracy", recipe.two_class_fit)),
        checks=(
            Check(
                f"structure noise ({structure:.2g}) is {'larger' if easy else 'smaller'} than feature noise ({features:.2g})",
                structure > features if easy else structure < features,
            ),
        ),
        corrected=partial(lead, arm.name),
        note=f"{TRADE} Structure noise is (p + q) / (p - q), of the probabilities of edges within and between classes; feature "
        "noise is the standard deviation over half the distance of the means.",
    )


def lead(name: str, led: Interval) -> str:
    """What is true of a lead that was refuted."""
    return f"{name} leads GCN by {led.estimate:.1f} points [{led.low:.1f} to {led.high:.1f}]."


def structure_noise(recipe: Recipe, easy: bool) -> float:
    """(p + q) / (p - q) = 1 / (1 - 2 · the share of the other class)."""
    rest = 1 - 2 * cell(recipe, easy)["other"]
    return 1 / rest if rest > 0 else math.inf


def feature_noise(recipe: Recipe, easy: bool) -> float:
    """σ / μ, of class means ± μ."""
    distance = cell(recipe, easy)["distance"] * math.sqrt(math.log(recipe.two_class_nodes))
    return 2 / distance if distance > 0 else math.inf
