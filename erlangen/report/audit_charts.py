"""The two figures of an audit's page as Vega-Lite specifications: error by element, and error by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from erlangen.records.audit import Breaks, Checked, LayerError

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
STATES, STATE_COLORS = ["exact", "error", "not compared"], ["#009E73", "#D55E00", "#888888"]
SHIFTS = ("pixels", "steps", "positions")  # units of symmetries that shift
THRESHOLD, CURVE = "#D55E00", "#3E8ED0"  # both legible on light and on dark
PLOTTED = 40  # layers of a plot, at most
INSET = 12  # pixels between the labels of the layers and the smallest error
LABEL = 26  # characters of a layer's name beside it


def curve_spec(check: Checked) -> dict[str, Any]:
    """Mean error by size of the element, or one row per element, with its 95 % interval and the threshold.

    The axis ends near the largest error: the interval of a point with few inputs may be endless, and must not flatten all others.
    """
    points = [point for point in check.curve if point.error is not None and math.isfinite(point.error)]
    values = [
        {"label": p.label, "size": p.size, "error": p.error, "low": p.interval[0], "high": p.interval[1], "pairs": p.pairs}
        for p in points
    ]
    largest = max([check.threshold, *(point.error or 0.0 for point in points)])
    ends = [end for point in points for end in point.interval if end is not None and math.isfinite(end)]
    error: dict[str, Any] = {
        "field": "error",
        "type": "quantitative",
        "title": "mean error / spread",
        "scale": {"domain": [0, 1.05 * min(max([largest, *ends]), 2.5 * largest)]},
        "axis": {"tickCount": 5},
    }
    sized = all(point.size is not None for point in points)
    if sized:
        size: dict[str, Any] = {"field": "size", "type": "quantitative", "title": size_title(check.unit)}
        place, along, across = (
            {"x": {**size, "scale": {"zero": False, "nice": False}, "axis": {"grid": False, "tickCount": 6}}},
            "y",
            "y2",
        )
        band: dict[str, Any] = {"type": "area", "opacity": 0.2}
        line: dict[str, Any] = {"type": "line", "point": {"color": CURVE}}
    else:
        rows = {"field": "label", "type": "nominal", "title": None, "sort": None, "axis": {"labelLimit": 150}}
        place, along, across = {"y": rows}, "x", "x2"
        band = {"type": "rule", "strokeWidth": 5, "opacity": 0.3}
        line = {"type": "point", "filled": True, "size": 70, "opacity": 1}
    tooltip = [{"field": name} for name in ("label", "error", "low", "high", "pairs")]
    layers = [
        {
            "mark": {**band, "color": CURVE, "clip": True},
            "encoding": {along: {**error, "field": "low"}, across: {"field": "high"}},
        },
        {"mark": {**line, "color": CURVE, "clip": True}, "encoding": {along: error, "tooltip": tooltip}},
    ]
    rule = {"type": "rule", "strokeDash": [5, 4], "strokeWidth": 1.5, "color": THRESHOLD}
    threshold = {"data": {"values": [{"error": check.threshold}]}, "mark": rule, "encoding": {along: error}}
    layers = [{**layer, "encoding": {**place, **layer["encoding"]}} for layer in layers]
    return chart(values, 190 if sized else 24 * len(values), [*layers, threshold])


def size_title(unit: str) -> str:
    """What the size of an element is, by its unit: `size of the shift (pixels)`, `share of nodes moved`."""
    if unit in SHIFTS or unit.startswith("spreads"):
        return f"size of the shift ({unit})"
    if unit.startswith(("share", "last", "padding")):
        return unit
    measured = {"degrees": "angle", "octaves": "zoom", "tokens": "size of the prefix"}.get(unit, "size of the element")
    return f"{measured} ({unit})" if unit else measured


def chart(values: list[dict[str, Any]], height: int, layers: list[dict[str, Any]]) -> dict[str, Any]:
    """A specification as wide as the page."""
    return {"$schema": SCHEMA, "width": "container", "height": height, "data": {"values": values}, "layer": layers}


def plotted_layers(breaks: Breaks) -> Sequence[LayerError]:
    """As many layers as fit into a plot, among them the first that breaks the symmetry."""
    known = [layer for layer in breaks.layers if layer.action in ("no action", "invariant", "moves along")]
    start = next((k for k, layer in enumerate(known) if layer.layer == breaks.culprit), 0)
    start = max(0, min(start - PLOTTED // 3, len(known) - PLOTTED))
    return known[start : start + PLOTTED]


def row_labels(layers: Sequence[LayerError]) -> list[str]:
    """Name and kind of each layer. Long names are shortened to their ends, unless two would become the same."""
    names = [f"{layer.layer} ({layer.kind})" for layer in layers]
    short = [layer.layer if len(name) > LABEL else name for layer, name in zip(layers, names, strict=True)]
    short = [f"{name[: LABEL // 2]}…{name[-LABEL // 2 :]}" if len(name) > LABEL else name for name in short]
    return short if len(set(short)) == len(short) else names


def state(layer: LayerError) -> str:
    """One of STATES."""
    return "not compared" if layer.action == "no action" else "exact" if layer.exact else "error"


def layers_spec(breaks: Breaks) -> dict[str, Any]:
    """Error of each layer on a logarithmic axis, from the first to run down to the last; a cross where g has no action."""
    layers = plotted_layers(breaks)
    errors = [layer.error for layer in layers if layer.error is not None and 0 < layer.error < math.inf]
    low = math.floor(math.log10(max(min(errors, default=1e-16), 1e-17)))
    high = max(math.ceil(math.log10(max(errors, default=1.0))), low + 1)
    low -= any(layer.error is not None and layer.error <= 10.0**low for layer in layers)
    values: list[dict[str, Any]] = [
        {
            "row": f"{'▸ ' if layer.layer == breaks.culprit else ''}{label}",
            "layer": f"{layer.layer} ({layer.kind})",
            "shape": " × ".join(map(str, layer.shape)),
            "error": layer.error,
            "at": None if layer.action == "no action" else min(max(layer.error or 0.0, 10.0**low), 10.0**high),
            "start": 10.0**low,
            "state": state(layer),
        }
        for layer, label in zip(layers, row_labels(layers), strict=True)
    ]
    order = [value["row"] for value in values]
    rows: dict[str, Any] = {"field": "row", "type": "nominal", "sort": order, "title": None, "scale": {"domain": order}}
    rows["axis"] = {"labelLimit": 190, "labelFontSize": 11, "domain": False, "ticks": False}
    at: dict[str, Any] = {"field": "at", "type": "quantitative", "title": "error / spread (logarithmic)"}
    at["scale"] = {"type": "log", "domain": [10.0**low, 10.0**high], "nice": False, "padding": INSET}
    ticks = [10.0**k for k in range(low, high + 1, max(1, math.ceil((high - low) / 6)))]
    at["axis"] = {"format": "~g", "values": ticks}
    color = {"field": "state", "type": "nominal", "title": None, "scale": {"domain": STATES, "range": STATE_COLORS}}
    common = {"y": rows, "color": {**color, "legend": {"symbolOpacity": 1}}}
    tooltip = [{"field": name} for name in ("layer", "shape", "error", "state")]
    acts, none = [{"filter": "datum.at !== null"}], [{"filter": "datum.at === null"}]
    rule = {"type": "rule", "opacity": 0.45, "strokeWidth": 2}
    dot = {"type": "point", "filled": True, "size": 55, "opacity": 1}
    cross = {"type": "point", "shape": "cross", "size": 50, "x": INSET}
    return chart(
        values,
        16 * len(values),
        [
            {"transform": acts, "mark": rule, "encoding": {**common, "x": {**at, "field": "start"}, "x2": {"field": "at"}}},
            {"transform": acts, "mark": dot, "encoding": {**common, "x": at, "tooltip": tooltip}},
            {"transform": none, "mark": cross, "encoding": {**common, "tooltip": tooltip}},
        ],
    )
