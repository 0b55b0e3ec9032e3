"""Temperature and top-p: the outcomes by setting, with the table behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from erlangen.experiments.kit.panels import records, spec, tooltip
from erlangen.experiments.sampling import OUTCOMES, SETTINGS, SOURCE, label
from erlangen.experiments.sampling.evidence import crossed_mean, table
from erlangen.records.files import Scalar
from erlangen.records.runs import Figure, JobResult

COLUMNS = ("outcome", "setting", "range", "mean", "low", "high")


def outcome_figure(results: Sequence[JobResult]) -> list[Figure]:
    """A dot for each setting, with its interval over nets and prompts; a row of its own for held-out text."""
    names = ["held out", *map(label, SETTINGS)]
    source = set(map(label, SOURCE))
    rows: list[tuple[Scalar, ...]] = []
    for outcome in OUTCOMES:
        for name in names:
            values = table(results, name, outcome)
            if not values.size:
                continue
            interval = crossed_mean(values).interval
            if math.isfinite(interval.estimate):
                kind = "the book" if name == "held out" else "source" if name in source else "wide"
                numbers = (None if math.isnan(end) else float(f"{end:.4g}") for end in interval[:3])
                rows.append((outcome, name, kind, *numbers))
    if not rows:
        return []
    base = alt.Chart(records(COLUMNS, rows)).encode(
        y=alt.Y("setting:N", title="temperature / top-p", sort=names),
        color=alt.Color("range:N", title=None, scale=alt.Scale(range=["#D55E00", "#999999", "#0072B2"])),
    )
    bars = base.mark_rule().encode(x=alt.X("low:Q", title=None, scale=alt.Scale(zero=False)), x2="high:Q")
    dots = base.mark_point(filled=True, size=50).encode(x="mean:Q", tooltip=tooltip(COLUMNS, rows))
    panels = alt.Facet("outcome:N", title=None, sort=list(OUTCOMES))
    chart = (bars + dots).properties(width=230, height=230).facet(panels, columns=2).resolve_scale(x="independent")
    described = "; ".join(f"{name}: {text}" for name, text in OUTCOMES.items())
    return [
        Figure(
            name="outcomes",
            title="What is written, by setting",
            caption=f"Mean and 95 % interval over nets and prompts. {described[0].upper()}{described[1:]}.",
            columns=COLUMNS,
            rows=tuple(rows),
            spec=spec(chart),
        )
    ]
