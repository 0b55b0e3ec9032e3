"""The figures that experiments share: dots with intervals, curves with bands, heat maps, tables; one palette, one number format.

Rows are the table behind a figure, `columns` its heads; a figure names the columns that it draws. Colors of text and grid are the
page's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import altair as alt

from erlangen.records.files import Scalar
from erlangen.statistics.intervals import Interval

Row: TypeAlias = tuple[Scalar, ...]
Rows: TypeAlias = Sequence[Row]
Spec: TypeAlias = dict[str, Any]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#999999")  # Okabe & Ito (2008)
FAINT = "#888888"
PAGE = 880  # pixels of a page's column, which the panels of a figure share
PANEL_HEIGHT = 230
LABELED = 12  # values of a logarithmic axis, up to which each has a tick of its own


def significant(value: float, digits: int = 4) -> float | None:
    """The value with so many significant digits; None where it is not finite."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def cells(interval: Interval, digits: int = 4) -> tuple[float | None, float | None, float | None]:
    """Estimate, low and high as entries of a table."""
    estimate, low, high = (significant(value, digits) for value in interval[:3])
    return estimate, low, high


def clipped(interval: Interval, low: float = 0.0, high: float = 100.0) -> Interval:
    """An interval with its ends inside what the quantity can be; an accuracy of 118 % does not exist."""
    return interval._replace(low=max(interval.low, low), high=min(interval.high, high))


def records(columns: Sequence[str], rows: Rows) -> alt.InlineData:
    """Rows as the inline data of a chart."""
    return alt.InlineData(values=[dict(zip(columns, row, strict=True)) for row in rows])


def tooltip(columns: Sequence[str], rows: Rows) -> list[alt.Tooltip]:
    """What a mark shows when it is pointed at: its row."""
    kinds = ["quantitative" if isinstance(value, (int, float)) else "nominal" for value in (rows[0] if rows else columns)]
    return [alt.Tooltip(field=name, type=kind) for name, kind in zip(columns, kinds, strict=True)]  # type: ignore[arg-type]


def palette(names: Iterable[str] | Mapping[str, str]) -> alt.Scale:
    """A color for each name: those of a mapping, or the palette's in order."""
    colors = dict(names) if isinstance(names, Mapping) else dict(zip(names, PALETTE, strict=False))
    return alt.Scale(domain=list(colors), range=list(colors.values()))


def spec(chart: alt.TopLevelMixin, height: int | None = None) -> Spec:
    """The Vega-Lite specification; with a height in pixels, as wide as its place on the page."""
    described: Spec = (chart if height is None else chart.properties(width="container", height=height)).to_dict()
    described.pop("config", None)
    return described


def dots(
    columns: Sequence[str],
    rows: Rows,
    *,
    x: str,
    y: str,
    low: str = "low",
    high: str = "high",
    color: str | None = None,
    colors: Iterable[str] | Mapping[str, str] = (),
    title: str | list[str] | None = None,
    order: Sequence[str] = (),
    domain: tuple[float, float] | None = None,
    reference: float | None = None,
    panel: str | None = None,
    panels: Sequence[str] = (),
    panel_columns: int = 2,
    same_x: bool = True,
) -> Spec:
    """A dot and its interval for each row, one line for each value of `y`; `reference` is a dashed line, 'no difference' say.

    title: of the horizontal axis, in lines where it is a list.
    """
    scale = alt.Scale(domain=list(domain), padding=6) if domain else alt.Scale(zero=False)  # or a dot at 100 % is cut in half
    base = alt.Chart(records(columns, rows)).encode(
        y=alt.Y(f"{y}:N", title=None, sort=list(order) or None, axis=alt.Axis(labelLimit=330))
    )
    if color:
        base = base.encode(
            color=alt.Color(f"{color}:N", title=None, scale=palette(colors)),
            yOffset=alt.YOffset(f"{color}:N", sort=list(colors)),
        )
    # Without a column for the color: else an interval is black, which a dark page hides.
    bars = base.mark_rule(strokeWidth=2, clip=True, color=PALETTE[0]).encode(
        x=alt.X(f"{low}:Q", scale=scale, title=title or x), x2=f"{high}:Q"
    )
    marks = base.mark_circle(size=70, opacity=1, clip=True, color=PALETTE[0]).encode(
        x=alt.X(f"{x}:Q", scale=scale), tooltip=tooltip(columns, rows)
    )
    layers = [bars, marks]
    if reference is not None:
        rule = alt.Chart(records(columns, rows)).mark_rule(strokeDash=[4, 4], color=FAINT).encode(x=alt.datum(reference))
        layers.insert(0, rule)
    lines = len({row[columns.index(y)] for row in rows})
    height = max(60, 18 * lines * max(1, len(list(colors)) // 2 + 1))
    return layout(alt.layer(*layers), height, panel, panels, panel_columns, {} if same_x else {"x": "independent"})


def curves(
    columns: Sequence[str],
    rows: Rows,
    *,
    x: str,
    y: str,
    low: str | None = "low",
    high: str | None = "high",
    color: str,
    colors: Iterable[str] | Mapping[str, str],
    x_title: str | None = None,
    y_title: str | None = None,
    log_x: int | None = None,
    log_y: bool = False,
    domain: tuple[float, float] | None = None,
    panel: str | None = None,
    panels: Sequence[str] = (),
    panel_columns: int = 2,
    same_y: bool = True,
) -> Spec:
    """A line through the rows of each color, with its band from `low` to `high`; log_x is the logarithm's base."""
    across = (
        alt.Scale(type="log", base=log_x, padding=8, nice=False) if log_x else alt.Scale(zero=False, padding=8)
    )  # or the outer dots are cut
    up = alt.Scale(type="log") if log_y else alt.Scale(domain=list(domain)) if domain else alt.Scale(zero=False)
    ticks = axis_of([row[columns.index(x)] for row in rows], logarithmic=bool(log_x))
    base = alt.Chart(records(columns, rows)).encode(
        x=alt.X(f"{x}:Q", scale=across, title=x_title or x, axis=ticks),
        color=alt.Color(f"{color}:N", title=None, scale=palette(colors), legend=alt.Legend(symbolOpacity=1)),
    )
    lines = base.mark_line(point=True, clip=True).encode(
        y=alt.Y(f"{y}:Q", scale=up, title=y_title or y), tooltip=tooltip(columns, rows)
    )
    layers = [lines]
    if low and high:
        bands = base.mark_area(opacity=0.15, clip=True).encode(y=alt.Y(f"{low}:Q", scale=up, title=y_title or y), y2=f"{high}:Q")
        layers.insert(0, bands)
    return layout(
        alt.layer(*layers), PANEL_HEIGHT, panel, panels, panel_columns, {} if same_y else {"x": "independent", "y": "independent"}
    )


def axis_of(values: Sequence[Scalar], logarithmic: bool) -> alt.Axis:
    """Ticks at the values that were measured, where the axis is logarithmic; elsewhere none between whole numbers."""
    measured = sorted({value for value in values if isinstance(value, int | float)})
    if logarithmic and len(measured) <= LABELED:
        return alt.Axis(values=measured, labelOverlap="greedy")
    whole = all(isinstance(value, int) for value in values)
    return alt.Axis(tickMinStep=1) if whole and not logarithmic else alt.Axis()  # no half epochs, layers or edges


def heat(
    columns: Sequence[str],
    rows: Rows,
    *,
    x: str,
    y: str,
    value: str,
    title: str,
    x_order: Sequence[str] = (),
    y_order: Sequence[str] = (),
    domain: tuple[float, float] | None = None,
    panel: str | None = None,
    panels: Sequence[str] = (),
    panel_columns: int = 2,
) -> Spec:
    """A colored cell with its number for each row."""
    numbers = [float(str(row[columns.index(value)])) for row in rows]
    least, most = domain or (min(numbers, default=0.0), max(numbers, default=1.0))
    base = alt.Chart(records(columns, rows)).encode(
        x=alt.X(f"{x}:N", sort=list(x_order) or None, axis=alt.Axis(labelAngle=0)),
        y=alt.Y(f"{y}:N", sort=list(y_order) or None),
        tooltip=tooltip(columns, rows),
    )
    boxes = base.mark_rect().encode(
        color=alt.Color(f"{value}:Q", title=title, scale=alt.Scale(scheme="blues", domain=[least, most]))
    )
    digits = base.mark_text(fontSize=11).encode(
        text=alt.Text(f"{value}:Q", format=".0f"),
        color=alt.condition(f"datum['{value}'] > {(least + most) / 2}", alt.value("white"), alt.value("black")),
    )
    height = 26 * len({row[columns.index(y)] for row in rows})
    return layout(alt.layer(boxes, digits), height, panel, panels, panel_columns, {})


def layout(chart: Any, height: int, panel: str | None, panels: Sequence[str], columns: int, resolve: Mapping[str, Any]) -> Spec:
    """One chart as wide as the page, or a panel for each value of `panel`, `columns` of them side by side."""
    if panel is None:
        return spec(chart, height)
    facet = alt.Facet(f"{panel}:N", title=None, sort=list(panels) or None)
    shared = chart.properties(width=PAGE // columns - 90, height=height).facet(facet, columns=columns)
    return spec(shared.resolve_scale(**resolve) if resolve else shared)
