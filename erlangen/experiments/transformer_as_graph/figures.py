"""Transformers as graph networks: figures, each with the table behind it."""

from __future__ import annotations

import math

import altair as alt

from erlangen.experiments.kit.panels import records, spec, tooltip
from erlangen.experiments.transformer_as_graph import ARMS
from erlangen.experiments.transformer_as_graph.evidence import PAIRS, Trained, comparisons, log_ratio
from erlangen.records.files import Scalar
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import Interval, mean_interval

MASKS = {
    "graph": "edges", "diluted": "edges, diluted", "random": "random edges", "complete": "everyone", "self": "oneself",
}  # fmt: skip
TOLD = {"": "nothing", "walks": "return probabilities", "eigenvectors": "eigenvectors"}
MASK_COLORS = alt.Scale(domain=list(MASKS.values()), range=["#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#009E73"])
DASHES = alt.Scale(domain=list(TOLD.values()), range=[[1, 0], [2, 2], [5, 2]])
PLACES = {"most": "", "least": ", least alike", "nothing": ", uninformative", "all": ", all homophilies"}


def parted(arm: str) -> tuple[str, str]:
    """An arm's mask and what it is told, in words."""
    mask, _, encoding = arm.partition("/")
    return MASKS[mask], TOLD[encoding]


def rounded(interval: Interval, digits: int = 2) -> list[Scalar]:
    """Estimate and ends for a table; what is no number is left out."""
    return [round(value, digits) if math.isfinite(value) else None for value in interval[:3]]


def accuracy_figure(trained: Trained) -> Figure:
    """Accuracy against homophily, a line for each arm."""
    columns = ("panel", "attended", "told", "homophily", "accuracy", "low", "high")
    panels = {
        (classes, told): f"{classes} classes, told {'its place in the graph' if told else 'nothing'}"
        for classes in trained.recipe.classes
        for told in (False, True)
    }
    rows: list[tuple[Scalar, ...]] = [
        (panels[classes, "/" in arm], *parted(arm), point, *rounded(mean_interval(trained.values(classes, point, arm))))
        for classes in trained.recipe.classes
        for arm in ARMS
        for point in trained.recipe.points(classes)
        if trained.at(classes, point, arm)
    ]
    base = alt.Chart(records(columns, rows)).encode(
        x=alt.X("homophily:Q", title="edges within a class, share", scale=alt.Scale(domain=[0, 1])),
        color=alt.Color(
            "attended:N",
            title="attended to",
            scale=MASK_COLORS,
            legend=alt.Legend(columns=3, symbolType="stroke", symbolOpacity=1, symbolStrokeWidth=3),
        ),
        detail="told:N",
    )
    scale = alt.Scale(zero=False)
    bands = base.mark_area(opacity=0.13).encode(y=alt.Y("low:Q", title="test accuracy, %", scale=scale), y2="high:Q")
    height = alt.Y("accuracy:Q", scale=scale)
    dash = alt.StrokeDash("told:N", title="told", scale=DASHES, legend=alt.Legend(symbolStrokeColor="#888"))
    lines = base.mark_line().encode(y=height, strokeDash=dash)
    dots = base.mark_circle(size=36, opacity=1).encode(y=height, tooltip=tooltip(columns, rows))
    order = list(panels.values())
    chart = (
        (bands + lines + dots).properties(width=270, height=240).facet(alt.Facet("panel:N", title=None, sort=order), columns=2)
    )
    return Figure(
        name="accuracy",
        title="One network, several masks: accuracy against homophily",
        caption=f"Mean and 95 % interval of {trained.recipe.seeds} block models. An edge says nothing of the class at "
        "1 / classes. Diluted: among three times as many random ones. Arms are compared seed by seed, which is sharper than "
        "these bands.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(chart),
    )


def differences_figure(trained: Trained) -> Figure:
    """The comparisons that verdicts are made of."""
    columns = ("part", "compared", "classes", "homophily", "difference", "low", "high", "p after Holm")
    found = comparisons(trained)
    names = {part: f"{left} - {right}{PLACES[where]}" for part, (left, right, where) in PAIRS.items()}
    rows: list[tuple[Scalar, ...]] = [
        (
            part, names[part], f"{classes} classes", ", ".join(f"{place:g}" for place in compared.places),
            *rounded(compared.interval), f"{compared.adjusted:.2g}",
        )
        for part in PAIRS
        for classes in trained.recipe.classes
        if math.isfinite((compared := found[f"{part}/{classes}"]).interval.estimate)
    ]  # fmt: skip
    base = alt.Chart(records(columns, rows)).encode(
        y=alt.Y("compared:N", title=None, sort=list(names.values()), axis=alt.Axis(labelLimit=330)),
        yOffset=alt.YOffset("classes:N"),
        color=alt.Color("classes:N", title=None),
    )
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title="points of test accuracy"), x2="high:Q")
    dots = base.mark_circle(size=70, opacity=1).encode(x="difference:Q", tooltip=tooltip(columns, rows) if rows else [])
    zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(strokeDash=[4, 4], color="#888").encode(x="zero:Q")
    return Figure(
        name="differences",
        title="Arm against arm, paired by seed",
        caption=f"Difference of test accuracy with its 95 % interval, n = {trained.recipe.seeds}; where neighbors are most "
        "alike, unless it says: where they are least alike, where an edge says nothing of the class, or the mean over all.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(zero + bars + dots, height=32 * len(PAIRS)),
    )


def listening_figure(trained: Trained) -> Figure:
    """Attention on true edges when everyone is attended to: over their share, and over others of the same classes."""
    columns = ("classes", "compared with", "told", "homophily", "ratio", "low", "high")
    against = {"share_of_edges": "their share", "attention_on_same_classes": "same classes"}
    rows: list[tuple[Scalar, ...]] = [
        (f"{classes} classes", words, parted(arm)[1], point, *rounded(mean_interval(logs).exp(), 4))
        for base, words in against.items()
        for classes in trained.recipe.classes
        for arm in ARMS
        if arm.startswith("complete")
        for point in trained.recipe.points(classes)
        if (logs := [log_ratio(result, base) for result in trained.at(classes, point, arm).values()])
    ]
    data = records(columns, rows)
    chart = alt.Chart(data).encode(
        x=alt.X("homophily:Q", title="edges within a class, share", scale=alt.Scale(domain=[0, 1])),
        color=alt.Color(
            "told:N", title="told", scale=alt.Scale(domain=list(TOLD.values()), range=["#D55E00", "#CC79A7", "#56B4E9"])
        ),
    )
    scale = alt.Scale(zero=False)
    bars = chart.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", title="attention on edges, over", scale=scale), y2="high:Q")
    lines = chart.mark_line(point=True).encode(y=alt.Y("ratio:Q", scale=scale), tooltip=tooltip(columns, rows) if rows else [])
    one = alt.Chart(data).mark_rule(strokeDash=[4, 4], color="#888").encode(y=alt.datum(1))
    drawn = (one + bars + lines).properties(width=250, height=150)
    row = alt.Row("compared with:N", title=None, sort=list(against.values()))
    return Figure(
        name="listening",
        title="Everyone is attended to: do true edges stand out?",
        caption="Attention on true edges over their share of all places, and over what as many nodes of the same classes get "
        "that are no neighbors; mean over layers, 95 % interval. 1 (dashed): they do not stand out.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(drawn.facet(row=row, column=alt.Column("classes:N", title=None))),
    )
