"""Graphs as matrices: figures, each with the table behind it. Nodes are counted from 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from erlangen.experiments.graph_algebra import NODES, Recipe
from erlangen.experiments.graph_algebra.tasks import Matrices, Smooth, Walks
from erlangen.experiments.kit.counts import numbers
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import FAINT, Row, Spec, curves, records, significant, spec, tooltip
from erlangen.records.runs import Figure


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """Those for which there are results."""
    shown = [walks(evidence)] if evidence.of(Walks) else []
    return [*shown, picture(evidence)] if evidence.of(Matrices) and evidence.of(Smooth) else shown


def walks(evidence: Evidence) -> Figure:
    """Walks and paths by length."""
    columns = ("counted", "length", "number")
    rows: list[Row] = [
        (kind, length, int(count))
        for kind in ("walks", "paths")
        for length, count in enumerate(numbers(evidence.of(Walks), f"{kind}_by_length"), 1)
    ]
    drawn = curves(
        columns, rows, x="length", y="number", low=None, high=None, color="counted", colors=("walks", "paths"),
        x_title="length n, in edges", y_title="number in both graphs",
    )  # fmt: skip
    return Figure(
        name="walks",
        title="Walks and paths by length",
        caption="All walks and paths between all pairs of nodes of both graphs, listed one by one. A path meets no node twice.",
        columns=columns,
        rows=tuple(rows),
        spec=drawn,
    )


def picture(evidence: Evidence) -> Figure:
    """The right graph on a circle, each node as large as it changes under white X, and as dark as under the smooth one."""
    degree = numbers(evidence.of(Matrices), "right_degree")
    white, smooth = (numbers(evidence.of(Smooth), f"{kind}_change") for kind in ("white", "smooth"))
    columns = ("node", "degree", "white change", "smooth change", "x", "y")
    places = [(round(math.sin(node * math.pi / 3), 4), round(math.cos(node * math.pi / 3), 4)) for node in NODES]
    rows: list[Row] = [
        (node, d, significant(change), significant(other), *place)
        for node, d, change, other, place in zip(NODES, degree, white, smooth, places, strict=False)
    ]
    flat = [int(node) for node in numbers(evidence.of(Matrices), "right_edges")]
    edges = list(zip(flat[: len(flat) // 2], flat[len(flat) // 2 :], strict=True))
    return Figure(
        name="graph",
        title="How much each node of the right graph changes under LX",
        caption="Size: expected squared change under white X, d² + d. Color: squared change under the smoothest X that is not "
        "constant.",
        columns=columns,
        rows=tuple(rows),
        spec=drawing(columns, rows, edges),
    )


def drawing(columns: Sequence[str], rows: Sequence[Row], edges: Sequence[tuple[int, int]]) -> Spec:
    """Nodes as circles with their numbers, edges as lines."""
    places = [row[-2:] for row in rows]
    ends = [(*places[u], *places[v]) for u, v in edges if u < v]
    scale = alt.Scale(domain=[-1.3, 1.3])
    x, y = alt.X("x:Q", scale=scale, axis=None), alt.Y("y:Q", scale=scale, axis=None)
    lines = alt.Chart(records(("x", "y", "x2", "y2"), ends)).mark_rule(color=FAINT).encode(x=x, y=y, x2="x2:Q", y2="y2:Q")
    points = alt.Chart(records(columns, rows)).encode(x=x, y=y)
    circles = points.mark_circle(opacity=1, stroke=FAINT).encode(
        size=alt.Size("white change:Q", title="expected change, white X", scale=alt.Scale(range=[250, 1600], zero=False)),
        color=alt.Color("smooth change:Q", title="change, smooth X", scale=alt.Scale(scheme="oranges")),
        tooltip=tooltip(columns, rows)[:4],
    )
    darkest = max(float(str(row[3])) for row in rows)
    numbered = points.mark_text(fontSize=13, fontWeight="bold").encode(
        text="node:N",
        color=alt.condition(f"datum['smooth change'] > {darkest / 2}", alt.value("white"), alt.value("black")),
    )
    return spec((lines + circles + numbered).properties(width=300, height=300))
