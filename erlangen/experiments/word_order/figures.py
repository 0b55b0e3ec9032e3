"""Word order: figures, each with the table behind it."""

from __future__ import annotations

import math
from itertools import product

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.panels import Row, significant
from erlangen.experiments.kit.texts import text_title
from erlangen.experiments.word_order.ability_figure import ability_figure
from erlangen.experiments.word_order.evidence import on_puzzle, on_text
from erlangen.experiments.word_order.recipe import DEPTHS, Recipe
from erlangen.experiments.word_order.sentence_figures import sentences_figure, sentences_table
from erlangen.experiments.word_order.statements import layers
from erlangen.experiments.word_order.tasks import Sentences
from erlangen.records.runs import Figure

ERRORS = ("random_errors", "trained_errors", "trained_leak_errors")


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """The two sentences to each net, as a picture and in numbers; then every task, and every text in another order."""
    made = [
        sentences_figure(evidence),
        sentences_table(evidence),
        ability_figure(recipe, evidence),
        order_table(recipe, evidence),
    ]
    return [figure for figure in made if figure.rows]


def order_table(recipe: Recipe, evidence: Evidence) -> Figure:
    """What another order of the tokens before the last changes, for nets without positions, on every task."""
    rows: list[Row] = []
    for net, depth in product(("encoder", "causal"), DEPTHS):
        arms = {"sentences": evidence.arm(Sentences, net=net, depth=depth, positions="none")}
        arms |= {puzzle: on_puzzle(evidence, puzzle, net, depth, "none").arm for puzzle in ("marks", "reverse")}
        arms |= {text_title(recipe.corpus): on_text(evidence, net, depth, "none").arm}
        rows += [
            (f"{net}, {layers(depth)}", task, *(significant(average(arm, name), 2) for name in ERRORS))
            for task, arm in arms.items()
            if arm.results
        ]
    return Figure(
        name="orders",
        title="Another order of the same tokens",
        caption="Nets without positions. Distance of the outputs for two orders of the same tokens, the last one kept, over the "
        "spread of other texts, in float64; mean over texts and seeds. Last column: the trained net once positions leak "
        "into it at 1 % of the embeddings' size, which shows what the measure can see.",
        columns=("net", "task", "random weights", "trained", "trained, with the leak"),
        rows=tuple(rows),
    )


def average(arm: Arm, name: str) -> float:
    """The mean over texts and seeds; NaN where nothing is finite."""
    values = [value for result in arm.results.values() for value in result.values(name) if math.isfinite(value)]
    return math.fsum(values) / len(values) if values else math.nan
