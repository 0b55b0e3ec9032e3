"""Depth, and the node itself: figures, each with the table behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.graphs import graph_title
from erlangen.experiments.kit.panels import Row, cells, clipped, curves, dots
from erlangen.experiments.oversmoothing import Recipe
from erlangen.experiments.oversmoothing.energy_figures import colors_of, energy_figure, propagation_figure
from erlangen.experiments.oversmoothing.evidence import NAMES, fitted, nets
from erlangen.experiments.oversmoothing.plan import EVERYWHERE
from erlangen.experiments.oversmoothing.tasks import KINDS
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import Interval, mean_interval


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """Deep beside shallow nets; accuracy and energy over depth; averaging by itself."""
    made = [
        accuracy_figure(recipe, evidence),
        depth_figure(recipe, evidence),
        energy_figure(recipe, evidence),
        propagation_figure(recipe, evidence),
        epochs_figure(recipe, evidence),
    ]
    return [figure for figure in made if figure.rows]


def percent(values: Sequence[float]) -> Interval:
    """Mean accuracy and its interval."""
    return clipped(mean_interval(values))


def accuracy_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Test accuracy of every arm, shallow and deep, and which nets did not train."""
    columns = ("nets", "depth", "test accuracy", "low", "high", "trained", "learning rate")
    rows: list[Row] = []
    for name, depth in product(recipe.arms, (recipe.depths[0], recipe.deep)):
        best = nets(recipe, evidence, name, depth)
        count, fits = len(best.arm.results), sum(fitted(recipe, result) for result in best.arm.results.values())
        interval = percent([value for value in best.arm.values("test_accuracy").values() if math.isfinite(value)])
        if math.isfinite(interval.estimate):
            which = f"{depth} layers" + ("" if fits == count else ", not all trained")
            rows.append((NAMES[name], which, *cells(interval), f"{fits} of {count}", best.rate))
    shown = {f"{depth} layers{lack}": color for (depth, lack), color in zip(
        product((recipe.depths[0], recipe.deep), ("", ", not all trained")), ("#56B4E9", "#BBBBBB", "#D55E00", "#888888"),
        strict=True,
    ) if any(row[1] == f"{depth} layers{lack}" for row in rows)}  # fmt: skip
    commonest = mean_interval([value for name in recipe.arms for value in commonest_class(recipe, evidence, name)]).estimate
    return Figure(
        name="accuracy",
        title=f"Test accuracy of shallow and deep nets, with B and without: {graph_title(recipe.data)}",
        caption=f"Mean and 95 % interval over {recipe.seeds} seeds, each kind and depth at its best learning rate, trained until "
        f"the training loss is {recipe.loss:g}. Trained: nets that learned {recipe.fit:g} % of their training nodes; where not "
        "all did, the accuracy says nothing about over-smoothing. Predicting the commonest class for every node scores "
        f"{commonest:.0f} %.",
        columns=columns,
        rows=tuple(rows),
        spec=dots(
            columns, rows, x="test accuracy", y="nets", order=[NAMES[name] for name in KINDS], color="depth", colors=shown,
            title="test accuracy, %", domain=(0, 100),
        ),
    )  # fmt: skip


def commonest_class(recipe: Recipe, evidence: Evidence, name: str) -> list[float]:
    """What predicting one class for every node scores, in percent, for the nets of an arm that did not diverge."""
    values = nets(recipe, evidence, name, recipe.deep).arm.values("commonest_class").values()
    return [value for value in values if math.isfinite(value)]


def depth_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Test and training accuracy of the nets that are trained at every depth."""
    columns = ("nets", "panel", "layers", "mean", "low", "high", "trained")
    panels = {"test accuracy": "test_accuracy", "training accuracy": "train_accuracy"}
    drawn = [name for name in EVERYWHERE if name in recipe.arms]
    rows: list[Row] = []
    for name, (panel, measured), depth in product(drawn, panels.items(), recipe.depths):
        arm = nets(recipe, evidence, name, depth).arm
        interval = percent([value for value in arm.values(measured).values() if math.isfinite(value)])
        if math.isfinite(interval.estimate):
            fits = sum(fitted(recipe, result) for result in arm.results.values())
            rows.append((NAMES[name], panel, depth, *cells(interval), f"{fits} of {len(arm.results)}"))
    return Figure(
        name="depth",
        title=f"Accuracy over depth: {graph_title(recipe.data)}",
        caption=f"Mean and 95 % interval over {recipe.seeds} seeds. Where training accuracy falls too, the deep nets did not "
        f"train in {recipe.epochs} epochs: their test accuracy is no evidence of over-smoothing.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="layers", y="mean", color="nets", colors=colors_of(drawn), panel="panel", panels=list(panels),
            y_title="accuracy, %", log_x=2, domain=(0, 100),
        ),
    )  # fmt: skip


def epochs_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Epochs that trainings took."""
    columns = ("nets", "layers", "epochs", "low", "high")
    drawn = [name for name in EVERYWHERE if name in recipe.arms]
    rows: list[Row] = []
    for name, depth in product(drawn, recipe.depths):
        interval = nets(recipe, evidence, name, depth).arm.mean("epochs")
        if math.isfinite(interval.estimate):
            rows.append((NAMES[name], depth, *cells(clipped(interval, 0.0, float(recipe.epochs)))))
    return Figure(
        name="epochs",
        title="Epochs of training, over depth",
        caption=f"Until the training loss was {recipe.loss:g}, {recipe.epochs} at most. Mean and 95 % interval over seeds, at "
        "the best learning rate of each kind and depth.",
        columns=columns,
        rows=tuple(rows),
        spec=curves(
            columns, rows, x="layers", y="epochs", color="nets", colors=colors_of(drawn), log_x=2, domain=(0, recipe.epochs)
        ),
    )
