"""What every experiment's figures need of Altair: rows as data, rows as tooltips, a specification without a look of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from erlangen.records.files import Scalar

Rows = Sequence[Sequence[Scalar]]


def records(columns: Sequence[str], rows: Rows) -> alt.InlineData:
    """Rows as the inline data of a chart."""
    return alt.InlineData(values=[dict(zip(columns, row, strict=True)) for row in rows])


def tooltip(columns: Sequence[str], rows: Rows) -> list[alt.Tooltip]:
    """What a mark says when pointed at: all of its row."""
    kinds = ["quantitative" if isinstance(value, (int, float)) else "nominal" for value in rows[0]]
    return [alt.Tooltip(field=name, type=kind) for name, kind in zip(columns, kinds, strict=True)]  # type: ignore[arg-type]


def spec(chart: alt.TopLevelMixin, height: int | None = None) -> dict[str, Any]:
    """The Vega-Lite specification; with a height in pixels, as wide as its place on the page. Colors and type are the page's."""
    described: dict[str, Any] = (chart if height is None else chart.properties(width="container", height=height)).to_dict()
    described.pop("config", None)
    return described
