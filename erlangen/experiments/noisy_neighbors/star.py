"""Attention among noisy neighbors: one node in the middle of its neighbors, edges as wide as the attention they get."""

from __future__ import annotations

import math

import altair as alt

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.graphs import graph_slug, graph_title
from erlangen.experiments.kit.panels import FAINT, PAGE, Row, palette, records, spec, tooltip
from erlangen.experiments.noisy_neighbors.claims import KINDS
from erlangen.experiments.noisy_neighbors.recipe import Recipe
from erlangen.experiments.noisy_neighbors.tasks import Train
from erlangen.records.runs import Figure

DRAWN = ("swapped", "shifted", "loud")  # the noises of which a job records one node
COLUMNS = ("trained with", "neighbor", "features", "attention", "x", "y")


def star(recipe: Recipe, evidence: Evidence, data: str) -> Figure:
    """The same node of a GAT that was trained with one noise or another; no rows where no seed has such a node."""
    results = evidence.of(Train, data=data, layer="gat")
    result = next((result for result in results if result.values("one_node_swapped")), None)
    rows: list[Row] = []
    for noise in DRAWN if result else ():
        flat = result.values(f"one_node_{noise}") if result else ()
        for place, (weight, mark) in enumerate(zip(flat[::2], flat[1::2], strict=True)):
            angle = 4 * math.pi * place / len(flat)
            where = round(math.sin(angle), 4), round(math.cos(angle), 4)
            rows.append((KINDS[noise], place + 1, "noise" if mark else "clean", round(weight, 4), *where))
    caption = (
        f"A clean node with three or more neighbors of each kind, seed {result.seed if result else 0}, in a GAT that was trained "
        "with the noise. Attention of the first layer, a mean over heads, without the node itself: the wider the edge, the more."
    )
    name, title = f"node-{graph_slug(data)}", f"Whom one node listens to: {graph_title(data)}"
    return Figure(name=name, title=title, caption=caption, columns=COLUMNS, rows=tuple(rows), spec=drawn(rows))


def drawn(rows: list[Row]) -> dict[str, object]:
    """The picture: a panel for each noise."""
    base = alt.Chart(records(COLUMNS, rows)).transform_calculate(middle="0", out_x="1.28 * datum.x", out_y="1.28 * datum.y")
    color = alt.Color("features:N", scale=palette(("clean", "noise")))
    widest = max((float(str(row[3])) for row in rows), default=1.0)
    width = alt.StrokeWidth("attention:Q", scale=alt.Scale(domain=[0, widest], range=[0.3, 12]), legend=None)
    edges = base.mark_rule(opacity=0.8).encode(**at("x", "y"), x2="middle:Q", y2="middle:Q", color=color, strokeWidth=width)
    shown = tooltip(COLUMNS[:4], [row[:4] for row in rows])
    nodes = base.mark_circle(size=220, opacity=1).encode(**at("x", "y"), color=color, tooltip=shown)
    center = base.mark_circle(size=320, opacity=1, color=FAINT).encode(**at("middle", "middle"))
    numbers = base.mark_text(fontSize=10, color=FAINT).encode(**at("out_x", "out_y"), text=alt.Text("attention:Q", format=".2f"))
    size = PAGE // 3 - 40
    panels = alt.Facet("trained with:N", title=None, sort=[KINDS[noise] for noise in DRAWN])
    return spec((edges + center + nodes + numbers).properties(width=size, height=size).facet(panels, columns=3))


def at(x: str, y: str) -> dict[str, alt.X | alt.Y]:
    """A place in the picture, on the same scale and without axes in each of its layers."""
    scale = alt.Scale(domain=[-1.5, 1.5])
    return {"x": alt.X(f"{x}:Q", scale=scale, axis=None), "y": alt.Y(f"{y}:Q", scale=scale, axis=None)}
