"""Transformers as graph networks: the karate club, and who in it attends to whom."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import altair as alt

from erlangen.experiments.kit.panels import FAINT, PALETTE, Row, records, significant, spec, tooltip
from erlangen.records.runs import Figure, JobResult

MASKS = {"graph": "along the ties", "complete": "to every member"}
COLUMNS = ("attention", "member", "other", "weight", "pair")
TIES, CLUBS = alt.Scale(domain=["tie", "no tie"], range=PALETTE[:2]), alt.Scale(range=[PALETTE[2], PALETTE[4]])


def club_figure(result: JobResult) -> Figure:
    """The karate club on a circle, a line for each pair that attends to one another."""
    club, nodes = result.values("club"), [int(node) for node in result.values("edges")]
    n, half = len(club), len(nodes) // 2
    ties = set(zip(nodes[:half], nodes[half:], strict=True))
    rows: list[Row] = []
    for mask, words in MASKS.items():
        weight = result.values(f"{mask}_attention")  # (n * n,): target, then source
        for u, v in combinations(range(n), 2):
            if mask == "complete" or (u, v) in ties:
                mean = (weight[u * n + v] + weight[v * n + u]) / 2
                rows.append((words, u + 1, v + 1, significant(mean), "tie" if (u, v) in ties else "no tie"))
    return Figure(
        name="club",
        title="Attention in the karate club, along its ties and to everyone",
        caption="First layer of the same network, trained with each mask; mean over heads and both directions. Width and opacity "
        "share one scale. The features are made up and tell the two clubs apart a little.",
        columns=COLUMNS,
        rows=tuple(rows),
        spec=spec(alt.hconcat(*(circle(rows, words, club) for words in MASKS.values()))),
    )


def circle(rows: list[Row], words: str, club: tuple[float, ...]) -> Any:
    """Members on a circle, those of a club side by side, and the lines of one mask."""
    around = sorted(range(len(club)), key=lambda member: club[member])
    angle = {member + 1: 2 * math.pi * place / len(club) for place, member in enumerate(around)}
    place = {member: (math.sin(turn), math.cos(turn)) for member, turn in angle.items()}
    drawn = [(*row, *place[int(str(row[1]))], *place[int(str(row[2]))]) for row in rows if row[0] == words]
    members = [(member, *xy, "officers'" if club[member - 1] else "instructor's") for member, xy in place.items()]
    side, widest = alt.Scale(domain=[-1.12, 1.12]), [0, max((float(str(row[3])) for row in rows), default=1.0)]
    x, y = alt.X("x:Q", scale=side, axis=None), alt.Y("y:Q", scale=side, axis=None)
    lines = alt.Chart(records((*COLUMNS, "x", "y", "x2", "y2"), drawn)).encode(
        x=x, y=y, x2="x2:Q", y2="y2:Q", stroke=alt.Stroke("pair:N", title=None, scale=TIES), tooltip=tooltip(COLUMNS, rows),
        strokeWidth=alt.StrokeWidth("weight:Q", scale=alt.Scale(domain=widest, range=[0.4, 7]), legend=None),
        opacity=alt.Opacity("weight:Q", scale=alt.Scale(domain=widest, range=[0.25, 1]), legend=None),
    )  # fmt: skip
    nodes = alt.Chart(records(("member", "x", "y", "club"), members)).encode(
        x=x, y=y, color=alt.Color("club:N", scale=CLUBS), tooltip=["member:O", "club:N"]
    )
    both = lines.mark_rule() + nodes.mark_circle(size=110, opacity=1)
    return both.properties(width=330, height=330, title=alt.Title(words, color=FAINT))
