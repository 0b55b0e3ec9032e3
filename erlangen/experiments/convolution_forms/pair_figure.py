"""The picture of G4: two graphs whose edges join equal features and need different messages."""

from __future__ import annotations

import math

import altair as alt

from erlangen.experiments.kit.panels import records, spec, tooltip
from erlangen.records.files import Scalar
from erlangen.records.runs import Figure, JobResult

MUTED = "#7f858f"  # legible on light and dark paper
CENTER, LEAF = "#0072B2", "#5f6672"
COLUMNS = ("graph", "node", "feature", "output", "with a sum of h_u", "x", "y")


def stars(pair: JobResult) -> Figure:
    """The two stars, feature and output at each node; arrows are edges."""
    w, b, h = pair.values("weights")
    rows: list[tuple[Scalar, ...]] = []
    for number in (1, 2):
        outputs, summed = pair.values(f"outputs_{number}"), pair.values(f"summed_{number}")
        degree = len(outputs) - 1
        graph = f"{degree} edge{'s' * (degree > 1)}: each must carry {pair.value(f'message_{number}'):.3g}"
        angles = [(leaf - (degree - 1) / 2) * 2 * math.pi / 5 for leaf in range(degree)]  # above: below stands a line of text
        places = [(0.0, 0.0), *((round(math.sin(angle), 4), round(math.cos(angle), 4)) for angle in angles)]
        rows += [(graph, node, h, outputs[node], summed[node], *place) for node, place in enumerate(places)]
    return Figure(
        name="pair",
        title="Two graphs that need two messages",
        caption=f"Feature → output at every node; W = {w:g}, B = {b:g}, σ the identity. All edges join the same pair of "
        f"features, ({h:g}, {h:g}): a message that sees nothing else is the same in both graphs, and its sum cannot be right in "
        "both.",
        columns=COLUMNS,
        rows=tuple(rows),
        spec=spec(drawing(rows)),
    )


def drawing(rows: list[tuple[Scalar, ...]]) -> alt.FacetChart:
    """Nodes as circles, edges as arrows that end before them, a line of text below each center."""
    x = alt.X("x:Q", scale=alt.Scale(domain=[-1.45, 1.45], nice=False), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[-0.75, 1.4], nice=False), axis=None)
    base = alt.Chart().encode(x=x, y=y)
    edges = base.transform_filter("datum.node > 0").transform_calculate(
        x="0.72 * datum.x",
        y="0.72 * datum.y",
        x2="0.46 * datum.x",
        y2="0.46 * datum.y",
        turn="180 + 180 / PI * atan2(datum.x, datum.y)",
    )
    lines = edges.mark_rule(color=MUTED, strokeWidth=2).encode(x2="x2:Q", y2="y2:Q")
    heads = (
        edges.transform_calculate(x="0.6 * datum.x", y="0.6 * datum.y")
        .mark_point(shape="triangle", filled=True, opacity=1, color=MUTED, size=130)
        .encode(angle=alt.Angle("turn:Q", scale=None))
    )
    center = "datum.node === 0"
    circles = base.mark_circle(opacity=1, size=2300).encode(
        color=alt.condition(center, alt.value(CENTER), alt.value(LEAF)), tooltip=tooltip(COLUMNS, rows)[1:5]
    )
    inside = (
        base.transform_calculate(shown="format(datum.feature, '~g') + ' → ' + format(datum.output, '~g')")
        .mark_text(color="white", fontSize=14, fontWeight="bold")
        .encode(text="shown:N")
    )
    below = (
        base.transform_filter(center)
        .transform_calculate(shown="'a sum of h gives ' + format(datum['with a sum of h_u'], '~g')")
        .mark_text(color=MUTED, fontSize=13, dy=42)
        .encode(text="shown:N")
    )
    return (
        alt.layer(lines, heads, circles, inside, below, data=records(COLUMNS, rows))
        .properties(width=270, height=200)
        .facet(column=alt.Column("graph:N", header=alt.Header(title=None, labelFontSize=14)), spacing=12)
    )
