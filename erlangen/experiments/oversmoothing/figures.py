"""Depth, and the node itself: figures, each with the table behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.graphs import graph_title
from erlangen.experiments.kit.panels import Row, cells, clipped, curves
from erlangen.experiments.oversmoothing import Recipe
from erlangen.experiments.oversmoothing.judge import FLOOR, NAMES
from erlangen.experiments.oversmoothing.tasks import PROPAGATED, Propagate, Train
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import Interval, mean_interval

COLUMNS = ("nets", "panel", "layers", "mean", "low", "high")
Mean = Callable[[Sequence[float]], Interval]

lines = partial(curves, COLUMNS, x="layers", y="mean", color="nets", colors=tuple(NAMES.values()), panel="panel")
"""A line over depth for each kind of net."""


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """Accuracy and smoothness over depth, and what averaging does by itself."""
    made = [accuracy_figure(recipe, evidence), smoothness_figure(recipe, evidence), propagation_figure(recipe, evidence)]
    return [figure for figure in made if figure.rows]


def percent(values: Sequence[float]) -> Interval:
    """Mean accuracy and its interval."""
    return clipped(mean_interval(values))


def geometric(values: Sequence[float]) -> Interval:
    """Geometric mean and its interval; 0 counts as FLOOR, which is below everything else."""
    return mean_interval([math.log(max(value, FLOOR)) for value in values]).exp()


def over_depth(recipe: Recipe, evidence: Evidence, panels: Mapping[str, str], mean: Mean) -> tuple[Row, ...]:
    """(nets, panel, layers, mean, low, high) for each arm, panel -> measurement, and depth that has nets."""
    rows: list[Row] = []
    for arm, (panel, name), depth in product(NAMES, panels.items(), recipe.depths):
        values = [result.value(name) for result in evidence.of(Train, arm=arm, depth=depth)]
        interval = mean([value for value in values if math.isfinite(value)])
        if math.isfinite(interval.estimate):
            rows.append((NAMES[arm], panel, depth, *cells(interval)))
    return tuple(rows)


def accuracy_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Test and training accuracy over depth."""
    panels = {"test accuracy": "test_accuracy", "training accuracy": "train_accuracy"}
    rows = over_depth(recipe, evidence, panels, percent)
    commonest = mean_interval([result.value("commonest_class") for result in evidence.of(Train)]).estimate
    return Figure(
        name="accuracy",
        title=f"Accuracy over depth: {graph_title(recipe.data)}",
        caption=f"Mean and 95 % interval over {recipe.seeds} seeds. Where training accuracy falls too, the deep net did not "
        f"train. Predicting the commonest class for every node scores about {commonest:.0f} %.",
        columns=COLUMNS,
        rows=rows,
        spec=lines(rows, panels=list(panels), y_title="accuracy, %", log_x=2, domain=(0, 100)),
    )


def smoothness_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Energy and distance over depth, before and after training."""
    panels = {
        f"{what}, {when}": f"{weights}_{what}"
        for what in ("energy", "distance")
        for weights, when in (("random", "before training"), ("trained", "after training"))
    }
    rows = over_depth(recipe, evidence, panels, geometric)
    return Figure(
        name="smoothness",
        title="How different the nodes' features are, over depth",
        caption="Features of the last convolution: Dirichlet energy over ‖H‖², and mean cosine distance of all pairs of nodes. "
        "Geometric mean and 95 % interval over seeds; 0 is drawn as 10⁻¹². Without neighbors nothing is averaged: what falls "
        "there is due to depth and relu.",
        columns=COLUMNS,
        rows=rows,
        spec=lines(rows, panels=list(panels), y_title="geometric mean", log_x=2, log_y=True),
    )


def propagation_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """Energy and distance without weights, from depth 0 on."""
    rows: list[Row] = []
    for arm, name in product(PROPAGATED, ("energy", "distance")):
        tables = [result.values(name) for result in evidence.of(Propagate, arm=arm)]
        for depth, values in zip((0, *recipe.depths), zip(*tables, strict=True), strict=False):
            rows.append((NAMES[arm], name, depth, *cells(geometric(values))))
    return Figure(
        name="propagation",
        title="Averaging alone, without weights",
        caption="The features themselves (0 layers), then averaged once per layer: by D⁻¹A, with B = I, or with self-loops. "
        "Energy and distance as above.",
        columns=COLUMNS,
        rows=tuple(rows),
        spec=lines(rows, panels=["energy", "distance"], y_title="geometric mean", log_y=True),
    )
