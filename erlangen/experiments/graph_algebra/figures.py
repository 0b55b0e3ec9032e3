"""Graphs as matrices: figures, each with the table behind it. Nodes are counted from 1."""

from __future__ import annotations

import math

import altair as alt

from erlangen.experiments.graph_algebra import Recipe
from erlangen.experiments.kit.panels import records, spec, tooltip
from erlangen.records.files import Scalar
from erlangen.records.runs import Figure, JobResult
from erlangen.statistics.intervals import Interval, mean_interval


def white_intervals(recipe: Recipe, found: list[JobResult]) -> list[Interval]:
    """Mean change of each node over draws, all intervals together at 95 % (Bonferroni)."""
    changes = [result.values("change") for result in found]
    return [mean_interval(values, 1 - 0.05 / len(changes[0])) for values in zip(*changes, strict=True)]


def picture(matrices: JobResult, smooth: JobResult) -> Figure:
    """The right graph on a circle, each node as large as it changes under white X, and as dark as under the smooth one."""
    degree, change, other = (
        matrices.values("right_degree"), smooth.values("white_change"), smooth.values("smooth_change"),
    )  # fmt: skip
    n = len(degree)
    place = [(math.sin(2 * math.pi * node / n), math.cos(2 * math.pi * node / n)) for node in range(n)]
    columns = ("node", "degree", "white change", "smooth change", "x", "y")
    rows: list[tuple[Scalar, ...]] = [
        (
            node + 1,
            degree[node],
            round(change[node], 3),
            round(other[node], 4),
            round(place[node][0], 4),
            round(place[node][1], 4),
        )
        for node in range(n)
    ]
    flat = [int(value) for value in matrices.values("right_edges")]
    half = len(flat) // 2
    edges = [
        {"x": place[u][0], "y": place[u][1], "x2": place[v][0], "y2": place[v][1]}
        for u, v in zip(flat[:half], flat[half:], strict=True)
        if u < v
    ]
    scale = alt.Scale(domain=[-1.3, 1.3])
    lines = (
        alt.Chart(alt.InlineData(values=edges))
        .mark_rule(color="#888")
        .encode(x=alt.X("x:Q", scale=scale, axis=None), y=alt.Y("y:Q", scale=scale, axis=None), x2="x2:Q", y2="y2:Q")
    )
    points = alt.Chart(records(columns, rows))
    circles = points.mark_circle(opacity=1, stroke="#888").encode(
        x=alt.X("x:Q", scale=scale, axis=None),
        y=alt.Y("y:Q", scale=scale, axis=None),
        size=alt.Size("white change:Q", title="expected change, white X", scale=alt.Scale(range=[250, 1600], zero=False)),
        color=alt.Color("smooth change:Q", title="change, smooth X", scale=alt.Scale(scheme="oranges")),
        tooltip=tooltip(columns, rows)[:4],
    )
    numbers = points.mark_text(fontSize=13, fontWeight="bold").encode(
        x="x:Q",
        y="y:Q",
        text="node:N",
        color=alt.condition(f"datum['smooth change'] > {max(other) / 2}", alt.value("white"), alt.value("black")),
    )
    chart = (lines + circles + numbers).properties(width=300, height=300)
    return Figure(
        name="graph",
        title="The right graph: who changes under LX",
        caption="Size: expected squared change under white X, d² + d. Color: squared change under the smoothest signal that "
        "is not constant. Large is not dark.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(chart),
    )  # fmt: skip


def changes(recipe: Recipe, matrices: JobResult, drawn: list[JobResult]) -> Figure:
    intervals = white_intervals(recipe, drawn)
    rows = tuple(
        (node + 1, d, d * d + d, round(interval.estimate, 4), f"{interval.low:.4f} to {interval.high:.4f}")
        for node, (d, interval) in enumerate(zip(matrices.values("right_degree"), intervals, strict=True))
    )
    return Figure(
        name="white",
        title="Expected change under white X",
        caption="Mean of (LX)v² over seeds, with intervals that hold together at 95 %, beside d² + d.",
        columns=("node", "degree", "d² + d", "simulated", "interval"),
        rows=rows,
    )


def lengths(counts: JobResult) -> Figure:
    walked, simple = counts.values("walks_by_length"), counts.values("paths_by_length")
    return Figure(
        name="walks",
        title="Walks and paths",
        caption="Both graphs, all pairs of nodes, listed one by one. The sum of Aⁿ is the number of walks.",
        columns=("length", "walks", "paths"),
        rows=tuple((n, int(w), int(p)) for n, (w, p) in enumerate(zip(walked, simple, strict=True), 1)),
    )
