"""Receptive field: verdicts and the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.receptive_field.counted_parts import counted_parts
from erlangen.experiments.receptive_field.effective_parts import effective_parts
from erlangen.experiments.receptive_field.evidence import arm, learned
from erlangen.experiments.receptive_field.extent_parts import extent_parts
from erlangen.experiments.receptive_field.learning_parts import learning_parts
from erlangen.experiments.receptive_field.plan import DEEP, DEEPEST, FAR, MIDDLE, SHALLOW, Cell
from erlangen.experiments.receptive_field.recipe import Recipe
from erlangen.experiments.receptive_field.statements import PARTS
from erlangen.records.runs import Answer, Verdict


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """In the order in which the claim lists its parts."""
    found = decide(
        [
            *extent_parts(evidence),
            *effective_parts(recipe, evidence),
            *learning_parts(recipe, evidence),
            *counted_parts(recipe, evidence),
        ]
    )
    order = list(PARTS)
    return sorted(found, key=lambda verdict: order.index(verdict.part))


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """How the field grows, and in how many trainings which nets learn a far distance."""
    sentence = f"{grown(verdicts)}{bounds(verdicts)}{told(evidence, recipe)}."
    needs = f"the distances {MIDDLE} and {FAR}"
    return [answer("C11", verdicts, sentence, figure="fields", whole=FAR in recipe.distances, needs=needs)]


def grown(verdicts: Sequence[Verdict]) -> str:
    """How the theoretical field grows, if it was counted to."""
    if not all(decided(verdicts, part, "supported") for part in ("CNN, each layer", "attention, one layer")):
        return "The theoretical fields are not what the formulas say"
    return "A CNN's field grows by 2 pixels with each 3×3 layer, and attention's is global from the first"


def bounds(verdicts: Sequence[Verdict]) -> str:
    """What the field decides of what is learned, as far as the trainings show it."""
    if decided(verdicts, "outside", "supported"):
        narrow = any(decided(verdicts, f"inside, {layers} layers", "refuted") for layers in (DEEP, DEEPEST))
        return f". {'What lies inside a field is not always learned' if narrow else 'What lies outside a field is never learned'}"
    return ""


def decided(verdicts: Sequence[Verdict], part: str, outcome: str) -> bool:
    """Whether a part was decided so."""
    return any(verdict.part == part and verdict.verdict == outcome for verdict in verdicts)


def told(evidence: Evidence, recipe: Recipe) -> str:
    """': 20 columns are learned in 1 of 16 trainings by a CNN of 10 layers, whose field has 21, and ...'."""
    distance = next((distance for distance in (FAR, MIDDLE) if distance in recipe.distances), None)
    if distance is None:
        return ""
    shallow, deep = (DEEP, DEEPEST) if distance == FAR else (SHALLOW, DEEP)
    nets = {
        f" by a CNN of {shallow} layers, whose field has {2 * shallow + 1}": Cell("plain", shallow, distance),
        f" by one of {deep} layers": Cell("plain", deep, distance),
        f" by {SHALLOW} dilated layers": Cell("dilated", SHALLOW, distance),
        " by one layer of attention": Cell("relative", 1, distance),
    }
    counts = [f"{count}{words}" for words, cell in nets.items() if (count := of(evidence, cell))]
    if len(counts) < 2:
        return ""
    first, *others, last = counts
    return f": {distance} columns are learned in {', '.join([first.replace(' by', ' trainings by'), *others])} and {last}"


def of(evidence: Evidence, cell: Cell) -> str:
    """'15 of 16'; '' without a training whose outcome is known."""
    values = [value for value in arm(evidence, cell).values(learned).values() if math.isfinite(value)]
    return f"{sum(value == 1 for value in values)} of {len(values)}" if values else ""
