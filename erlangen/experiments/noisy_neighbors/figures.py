"""Attention among noisy neighbors: figures, each with the table behind it."""

from __future__ import annotations

import math
from functools import partial
from itertools import product

import altair as alt
import numpy as np

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.graphs import graph_slug, graph_title
from erlangen.experiments.kit.panels import FAINT, PAGE, Row, cells, clipped, curves, dots, heat, palette, records, spec, tooltip
from erlangen.experiments.noisy_neighbors import KINDS, NAMES, REGIMES, Recipe
from erlangen.experiments.noisy_neighbors.evidence import attention_ratio, grid, layer_arm, line, loss, shares
from erlangen.experiments.noisy_neighbors.judge import geometric
from erlangen.experiments.noisy_neighbors.tasks import Train, Weights
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import mean_interval

COLORS = tuple(NAMES.values())
CONDITIONS = {f"{KINDS[kind]}, {REGIMES[regime]}": (kind, regime) for regime in REGIMES for kind in KINDS}
CLEAN = "At test nodes whose own features are clean; mean and 95 % interval over seeds."

compare = partial(dots, y="noise", color="layer", colors=COLORS, order=list(CONDITIONS))
"""A dot for each layer, one line for each noise."""


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """For each graph what noise costs and whom the layers listen to; then what was counted of the weights."""
    made = []
    for data in recipe.data:
        if all(evidence.of(Train, data=data, layer=layer) for layer in NAMES):
            made += [draw(recipe, evidence, data) for draw in (losses, attention, lines, star)]
            made += [noise_map(recipe, evidence, data, regime) for regime in REGIMES]
    made.append(weights(evidence))
    return [figure for figure in made if figure.rows]


def losses(recipe: Recipe, evidence: Evidence, data: str) -> Figure:
    """What each noise costs each layer."""
    columns = ("layer", "noise", "points lost per 10 % of noise", "low", "high")
    rows: list[Row] = [
        (NAMES[layer], name, *cells(layer_arm(evidence, data, layer).mean(loss(recipe, [kind], regime))))
        for layer, (name, (kind, regime)) in product(NAMES, CONDITIONS.items())
    ]
    name, title = f"losses-{graph_slug(data)}", f"What noise costs on {graph_title(data)}"
    caption = f"The further left, the more robust. {CLEAN} Verdicts compare layers seed by seed, which is sharper."
    chart = compare(columns, rows, x=columns[2], reference=0.0)
    return Figure(name=name, title=title, caption=caption, columns=columns, rows=tuple(rows), spec=chart)


def attention(recipe: Recipe, evidence: Evidence, data: str) -> Figure:
    """Attention on noisy neighbors over their share."""
    columns = ("layer", "noise", "attention / share", "low", "high")
    rows: list[Row] = []
    for layer, (name, (kind, regime)) in product(NAMES, CONDITIONS.items()):
        ratios = [*layer_arm(evidence, data, layer).values(attention_ratio(kind, regime)).values()]
        if all(map(math.isfinite, ratios)):  # not where both kinds meet
            rows.append((NAMES[layer], name, *cells(geometric(ratios, 0.95))))
    caption = (
        "Attention on noisy neighbors over their share of the neighbors, at clean nodes with both kinds, a mean over shares and "
        f"layers. Equal weights give 1 (dashed); {recipe.suppression:g} or less counts as suppression. GCN's weights are fixed."
    )
    name, title = f"attention-{graph_slug(data)}", f"Attention on noisy neighbors: {graph_title(data)}"
    chart = compare(columns, rows, x="attention / share", reference=1.0)
    return Figure(name=name, title=title, caption=caption, columns=columns, rows=tuple(rows), spec=chart)


def lines(recipe: Recipe, evidence: Evidence, data: str) -> Figure:
    """Accuracy as one kind of noise rises, with bands."""
    columns = ("layer", "kind", "noise, %", "accuracy, %", "low", "high")
    rows: list[Row] = []
    for layer, (kind_name, (kind, regime)) in product(NAMES, CONDITIONS.items()):
        results = evidence.of(Train, data=data, layer=layer)
        accuracies = np.array([line(grid(result, recipe, regime), kind) for result in results])  # (seeds, shares)
        for share, values in zip(shares(recipe, regime), accuracies.T, strict=True):
            rows.append((NAMES[layer], kind_name, 100 * share, *cells(clipped(mean_interval(values.tolist())))))
    name, title = f"lines-{graph_slug(data)}", f"Accuracy as noise rises: {graph_title(data)}"
    panels = partial(curves, panel="kind", panels=list(CONDITIONS), panel_columns=3)
    chart = panels(columns, rows, x="noise, %", y="accuracy, %", color="layer", colors=COLORS)
    return Figure(name=name, title=title, caption=CLEAN, columns=columns, rows=tuple(rows), spec=chart)


def noise_map(recipe: Recipe, evidence: Evidence, data: str, regime: str) -> Figure:
    """Accuracy of every layer at every pair of shares."""
    columns = ("layer", "noisy nodes", "noisy edges", "accuracy, %", "low", "high")
    ticks = [f"{100 * share:.0f} %" for share in shares(recipe, regime)]
    rows: list[Row] = []
    for layer in NAMES:
        tables = np.array([grid(result, recipe, regime) for result in evidence.of(Train, data=data, layer=layer)])
        for (i, nodes), (j, edges) in product(enumerate(ticks), repeat=2):
            rows.append((NAMES[layer], nodes, edges, *cells(clipped(mean_interval(tables[:, i, j].tolist())), 3)))
    name, title = f"map-{graph_slug(data)}-{regime}", f"Both kinds of noise, {REGIMES[regime]}: {graph_title(data)}"
    caption = f"Noisy nodes have another node's features; noisy edges lead to a random node. {CLEAN}"
    panels = partial(heat, x_order=ticks, y_order=ticks[::-1], panel="layer", panels=COLORS)
    chart = panels(columns, rows, x="noisy edges", y="noisy nodes", value="accuracy, %", title="accuracy, %")
    return Figure(name=name, title=title, caption=caption, columns=columns, rows=tuple(rows), spec=chart)


def star(recipe: Recipe, evidence: Evidence, data: str) -> Figure:
    """One node among its neighbors, edges as wide as the attention they get; no rows where no seed has such a node."""
    columns = ("layer", "neighbor", "features", "attention", "x", "y")
    rows: list[Row] = []
    seed = next((result.seed for result in evidence.of(Train, data=data, layer="gat") if result.values("one_node")), None)
    for layer in NAMES:
        flat = next((r.values("one_node") for r in evidence.of(Train, data=data, layer=layer) if r.seed == seed), ())
        for place, (weight, noise) in enumerate(zip(flat[::2], flat[1::2], strict=True)):
            angle = 4 * math.pi * place / len(flat)
            where = round(math.sin(angle), 4), round(math.cos(angle), 4)
            rows.append((NAMES[layer], place + 1, "noise" if noise else "clean", round(weight, 4), *where))
    base = alt.Chart(records(columns, rows)).transform_calculate(middle="0", out_x="1.28 * datum.x", out_y="1.28 * datum.y")
    color = alt.Color("features:N", scale=palette(("clean", "noise")))
    widest = max((float(str(row[3])) for row in rows), default=1.0)
    width = alt.StrokeWidth("attention:Q", scale=alt.Scale(domain=[0, widest], range=[0.3, 12]), legend=None)
    edges = base.mark_rule(opacity=0.8).encode(**at("x", "y"), x2="middle:Q", y2="middle:Q", color=color, strokeWidth=width)
    shown = tooltip(columns[:4], [row[:4] for row in rows])
    nodes = base.mark_circle(size=220, opacity=1).encode(**at("x", "y"), color=color, tooltip=shown)
    center = base.mark_circle(size=320, opacity=1, color=FAINT).encode(**at("middle", "middle"))
    numbers = base.mark_text(fontSize=10, color=FAINT).encode(**at("out_x", "out_y"), text=alt.Text("attention:Q", format=".2f"))
    drawn = (edges + center + nodes + numbers).properties(width=PAGE // 2 - 90, height=PAGE // 2 - 90)
    caption = (
        f"A clean node with three or more neighbors of each kind, seed {seed}, half of all nodes noisy. Attention of the first "
        "layer, a mean over heads, without the node itself: the wider the edge, the more attention."
    )
    name, title = f"node-{graph_slug(data)}", f"Whom one node listens to: {graph_title(data)}"
    chart = spec(drawn.facet(alt.Facet("layer:N", title=None, sort=list(COLORS)), columns=2))
    return Figure(name=name, title=title, caption=caption, columns=columns, rows=tuple(rows), spec=chart)


def at(x: str, y: str) -> dict[str, alt.X | alt.Y]:
    """A place in the picture, on the same scale and without axes in each of its layers."""
    scale = alt.Scale(domain=[-1.5, 1.5])
    return {"x": alt.X(f"{x}:Q", scale=scale, axis=None), "y": alt.Y(f"{y}:Q", scale=scale, axis=None)}


def weights(evidence: Evidence) -> Figure:
    """What was counted of the weights, layer by layer."""
    counts = evidence.arm(Weights)
    rows: list[Row] = []
    for name, title in (("mean", "mean form"), ("gcn", "GCN"), ("gat", "GAT"), ("gatv2", "GATv2")):
        row: list[str] = []
        for some, all_of_them in (("unequal", "nodes"), ("changed", "edges"), ("turned", "pairs")):
            count, of = (sum(counts.values(f"{name}_{what}").values()) for what in (some, all_of_them))
            row.append(f"{count:.0f} of {of:.0f}" if of > 0 else "-")
        rows.append((title, *row))
    return Figure(
        name="weights",
        title="By which weights a node listens",
        caption="Karate club and block models with random features and parameters, in float64. Orders: pairs of neighbors and of "
        "nodes that ask, on complete graphs, that disagree which neighbor comes first.",
        columns=("layer", "nodes with unequal weights", "edges whose weight follows the features", "orders that differ"),
        rows=tuple(rows) if counts.results else (),
    )
