"""A book seen hundreds of times: figures, each with the table behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from erlangen.experiments.fairytales import CHARACTERS, WORDS
from erlangen.experiments.fairytales.evidence import values, verbatim
from erlangen.experiments.kit.panels import records, spec, tooltip
from erlangen.records.files import Scalar
from erlangen.records.runs import Figure, JobResult
from erlangen.statistics.intervals import mean_interval

WRITERS = {
    "held_out": "held-out text", "stopped_published": "best step", "last_published": "last step",
    "stopped_plain": "best step, plain", "last_plain": "last step, plain",
}  # fmt: skip
COLORS = alt.Scale(domain=list(WRITERS.values()), range=["#999999", "#0072B2", "#D55E00", "#56B4E9", "#E69F00"])


def row(*name: Scalar, numbers: Sequence[float]) -> tuple[Scalar, ...] | None:
    """(name ..., mean, low, high); nothing where nothing was measured."""
    interval = mean_interval([number for number in numbers if math.isfinite(number)])
    if not math.isfinite(interval.estimate):
        return None
    return (*name, *(None if math.isnan(end) else float(f"{end:.4g}") for end in interval[:3]))


def curve_figure(found: Sequence[JobResult]) -> Figure:
    """Loss against views, a line for each seed; a dot where the validation loss is least."""
    columns = ("text", "seed", "views", "loss", "best")
    rows: list[tuple[Scalar, ...]] = []
    for result in found:
        best = result.value("best_views")
        for text, name in (("seen, with dropout", "curve_train"), ("held out", "curve_validation")):
            for views, loss in zip(result.values("curve_views"), result.values(name), strict=True):
                rows.append((text, result.seed, round(views, 2), round(loss, 4), name != "curve_train" and views == best))
    base = alt.Chart(records(columns, rows)).encode(
        x=alt.X("views:Q", title="views of each character"),
        y=alt.Y("loss:Q", title="nats per character", scale=alt.Scale(zero=True)),
        color=alt.Color("text:N", title=None, scale=alt.Scale(range=["#0072B2", "#D55E00"])),
    )
    lines = base.mark_line(opacity=0.7).encode(detail="seed:N")
    dots = base.mark_point(filled=True, size=70).transform_filter("datum.best").encode(tooltip=tooltip(columns, rows))
    return Figure(
        name="curves",
        title="Loss over views",
        caption="A line for each seed; the dot is the least loss on held-out text, where early stopping would end.",
        columns=columns,
        rows=tuple(rows),
        spec=spec(lines + dots, height=260),
    )


def verbatim_figure(found: Sequence[JobResult]) -> list[Figure]:
    """Share of n-grams found in the training text, against n."""
    columns = ("writer", "unit", "n", "share", "low", "high")
    rows = [
        one
        for of, writer in WRITERS.items()
        for unit, lengths in (("characters", CHARACTERS), ("words", WORDS))
        for n in lengths
        if (one := row(writer, unit, n, numbers=[verbatim(result, of, unit, n) for result in found]))
    ]
    if not rows:
        return []
    base = alt.Chart(records(columns, rows)).encode(
        x=alt.X("n:Q", title="n"), color=alt.Color("writer:N", title=None, scale=COLORS, sort=list(WRITERS.values()))
    )
    bands = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", title="share found in the training text"), y2="high:Q")
    chart = (bands + base.mark_line(point=True).encode(y="share:Q", tooltip=tooltip(columns, rows))).properties(
        width=250, height=230
    )
    return [
        Figure(
            name="verbatim",
            title="How much of what is written stands in the training text",
            caption="Share of n-grams, mean and 95 % interval over seeds. Plain: without temperature and top-p. The grey line is "
            "what the book's own next pages score.",
            columns=columns,
            rows=tuple(rows),
            spec=spec(chart.facet(alt.Facet("unit:N", title=None)).resolve_scale(x="independent")),
        )
    ]  # fmt: skip


def tale_figure(found: dict[str, list[JobResult]]) -> list[Figure]:
    """What the grammar says of the tales told."""
    columns = ("trained on", "measure", "mean", "low", "high")
    names = {
        "last_published_grammatical": "grammatical",
        "last_published_copies": "copies",
        "last_published_grammatical_and_new": "grammatical and new",
        "last_published_followed": "part of a tale that the grammar follows",
        "last_above_floor": "nats per character above the floor",
    }
    rows = [
        one
        for arm, nets in found.items()
        for name, title in names.items()
        if (one := row(f"{arm} tales", title, numbers=values(nets, name)))
    ]
    if not rows:
        return []
    base = alt.Chart(records(columns, rows)).encode(
        y=alt.Y("trained on:N", title=None), color=alt.Color("trained on:N", legend=None)
    )
    bars = base.mark_rule().encode(x=alt.X("low:Q", title=None, scale=alt.Scale(zero=True)), x2="high:Q")
    dots = base.mark_point(filled=True, size=60).encode(x="mean:Q", tooltip=tooltip(columns, rows))
    chart = (bars + dots).properties(width=300, height=60)
    rows_by = alt.Facet(
        "measure:N",
        title=None,
        sort=list(names.values()),
        header=alt.Header(labelOrient="top", labelAnchor="start", labelAngle=0),
    )
    return [
        Figure(
            name="tales",
            title="Tales told after few texts and after many",
            caption="Temperature 0.7 and top-p 0.9; mean and 95 % interval over seeds.",
            columns=columns,
            rows=tuple(rows),
            spec=spec(chart.facet(row=rows_by).resolve_scale(x="independent")),
        )
    ]  # fmt: skip
