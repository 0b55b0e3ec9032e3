"""Receptive field: the pictures of effective fields, with the theoretical field around them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.panels import PALETTE, Row, Spec, records, significant, spec, tooltip
from erlangen.experiments.receptive_field.recipe import Recipe
from erlangen.experiments.receptive_field.tasks import SIDE, Effect
from erlangen.records.runs import Figure

COLUMNS = ("net", "column", "row", "squared gradient", "field")
FAINTEST = 0.005  # of the largest; what is less is left out
WIDEST = 16  # layers of the deepest net that is drawn: its field fills the picture
PANEL = 230  # pixels: three panels are as wide as the page
SHADES = alt.Scale(type="sqrt", scheme="blues", domain=[0, 1])


def fields_figure(recipe: Recipe, evidence: Evidence) -> Figure:
    """The effective field of CNNs by depth and of one layer of attention, before training."""
    nets = {f"CNN, {layers} layers": ("plain", layers) for layers in recipe.depths if layers <= WIDEST}
    deepest = max((layers for layers in recipe.depths if layers <= WIDEST), default=recipe.depths[0])
    nets |= {f"residual CNN, {deepest} layers": ("residual", deepest), "attention, 1 layer": ("relative", 1)}
    rows: list[Row] = []
    for title, (net, layers) in nets.items():
        rows += picture(title, evidence.arm(Effect, net=net, layers=layers))
    return Figure(
        name="fields",
        title="How much an output depends on each pixel around it, before training",
        caption="Squared gradient of the features of the middle pixel, mean over images of noise and seeds, over its largest "
        "value outside of the middle. Orange: the theoretical field, beyond which the gradient is exactly zero. It grows by 2 "
        "pixels with each 3×3 layer, its dark part only with the square root of the depth. Attention reaches all of the image at "
        "once; the middle pixel, which is left out of the scale, outweighs all others there, through the residual connection.",
        columns=COLUMNS,
        rows=tuple(rows),
        spec=drawn(rows, list(nets)),
    )


def picture(title: str, arm: Arm) -> list[Row]:
    """The pixels of a net's mean field whose share is not negligible, and the middle one."""
    maps = [result.values("map") for result in arm.results.values()]
    maps = [one for one in maps if one and all(map(math.isfinite, one))]
    if not maps:
        return []
    side = math.isqrt(len(maps[0]))
    middle = side // 2
    field = [sum(values) / len(maps) for values in zip(*maps, strict=True)]
    largest = max(value for place, value in enumerate(field) if place != side * middle + middle)
    return [
        (title, place % side - middle, place // side - middle, significant(min(1.0, value / largest), 3), side)
        for place, value in enumerate(field)
        if value >= FAINTEST * largest or place == side * middle + middle
    ]


def drawn(rows: Sequence[Row], titles: Sequence[str]) -> Spec:
    """A square for each pixel, dark where the gradient is large, and the outline of the theoretical field."""
    edge = SIDE / 2 + 0.5
    scale = alt.Scale(domain=[-edge, edge], nice=False)
    axis = alt.Axis(values=[-16, -8, 0, 8, 16], grid=False)
    base = alt.Chart(records(COLUMNS, rows))
    pixels = (
        base.transform_calculate(
            left="datum.column - 0.5", right="datum.column + 0.5", up="datum.row - 0.5", down="datum.row + 0.5"
        )
        .mark_rect()
        .encode(
            x=alt.X("left:Q", scale=scale, axis=axis, title="pixels from the output"), x2="right:Q",
            y=alt.Y("up:Q", scale=scale, axis=axis, title=None), y2="down:Q",
            color=alt.Color("squared gradient:Q", title="of the largest", scale=SHADES),
            tooltip=tooltip(COLUMNS, rows),
        )
    )  # fmt: skip
    outline = (
        base.transform_filter("datum.column == 0 && datum.row == 0")
        .transform_calculate(low="-datum.field / 2", high="datum.field / 2")
        .mark_rect(filled=False, stroke=PALETTE[1], strokeWidth=2)
        .encode(x=alt.X("low:Q", scale=scale), x2="high:Q", y=alt.Y("low:Q", scale=scale), y2="high:Q")
    )
    facet = alt.Facet("net:N", title=None, sort=list(titles))
    return spec(alt.layer(pixels, outline).properties(width=PANEL, height=PANEL).facet(facet, columns=3))
