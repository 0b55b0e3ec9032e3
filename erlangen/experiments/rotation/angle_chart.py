"""Accuracy against the angle, drawn as a curve and around a circle."""

from __future__ import annotations

import math
from typing import Any

import altair as alt

from erlangen.experiments.kit.panels import FAINT, PALETTE, Rows, Spec, palette, records, spec, tooltip

COLUMNS = ("net", "source", "angle", "accuracy", "low", "high")
HERE, REPORT = "measured here", "published"
RINGS = (25, 50, 75)  # percent
SIZE = 300  # pixels of a side of the circle's panel
SCALE = alt.Scale(domain=[-100, 100])


def chart(rows: Rows, titles: list[str]) -> Spec:
    """Both panels."""
    base = alt.Chart(records(COLUMNS, rows)).encode(
        color=alt.Color(
            "net:N",
            title=None,
            scale=palette(dict(zip(titles, PALETTE, strict=False))),
            legend=alt.Legend(orient="top", symbolOpacity=1),
        ),
    )
    panels = alt.hconcat(
        straight(base, rows).properties(width=440, height=SIZE),
        around(base, rows).properties(width=SIZE, height=SIZE),
        spacing=30,
    )
    return spec(panels)


def straight(base: alt.Chart, rows: Rows) -> Any:
    """Accuracy against the angle."""
    x = alt.X(
        "angle:Q",
        title="rotation of the test images in degrees",
        scale=alt.Scale(domain=[0, 360]),
        axis=alt.Axis(values=list(range(0, 361, 90))),
    )
    y = alt.Y("accuracy:Q", title="accuracy in %", scale=alt.Scale(domain=[0, 100]))
    here, theirs = base.transform_filter(alt.datum.source == HERE), base.transform_filter(alt.datum.source == REPORT)
    return alt.layer(
        here.mark_area(opacity=0.2).encode(x=x, y=alt.Y("low:Q", title="accuracy in %"), y2="high:Q"),
        here.mark_line(point=True).encode(x=x, y=y, tooltip=tooltip(COLUMNS, rows)),
        theirs.mark_point(shape="triangle-up", size=60).encode(x=x, y=y, tooltip=tooltip(COLUMNS, rows)),
    )


def around(base: alt.Chart, rows: Rows) -> Any:
    """The same with the accuracy as the distance from the center: 0° at the top, counterclockwise as the images turn."""
    placed = base.transform_calculate(
        x="-datum.accuracy * sin(datum.angle * PI / 180)", y="datum.accuracy * cos(datum.angle * PI / 180)"
    )
    x, y = (alt.X("x:Q", axis=None, scale=SCALE), alt.Y("y:Q", axis=None, scale=SCALE))
    here = placed.transform_filter(alt.datum.source == HERE)
    theirs = placed.transform_filter(alt.datum.source == REPORT)
    return alt.layer(
        *circles(),
        here.mark_line(point=True).encode(x=x, y=y, order="angle:Q", tooltip=tooltip(COLUMNS, rows)),
        theirs.mark_point(shape="triangle-up", size=60).encode(x=x, y=y, tooltip=tooltip(COLUMNS, rows)),
    )


def circles() -> list[alt.Chart]:
    """Rings of equal accuracy, and the angles around the outermost."""
    ring = [
        {"ring": percent, "turn": turn, "x": percent * math.sin(math.radians(turn)), "y": percent * math.cos(math.radians(turn))}
        for percent in RINGS
        for turn in range(0, 361, 6)
    ]
    diagonal = math.sqrt(0.5)
    named = [{"name": f"{percent} %", "x": percent * diagonal, "y": percent * diagonal} for percent in RINGS]
    named += [
        {"name": f"{angle}°", "x": -94 * math.sin(math.radians(angle)), "y": 94 * math.cos(math.radians(angle))}
        for angle in (0, 90, 180, 270)
    ]
    place = {"x": alt.X("x:Q", axis=None, scale=SCALE), "y": alt.Y("y:Q", axis=None, scale=SCALE)}
    lines = alt.Chart(alt.InlineData(values=ring)).mark_line(color=FAINT, strokeWidth=0.6, opacity=0.6)
    words = alt.Chart(alt.InlineData(values=named)).mark_text(color=FAINT, fontSize=10)
    return [lines.encode(**place, detail="ring:N", order="turn:Q"), words.encode(**place, text="name:N")]
