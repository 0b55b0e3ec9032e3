"""Word order: the figure of what each net can do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import PALETTE, Row, cells, dots, significant
from erlangen.experiments.kit.texts import text_title
from erlangen.experiments.word_order.bounds import bound
from erlangen.experiments.word_order.evidence import POSITION_TITLES, best_unordered, on_puzzle, on_text
from erlangen.experiments.word_order.recipe import Recipe
from erlangen.experiments.word_order.sentence_figures import NETS, finite_mean
from erlangen.experiments.word_order.statements import layers
from erlangen.experiments.word_order.tasks import PuzzleName
from erlangen.records.runs import Figure

BOUND = "best without order"


def ability_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """What each net reaches on each task, beside the best that sees no order."""
    columns = ("task", "net", "positions", "value", "low", "high")
    rows = [*puzzle_rows(recipe, evidence), *text_rows(recipe, evidence)]
    tasks = list(dict.fromkeys(str(row[0]) for row in rows))
    colors = {BOUND: PALETTE[6], **dict(zip(POSITION_TITLES.values(), PALETTE, strict=False))}
    return Figure(
        name="ability",
        title="Tasks that require order",
        caption="Accuracy on new cases, and for the text the loss, where less is better; mean and 95 % interval over seeds. "
        "marks: which of two marks among 14 other tokens comes first. reverse: 8 different tokens in reverse order. Best without "
        "order: exact on the puzzles; on the text, the best trained predictor that sees counts and the last character alone.",
        columns=columns,
        rows=tuple(rows),
        spec=dots(
            columns, rows, x="value", y="net", order=[BOUND, *NETS], color="positions", colors=colors,
            title="accuracy, %, or nats", panel="task", panels=tasks, same_x=False,
        ),
    )  # fmt: skip


def puzzle_rows(recipe: Recipe, evidence: Evidence) -> list[Row]:
    """(task, net, positions, accuracy, low, high)."""
    kinds: Sequence[tuple[PuzzleName, str]] = (("marks", "encoder"), ("marks", "causal"), ("reverse", "causal"))
    bounds = {puzzle: significant(bound(puzzle)) for puzzle, _ in kinds if recipe.depths}
    rows: list[Row] = [(f"{puzzle}: accuracy, %", BOUND, BOUND, least, least, least) for puzzle, least in bounds.items()]
    for (puzzle, net), depth, positions in product(kinds, recipe.depths, POSITION_TITLES):
        interval = finite_mean(on_puzzle(evidence, puzzle, net, depth, positions).arm, "test_accuracy", 100.0)
        if math.isfinite(interval.estimate):
            rows.append((f"{puzzle}: accuracy, %", f"{net}, {layers(depth)}", POSITION_TITLES[positions], *cells(interval)))
    return rows


def text_rows(recipe: Recipe, evidence: Evidence) -> list[Row]:
    """(task, net, positions, loss, low, high)."""
    if not recipe.text_depths:
        return []
    task = f"{text_title(recipe.corpus)}: nats per character"
    arms = [(BOUND, BOUND, best_unordered(evidence, max(recipe.text_depths)).arm)]
    arms += [
        (f"causal, {layers(depth)}", title, on_text(evidence, "causal", depth, positions).arm)
        for depth, (positions, title) in product(recipe.text_depths, POSITION_TITLES.items())
    ]
    means = [(net, positions, finite_mean(arm, "test_loss")) for net, positions, arm in arms]
    return [(task, net, positions, *cells(mean)) for net, positions, mean in means if math.isfinite(mean.estimate)]
