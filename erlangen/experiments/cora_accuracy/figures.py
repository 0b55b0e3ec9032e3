"""GCN and GAT on Cora: the figure."""

from __future__ import annotations

import altair as alt

from erlangen.experiments.cora_accuracy import PUBLISHED, Net, Recipe
from erlangen.experiments.cora_accuracy.judge import NAMES, WIDTHS, described, published
from erlangen.experiments.cora_accuracy.tasks import Train
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import FAINT, Row, palette, records, significant, spec, tooltip
from erlangen.records.runs import Figure


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    """A dot for the test accuracy of every net, beside the paper's mean."""
    columns = ("net", "width", "seed", "test accuracy", "validation accuracy", "parameters")
    arms: list[tuple[Net, int]] = [(net, width) for net in NAMES for width in WIDTHS]
    rows: list[Row] = [
        (
            described(net, width),
            width,
            result.seed,
            *(significant(result.value(f"{split}_accuracy")) for split in ("test", "validation")),
            significant(result.value("parameters"), 9),
        )
        for net, width in arms
        for result in evidence.of(Train, net=net, width=width)
    ]
    if not rows:
        return []
    dots = (
        alt.Chart(records(columns, rows))
        .mark_circle(size=50, opacity=0.6)
        .transform_calculate(jitter="random()")
        .encode(
            x=alt.X("test accuracy:Q", title="test accuracy, %", scale=alt.Scale(zero=False)),
            y=alt.Y("net:N", title=None, axis=alt.Axis(labelLimit=330)),
            yOffset="jitter:Q",
            color=alt.Color("net:N", legend=None, scale=palette(described(*arm) for arm in arms)),
            tooltip=tooltip(columns, rows),
        )
    )
    papers = [(described(net, width), published()[net]["paper"]) for net, width in PUBLISHED.items()]
    ticks = (
        alt.Chart(records(("net", "published"), papers))
        .mark_tick(thickness=3, size=70, color=FAINT)
        .encode(x="published:Q", y="net:N")
    )
    return [
        Figure(
            name="seeds",
            title="Test accuracy of every net",
            caption="Each dot is one seed. The gray tick is the mean that the paper reports, at the width of the paper.",
            columns=columns,
            rows=tuple(rows),
            spec=spec(dots + ticks, height=260),
        )
    ]
