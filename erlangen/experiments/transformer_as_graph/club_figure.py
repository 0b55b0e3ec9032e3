"""Transformers as graph networks: the karate club, and who in it attends to whom."""

from __future__ import annotations

import math
from itertools import combinations

import altair as alt

from erlangen.experiments.kit.panels import spec
from erlangen.experiments.transformer_as_graph.figures import MASKS
from erlangen.records.files import Scalar
from erlangen.records.runs import Figure, JobResult


def club_figure(result: JobResult) -> Figure:
    """The karate club on a circle, a line for each pair that attends to one another."""
    club, flat = result.values("club"), [int(node) for node in result.values("edges")]
    n, half = len(club), len(flat) // 2
    ties = set(zip(flat[:half], flat[half:], strict=True))
    around = sorted(range(n), key=lambda node: club[node])
    place = {node: (math.sin(2 * math.pi * i / n), math.cos(2 * math.pi * i / n)) for i, node in enumerate(around)}
    columns = ("attended", "member", "other", "attention", "kind")
    rows: list[tuple[Scalar, ...]] = []
    for mask in ("graph", "complete"):
        weight = result.values(f"{mask}_attention")  # (n * n,): who asks, then whom
        for u, v in combinations(range(n), 2):
            mean = (weight[u * n + v] + weight[v * n + u]) / 2
            if mask == "complete" or (u, v) in ties:
                rows.append((MASKS[mask], u + 1, v + 1, round(mean, 4), "tie" if (u, v) in ties else "no tie"))
    drawn = [
        {
            **dict(zip(columns, row, strict=True)),
            **dict(zip(("x", "y"), place[int(str(row[1])) - 1], strict=True)),
            **dict(zip(("x2", "y2"), place[int(str(row[2])) - 1], strict=True)),
        }
        for row in rows
    ]
    members = [
        {"x": place[u][0], "y": place[u][1], "member": u + 1, "club": "officers'" if club[u] else "instructor's"}
        for u in range(n)
    ]
    side = alt.Scale(domain=[-1.12, 1.12])
    x, y = alt.X("x:Q", scale=side, axis=None), alt.Y("y:Q", scale=side, axis=None)
    widest = max((float(str(row[3])) for row in rows), default=1.0)
    nodes = (
        alt.Chart(alt.InlineData(values=members))
        .mark_circle(size=110, opacity=1)
        .encode(
            x=x, y=y, tooltip=["member:O", "club:N"],
            color=alt.Color("club:N", title="club", scale=alt.Scale(range=["#009E73", "#CC79A7"])),
        )
    )  # fmt: skip
    panels = []
    for mask in ("graph", "complete"):
        lines = (
            alt.Chart(alt.InlineData(values=[row for row in drawn if row["attended"] == MASKS[mask]]))
            .mark_rule()
            .encode(
                x=x, y=y, x2="x2:Q", y2="y2:Q",
                stroke=alt.Stroke("kind:N", title=None, scale=alt.Scale(domain=["tie", "no tie"], range=["#0072B2", "#D55E00"])),
                strokeWidth=alt.StrokeWidth("attention:Q", scale=alt.Scale(domain=[0, widest], range=[0.4, 7]), legend=None),
                opacity=alt.Opacity("attention:Q", scale=alt.Scale(domain=[0, widest], range=[0.25, 1]), legend=None),
                tooltip=[alt.Tooltip(f"{name}:N") for name in columns],
            )
        )  # fmt: skip
        panels.append(
            (lines + nodes).properties(width=290, height=290, title=alt.Title(f"attended to: {MASKS[mask]}", color="#888"))
        )
    return Figure(
        name="club",
        title="Attention in the karate club, along its ties and to everyone",
        caption="First layer of the same network, trained with each mask; mean over heads and both directions, width and "
        "opacity on one scale. Features are made up and tell the two clubs apart a little.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(alt.hconcat(*panels)),
    )
