"""Transformers as graph networks: figures."""

from __future__ import annotations

from itertools import product
from typing import get_args

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row, cells, clipped, curves, significant
from erlangen.experiments.transformer_as_graph import Recipe
from erlangen.experiments.transformer_as_graph.club_figure import club_figure
from erlangen.experiments.transformer_as_graph.comparisons import ENCODINGS, MASKS, words
from erlangen.experiments.transformer_as_graph.gains_figure import gains_figure
from erlangen.experiments.transformer_as_graph.judge import verdicts
from erlangen.experiments.transformer_as_graph.structure import CLASSES, SHARE, arms, log_ratio
from erlangen.experiments.transformer_as_graph.tasks import ArmName, Picture
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import mean_interval


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """Those for which there are results, the ones that show the answers first."""
    made = [
        gains_figure(recipe, evidence),
        accuracy_figure(recipe, evidence),
        checks_table(recipe, evidence),
        attention_figure(recipe, evidence),
        *(club_figure(result) for result in evidence.of(Picture)),
    ]
    return [figure for figure in made if figure.rows]


def accuracy_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Accuracy against homophily, a line for each arm."""
    columns = ("panel", "attention to", "homophily", "accuracy", "low", "high", "training accuracy")
    rows: list[Row] = []
    for classes, name in product(recipe.classes, get_args(ArmName)):
        mask, encoding = words(name)
        for homophily, arm in zip(recipe.points(classes), arms(recipe, evidence, classes, "all", name), strict=True):
            accuracy, training = (arm.mean(f"{split}_accuracy") for split in ("test", "train"))
            if arm.results:
                cell = (f"{classes} classes, {encoding}", mask, homophily, *cells(clipped(accuracy)))
                rows.append((*cell, significant(training.estimate)))
    return Figure(
        name="accuracy",
        title="One network, several masks: accuracy against homophily",
        caption=f"Mean and 95 % interval over {recipe.seeds} block models. At a homophily of 1 / classes an edge says nothing of "
        "the class. Arms are compared seed by seed, which is sharper than these bands.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="homophily", y="accuracy", color="attention to", colors=MASKS.values(), panel="panel",
            panel_columns=len(ENCODINGS), x_title="share of edges within a class", y_title="test accuracy, %",
            panels=[f"{classes} classes, {encoding}" for classes, encoding in product(recipe.classes, ENCODINGS.values())],
        ),
    )  # fmt: skip


def attention_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Attention on true edges when every node is attended to, over their share and over others of the same classes."""
    columns = ("panel", "network", "homophily", "ratio", "low", "high")
    bases = {SHARE: "over their share", CLASSES: "over others of their classes"}
    rows: list[Row] = [
        (f"{classes} classes, {said}", words(name)[1], homophily, *cells(mean_interval(logs).exp()))
        for classes, (base, said) in product(recipe.classes, bases.items())
        for name in get_args(ArmName)
        if name.startswith("complete")
        for homophily, arm in zip(recipe.points(classes), arms(recipe, evidence, classes, "all", name), strict=True)
        if (logs := [log_ratio(result, base) for result in arm.results.values()])
    ]
    return Figure(
        name="attention",
        title="When every node is attended to: do true edges stand out?",
        caption="Attention on true edges over their share of all places, and over what as many other nodes of the same classes "
        "get; mean over layers, 95 % interval. At 1 they do not stand out.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="homophily", y="ratio", color="network", colors=ENCODINGS.values(), panel="panel",
            panels=[f"{classes} classes, {said}" for classes, said in product(recipe.classes, bases.values())],
            x_title="share of edges within a class", y_title="attention on true edges, ratio",
        ),
    )  # fmt: skip


def checks_table(recipe: Recipe, evidence: Evidence) -> Figure:
    """What was counted for G9."""
    counted = [verdict for verdict in verdicts(recipe, evidence) if verdict.kind == "exact" and verdict.effect is not None]
    return Figure(
        name="checks",
        title="The layer as a graph network, counted",
        caption="Random layers in float64, output for output, attention weight for attention weight, gradient for gradient.",
        columns=("part", "statement", "counterexamples", "what they are", "of", "note"),
        rows=tuple((found.part, found.statement, found.effect, found.unit, found.n, found.note) for found in counted),
    )
