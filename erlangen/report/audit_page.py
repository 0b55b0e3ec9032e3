"""An audit as one self-contained page: verdicts first, then each check with its curve, its layers and its worst inputs."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from erlangen.errors import ErlangenError
from erlangen.records.audit import AuditRecord, Breaks, Checked, LayerError
from erlangen.records.files import finite, to_json, write_atomically
from erlangen.report import charts
from erlangen.report.audit_text import MARKS
from erlangen.report.page import environment

STATES, STATE_COLORS = ["kept", "error", "no action"], ["#009E73", "#D55E00", "#888888"]
THRESHOLD, CURVE = "#D55E00", "#3E8ED0"  # both legible on light and on dark
PLOTTED = 40  # layers of a plot, at most
LABEL = 24  # characters of a layer's name beside it
ORDER = ("broken", "undecided", "not measured", "holds", "exact")  # what needs a reader comes first
COLORS = {
    "exact": "supported",
    "holds": "supported",
    "broken": "refuted",
    "undecided": "inconclusive",
    "not measured": "not-measured",
}
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def save(audit: AuditRecord, path: Path) -> Path:
    """Write the page (.html) or the record (.json), whole or not at all."""
    if path.suffix not in (".html", ".htm", ".json"):
        raise ErlangenError(f"{path}: an audit is saved as .html (a page) or .json (its record)")
    text = json.dumps(to_json(audit), indent=1, ensure_ascii=False) if path.suffix == ".json" else audit_html(audit)
    write_atomically(path, text)
    return path


def audit_html(audit: AuditRecord) -> str:
    """The page as text."""
    specs: dict[str, dict[str, Any]] = {}
    for place, check in enumerate(audit.checks):
        if len(check.curve) > 1 and check.judgment not in ("exact", "not measured"):
            specs[f"curve-{place}"] = curve_spec(check)
        if check.breaks is not None and plotted(check.breaks):
            specs[f"layers-{place}"] = layers_spec(check.breaks)
    asked = [check for check in audit.checks if not check.informational]
    counts = {judgment: sum(check.judgment == judgment for check in asked) for judgment in ORDER}
    numbered = sorted(enumerate(audit.checks), key=lambda entry: (entry[1].informational, ORDER.index(entry[1].judgment)))
    made = environment()
    made.filters.update(brief=brief, percent=percent)
    return made.get_template("audit.html.j2").render(
        audit=audit,
        summary=summary(audit),
        counts={judgment: count for judgment, count in counts.items() if count},
        marks=MARKS,
        colors=COLORS,
        informed=len(audit.checks) - len(asked),
        detailed=[(place, check) for place, check in numbered if check.judgment != "exact"],
        exact=[(place, check) for place, check in numbered if check.judgment == "exact"],
        lost=[lost_at(check) for check in audit.checks],
        shown_layers={place: len(plotted(check.breaks)) for place, check in enumerate(audit.checks) if check.breaks is not None},
        vega=Markup(charts.script()),
        specs=finite(specs),  # one infinity, and no browser would read any of it
        light=charts.LIGHT,
        dark=charts.DARK,
    )


def notebook_html(audit: AuditRecord) -> str:
    """The page in a frame of its own: its style and its scripts must not reach the notebook around it."""
    page = html.escape(audit_html(audit), quote=True)
    look = "width: 100%; height: 40rem; border: 1px solid #8886; border-radius: 6px; resize: vertical"
    return f'<iframe title="erlangen audit" sandbox="allow-scripts" style="{look}" srcdoc="{page}"></iframe>'


def brief(value: float | None) -> str:
    """Three significant digits, two of what is tiny or huge: '0.572', '1.8·10⁻⁷'; an en dash where nothing was measured."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.3g}".replace("-", "−")
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}·10{str(int(exponent)).translate(SUPERSCRIPTS)}".replace("-", "−")


def percent(share: float | None) -> str:
    """'15.6'"""
    return "–" if share is None else f"{100 * share:.1f}"


def summary(audit: AuditRecord) -> str:
    """The answer in a sentence or two."""
    asked = [check for check in audit.checks if not check.informational]
    named = {judgment: [check.name for check in asked if check.judgment == judgment] for judgment in ORDER}
    words = {"holds": f"Within {audit.threshold:g} of the spread"}
    parts = [f"{words.get(judgment, judgment.capitalize())}: {', '.join(names)}." for judgment, names in named.items() if names]
    return " ".join(parts)


def lost_at(check: Checked) -> str:
    """'conv1 (Conv2d)': the first layer that loses the symmetry; '' where none is known."""
    layers = check.breaks.layers if check.breaks is not None else ()
    return next((f"{layer.layer} ({layer.kind})" for layer in layers if layer.layer == check.breaks.culprit), "")  # type: ignore[union-attr]


def curve_spec(check: Checked) -> dict[str, Any]:
    """Error against the size of the element, or a row an element, with its 95 % interval and the threshold.

    The axis ends where errors do: the interval of a place with few inputs may be endless, and must not flatten all others.
    """
    measured = [point for point in check.curve if point.error is not None and math.isfinite(point.error)]
    values = [
        {"label": p.label, "size": p.size, "error": p.error, "low": p.interval[0], "high": p.interval[1], "pairs": p.pairs}
        for p in measured
    ]
    largest = max([check.threshold, *(point.error or 0.0 for point in measured)])
    ends = [end for point in measured for end in point.interval if end is not None and math.isfinite(end)]
    top = 1.05 * min(max([largest, *ends]), 2.5 * largest)
    sized = all(point.size is not None for point in measured)
    error: dict[str, Any] = {"field": "error", "type": "quantitative", "title": "error / spread", "scale": {"domain": [0, top]}}
    error["axis"] = {"tickCount": 5}
    tooltip = [{"field": name} for name in ("label", "error", "low", "high", "pairs")]
    if sized:
        unit = f" ({check.unit})" if check.unit else ""
        x: dict[str, Any] = {"field": "size", "type": "quantitative", "title": f"size of the element{unit}"}
        x |= {"scale": {"zero": False, "nice": False}, "axis": {"grid": False, "tickCount": 6}}
        place, along, across, band = {"x": x}, "y", "y2", {"type": "area", "opacity": 0.2}
        line: dict[str, Any] = {"type": "line", "point": {"color": CURVE}}
    else:
        rows: dict[str, Any] = {"field": "label", "type": "nominal", "title": None, "sort": None, "axis": {"labelLimit": 150}}
        place, along, across, band = {"y": rows}, "x", "x2", {"type": "rule", "strokeWidth": 5, "opacity": 0.3}
        line = {"type": "point", "filled": True, "size": 70, "opacity": 1}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": "container",
        "height": 190 if sized else 24 * len(values),
        "data": {"values": values},
        "layer": [
            {"mark": {**band, "color": CURVE, "clip": True},
             "encoding": {**place, along: {**error, "field": "low"}, across: {"field": "high"}}},
            {"mark": {**line, "color": CURVE, "clip": True}, "encoding": {**place, along: error, "tooltip": tooltip}},
            {"data": {"values": [{"error": check.threshold}]},
             "mark": {"type": "rule", "strokeDash": [5, 4], "strokeWidth": 1.5, "color": THRESHOLD},
             "encoding": {along: error}},
        ],
    }  # fmt: skip


def plotted(breaks: Breaks) -> Sequence[LayerError]:
    """The layers that a plot has room for, the first that loses the symmetry among them."""
    known = [layer for layer in breaks.layers if layer.action in ("no action", "invariant", "moves along")]
    start = next((k for k, layer in enumerate(known) if layer.layer == breaks.culprit), 0)
    start = max(0, min(start - PLOTTED // 3, len(known) - PLOTTED))
    return known[start : start + PLOTTED]


def row_labels(layers: Sequence[LayerError]) -> list[str]:
    """Name and kind; of long names the two ends, which tell block and layer, unless that makes two of them the same."""
    names = [f"{layer.layer} {layer.kind}" for layer in layers]
    cut = [layer.layer if len(name) > LABEL else name for layer, name in zip(layers, names, strict=True)]
    cut = [f"{name[: LABEL // 2]}…{name[-LABEL // 2 :]}" if len(name) > LABEL else name for name in cut]
    return cut if len(set(cut)) == len(cut) else names


def layers_spec(breaks: Breaks) -> dict[str, Any]:
    """Error of each layer, from the first to run down to the last, by powers of ten; a cross where the element has no action."""
    shown = plotted(breaks)
    errors = [layer.error for layer in shown if layer.error is not None and 0 < layer.error < math.inf]
    low = math.floor(math.log10(max(min(errors, default=1e-16), 1e-17)))
    high = max(math.ceil(math.log10(max(errors, default=1.0))), low + 1)
    low -= any(layer.error is not None and layer.error <= 10.0**low for layer in shown)
    values: list[dict[str, Any]] = [
        {
            "row": f"{'▸ ' if layer.layer == breaks.culprit else ''}{label}",
            "layer": f"{layer.layer} {layer.kind}",
            "shape": " × ".join(map(str, layer.shape)),
            "error": layer.error,
            "at": None if layer.action == "no action" else min(max(layer.error or 0.0, 10.0**low), 10.0**high),
            "start": 10.0**low,
            "state": "no action" if layer.action == "no action" else "kept" if layer.exact else "error",
        }
        for layer, label in zip(shown, row_labels(shown), strict=True)
    ]
    order = [value["row"] for value in values]
    rows: dict[str, Any] = {"field": "row", "type": "nominal", "sort": order, "title": None, "scale": {"domain": order}}
    rows["axis"] = {"labelLimit": 180, "labelFontSize": 11, "domain": False, "ticks": False}
    step = max(1, math.ceil((high - low) / 6))
    at: dict[str, Any] = {"field": "at", "type": "quantitative", "title": "error / spread of the layer"}
    at["scale"] = {"type": "log", "domain": [10.0**low, 10.0**high], "nice": False}
    at["axis"] = {"format": ".0e", "values": [10.0**k for k in range(low, high + 1, step)]}
    color: dict[str, Any] = {
        "field": "state",
        "type": "nominal",
        "title": None,
        "scale": {"domain": STATES, "range": STATE_COLORS},
    }
    color["legend"] = {"symbolOpacity": 1}
    tooltip = [{"field": name} for name in ("layer", "shape", "error", "state")]
    acts, none = [{"filter": "datum.at !== null"}], [{"filter": "datum.at === null"}]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": "container",
        "height": 16 * len(values),
        "data": {"values": values},
        "layer": [
            {"transform": acts, "mark": {"type": "rule", "opacity": 0.45, "strokeWidth": 2},
             "encoding": {"y": rows, "x": {**at, "field": "start"}, "x2": {"field": "at"}, "color": color}},
            {"transform": acts, "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
             "encoding": {"y": rows, "x": at, "color": color, "tooltip": tooltip}},
            {"transform": none, "mark": {"type": "point", "shape": "cross", "size": 50, "x": 8},
             "encoding": {"y": rows, "color": color, "tooltip": tooltip}},
        ],
    }  # fmt: skip
