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

SIDE = 300  # pixels
ORANGE = "#fd9a4a"  # of a node halfway up the scale


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
    """The right graph on a circle, each node as large as it changes under random X, as dark as under the slowest-varying one."""
    degree = numbers(evidence.of(Matrices), "right_degree")
    white, smooth = (numbers(evidence.of(Smooth), f"{kind}_change") for kind in ("white", "smooth"))
    columns = ("node", "degree", "change, random X", "change, slowest-varying X", "x", "y")
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
        caption="Size: expected squared change under X with random, independent entries, d² + d. Color: squared change under the "
        "slowest-varying X, the eigenvector of the smallest nonzero eigenvalue of L.",
        columns=columns,
        rows=tuple(rows),
        spec=drawing(columns, rows, edges),
    )


def drawing(columns: Sequence[str], rows: Sequence[Row], edges: Sequence[tuple[int, int]]) -> Spec:
    """Nodes as circles with their numbers, edges as lines."""
    places, random, slowest = [row[-2:] for row in rows], *columns[2:4]
    ends = [(*places[u], *places[v]) for u, v in edges if u < v]
    scale = alt.Scale(domain=[-1.3, 1.3])
    x, y = alt.X("x:Q", scale=scale, axis=None), alt.Y("y:Q", scale=scale, axis=None)
    lines = alt.Chart(records(("x", "y", "x2", "y2"), ends)).mark_rule(color=FAINT).encode(x=x, y=y, x2="x2:Q", y2="y2:Q")
    points = alt.Chart(records(columns, rows)).encode(x=x, y=y)
    circles = points.mark_circle(opacity=1, stroke=FAINT).encode(
        size=alt.Size(
            f"{random}:Q",
            title="expected change under random X",
            scale=alt.Scale(range=[250, 1600], zero=False),
            legend=alt.Legend(
                orient="top", values=sorted({float(str(row[2])) for row in rows}), symbolFillColor=ORANGE, symbolStrokeColor=FAINT
            ),
        ),
        color=alt.Color(
            f"{slowest}:Q",
            title="change under the slowest-varying X",
            scale=alt.Scale(scheme="oranges"),
            legend=alt.Legend(orient="bottom", gradientLength=SIDE),
        ),
        tooltip=tooltip(columns, rows)[:4],
    )
    darkest = max(float(str(row[3])) for row in rows)
    numbered = points.mark_text(fontSize=13, fontWeight="bold").encode(
        text="node:N",
        color=alt.condition(f"datum['{slowest}'] > {darkest / 2}", alt.value("white"), alt.value("black")),
    )
    return spec((lines + circles + numbered).properties(width=SIDE, height=SIDE))
