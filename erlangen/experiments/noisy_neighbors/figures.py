"""Attention among noisy neighbors: figures, each with the table behind it."""

from __future__ import annotations

import math
from functools import partial
from itertools import product

import numpy as np

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.graphs import graph_slug, graph_title
from erlangen.experiments.kit.panels import PALETTE, Row, cells, clipped, curves, dots
from erlangen.experiments.noisy_neighbors.claims import KINDS, NAMES, REGIMES
from erlangen.experiments.noisy_neighbors.evidence import geometric, layer_arm, under
from erlangen.experiments.noisy_neighbors.recipe import Recipe
from erlangen.experiments.noisy_neighbors.separation_figures import RELATIVE, separation, weights
from erlangen.experiments.noisy_neighbors.star import star
from erlangen.experiments.noisy_neighbors.tasks import NOISES, Train
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import mean_interval

COLORS = tuple(NAMES.values())
CONDITIONS = {f"{name}, {where}": (kind, regime) for regime, where in REGIMES.items() for kind, name in KINDS.items()}
CLEAN = "At nodes whose own features are clean; mean and 95 % interval over seeds."

compare = partial(dots, y="noise", color="layer", order=list(CONDITIONS))
"""A dot for each layer, one line for each noise."""


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """For each graph whom the layers listen to and what noise costs; then two classes at a distance; then the weights."""
    made = []
    for data in recipe.data:
        if all(evidence.of(Train, data=data, layer=layer) for layer in NAMES):
            made += [draw(recipe, evidence, data) for draw in (attention, losses, lines, star)]
    made += [separation(recipe, evidence, "attention"), separation(recipe, evidence, "test_accuracy"), weights(evidence)]
    return [figure for figure in made if figure.rows]


def attention(recipe: Recipe, evidence: Evidence, data: str) -> Figure:
    """Attention on noisy neighbors over their share."""
    columns = ("layer", "noise", RELATIVE, "low", "high")
    rows: list[Row] = []
    for layer, (name, (kind, regime)) in product(("gat", "gatv2"), CONDITIONS.items()):
        ratios = [*layer_arm(evidence, data, layer).values(under("attention", regime, (kind,))).values()]
        if all(map(math.isfinite, ratios)):
            rows.append((NAMES[layer], name, *cells(geometric(ratios))))
    caption = (
        "Attention of the first layer on noisy neighbors over their share of the neighbors, at clean nodes with both kinds. "
        f"Equal weights give 1 (dashed). Further left, noise is suppressed, clearly so from {recipe.suppression:g} on; further "
        "right, noisy neighbors get more attention than clean ones."
    )
    name, title = f"attention-{graph_slug(data)}", f"Attention on noisy neighbors: {graph_title(data)}"
    colors = {NAMES[layer]: PALETTE[COLORS.index(NAMES[layer])] for layer in ("gat", "gatv2")}  # those of the other figures
    title_lines = ["attention on noisy neighbors,", "relative to equal weights (1 = no preference)"]
    chart = compare(columns, rows, x=RELATIVE, title=title_lines, reference=1.0, colors=colors)
    return Figure(name=name, title=title, caption=caption, columns=columns, rows=tuple(rows), spec=chart)


def losses(recipe: Recipe, evidence: Evidence, data: str) -> Figure:
    """What each noise costs each layer."""
    columns = ("layer", "noise", "points of accuracy lost", "low", "high")
    rows: list[Row] = [
        (NAMES[layer], name, *cells(layer_arm(evidence, data, layer).mean(under("lost", regime, (kind,)))))
        for layer, (name, (kind, regime)) in product(NAMES, CONDITIONS.items())
    ]
    name, title = f"losses-{graph_slug(data)}", f"What noise costs on {graph_title(data)}"
    caption = (
        f"Noise on {100 * recipe.share:.0f} % of the nodes or edges; the further left, the more robust. {CLEAN} Verdicts compare "
        "layers seed by seed, which is sharper."
    )
    chart = compare(columns, rows, x=columns[2], reference=0.0, colors=COLORS)
    return Figure(name=name, title=title, caption=caption, columns=columns, rows=tuple(rows), spec=chart)


def lines(recipe: Recipe, evidence: Evidence, data: str) -> Figure:
    """Accuracy as a noise rises that was not met in training, with bands."""
    columns = ("layer", "kind", "noise, %", "accuracy, %", "low", "high")
    rows: list[Row] = []
    for layer, (place, noise) in product(NAMES, enumerate(NOISES)):
        results = evidence.of(Train, data=data, layer=layer)
        clean = [result.value("test_accuracy") for result in results]
        risen = [result.values("accuracy_by_share") or (math.nan,) * len(NOISES) * len(recipe.shares) for result in results]
        tables = np.array(risen).reshape(len(results), len(NOISES), -1)[:, place]  # (seeds, shares)
        for share, values in zip((0.0, *recipe.shares), (clean, *tables.T.tolist()), strict=True):
            rows.append((NAMES[layer], KINDS[noise], 100 * share, *cells(clipped(mean_interval(values)))))
    name, title = f"lines-{graph_slug(data)}", f"Accuracy as noise rises in the test: {graph_title(data)}"
    panels = partial(curves, panel="kind", panels=list(KINDS.values()), panel_columns=3, domain=(0, 100))
    chart = panels(columns, rows, x="noise, %", y="accuracy, %", color="layer", colors=COLORS)
    return Figure(name=name, title=title, caption=CLEAN, columns=columns, rows=tuple(rows), spec=chart)
