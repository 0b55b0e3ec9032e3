"""Depth, and the node itself: verdicts and the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.graphs import GRAPHS, beyond_the_report, graph_title
from erlangen.experiments.kit.parts import AnyPart
from erlangen.experiments.oversmoothing import CLAIMS, OF_NETS, Recipe
from erlangen.experiments.oversmoothing.accuracy_parts import accuracy_parts, over_depth
from erlangen.experiments.oversmoothing.counts import averaging, depth_alone, itself, relu_scale, small_components
from erlangen.experiments.oversmoothing.energy_parts import energy_parts, geometric
from erlangen.experiments.oversmoothing.evidence import kept_at_start, learned, starts, untrained
from erlangen.records.runs import Answer, Verdict

OPENING = {
    "supported": "B prevents over-smoothing before training",
    "refuted": "B does not prevent over-smoothing before training",
}
UNDECIDED = "Whether B prevents over-smoothing before training is not decided"


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """What is counted, the energy that depth leaves, and the accuracy of deep nets."""
    parts: list[AnyPart] = [
        *itself(recipe, evidence),
        *energy_parts(recipe, evidence),
        *accuracy_parts(recipe, evidence),
        averaging(recipe, evidence),
        *small_components(recipe, evidence),
        relu_scale(recipe, evidence),
        *depth_alone(recipe, evidence),
    ]
    order = list(CLAIMS[0].parts)
    return decide(sorted(parts, key=lambda part: order.index(part.part)))


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """What one layer sees, and what deep nets keep and score; of a graph of the user's only the latter decides."""
    found = {verdict.part: verdict for verdict in verdicts}
    seen, before = found["one layer"], found["energy before training"].verdict
    clauses = [energies(recipe, evidence), scores(recipe, evidence)]
    nets = "; ".join(filter(None, clauses))
    sentences = [
        "" if seen.effect is None else f"Without B, one layer sees the node itself at {seen.effect:.0f} of {seen.n} nodes.",
        f"{OPENING.get(before, UNDECIDED)}: {nets}." if clauses[0] else f"{nets[:1].upper()}{nets[1:]}." if nets else "",
    ]
    deciding = [verdict for verdict in verdicts if recipe.data in GRAPHS or verdict.part in OF_NETS]
    sentence = " ".join(filter(None, sentences))
    return [answer("G3", deciding, sentence, figure="accuracy", beyond=beyond_the_report([recipe.data]))]


def energies(recipe: Recipe, evidence: Evidence) -> str:
    """What deep untrained nets keep of the energy; '' where it was not measured."""
    share = partial(kept_at_start, recipe)
    arms = [starts(recipe, evidence, name) for name in ("root", "none")]
    root, none = (100 * geometric(arm, share).interval(0.95).estimate for arm in arms)
    if any(arm.missing for arm in arms) or not math.isfinite(root + none):
        return ""
    return (
        f"{recipe.deep} layers keep {root:.2g} % of the differences between neighbors (Dirichlet energy) of "
        f"{recipe.depths[0]} layers with B, and {none:.2g} % without"
    )


def scores(recipe: Recipe, evidence: Evidence) -> str:
    """The test accuracies of shallow and deep nets, or why they cannot be compared; '' where they were not measured."""
    with_b, without = (over_depth(recipe, evidence, name) for name in ("root", "none"))
    compared = [best.arm for best in (*with_b, *without)]
    deep, shallow, deep_without, shallow_without = (arm.mean("test_accuracy").estimate for arm in compared)
    if any(arm.missing for arm in compared) or not all(arm.results for arm in compared):
        return ""
    if untrained(recipe, *with_b, *without):
        counts = [learned(recipe, *(best.arm for best in pair)) for pair in (with_b, without)]
        return (
            f"the trained nets cannot be compared, because only {counts[0]} with B and {counts[1]} without learned "
            f"{recipe.fit:g} % of their training nodes"
        )
    if not math.isfinite(deep + shallow + deep_without + shallow_without):
        return ""
    return (
        f"trained on {graph_title(recipe.data)}, nets with B score {shallow:.0f} % with {recipe.depths[0]} layers and "
        f"{deep:.0f} % with {recipe.deep}, nets without B {shallow_without:.0f} and {deep_without:.0f} %"
    )
