"""An audit as one self-contained page: verdicts first, then each check with its curve, its layers and its worst inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from erlangen.audited import AuditRecord, Breaks, Checked
from erlangen.report import charts
from erlangen.report.audit_text import MARKS
from erlangen.report.page import environment
from erlangen.results import ErlangenError, to_json, write_atomically

STATES, STATE_COLORS = ["kept", "error", "no action"], ["#009E73", "#D55E00", "#888888"]
PLOTTED = 60  # layers of a plot, at most
COLORS = {
    "exact": "supported",
    "holds": "supported",
    "broken": "refuted",
    "undecided": "inconclusive",
    "not measured": "not-measured",
}


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
        if check.breaks is not None and check.breaks.layers:
            specs[f"layers-{place}"] = layers_spec(check.breaks)
    counts = {judgment: sum(check.judgment == judgment for check in audit.checks) for judgment in MARKS}
    return (
        environment()
        .get_template("audit.html.j2")
        .render(
            audit=audit,
            summary=summary(audit),
            counts={judgment: count for judgment, count in counts.items() if count},
            marks=MARKS,
            colors=COLORS,
            vega=Markup(charts.script()),
            specs=specs,
            light=charts.LIGHT,
            dark=charts.DARK,
        )
    )


def summary(audit: AuditRecord) -> str:
    """The answer in a sentence or two."""
    asked = [check for check in audit.checks if not check.informational]
    named = {judgment: [check.name for check in asked if check.judgment == judgment] for judgment in MARKS}
    words = {"holds": f"Within {audit.threshold:g} of the spread"}
    parts = [f"{words.get(judgment, judgment.capitalize())}: {', '.join(names)}." for judgment, names in named.items() if names]
    return " ".join(parts)


def curve_spec(check: Checked) -> dict[str, Any]:
    """Error against the size of the element, with its 95 % band and the threshold."""
    values = [
        {"label": p.label, "size": p.size, "error": p.error, "low": p.interval[0], "high": p.interval[1], "pairs": p.pairs}
        for p in check.curve
    ]
    sized = all(point.size is not None for point in check.curve)
    unit = f" ({check.unit})" if check.unit else ""
    x: dict[str, Any] = {"field": "size", "type": "quantitative", "title": f"size of the element{unit}"}
    if not sized:
        x = {"field": "label", "type": "nominal", "title": None, "sort": None, "axis": {"labelAngle": -30}}
    y = {"field": "error", "type": "quantitative", "title": "error / spread"}
    tooltip = [{"field": name} for name in ("label", "error", "low", "high", "pairs")]
    band: dict[str, Any] = {"type": "area", "opacity": 0.18} if sized else {"type": "rule", "strokeWidth": 3, "opacity": 0.35}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": "container",
        "height": 190,
        "data": {"values": values},
        "layer": [
            {"mark": band, "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}},
            {"mark": {"type": "line", "point": True} if sized else {"type": "point", "filled": True, "size": 70},
             "encoding": {"x": x, "y": y, "tooltip": tooltip}},
            {"data": {"values": [{"threshold": check.threshold}]},
             "mark": {"type": "rule", "strokeDash": [5, 4], "color": "#D55E00"},
             "encoding": {"y": {"field": "threshold", "type": "quantitative"}}},
        ],
    }  # fmt: skip


def layers_spec(breaks: Breaks) -> dict[str, Any]:
    """Error of each layer in running order, on a symmetric logarithmic scale; a cross where the element has no action."""
    shown = [layer for layer in breaks.layers if layer.action in ("no action", "invariant", "moves along")]
    start = next((k for k, layer in enumerate(shown) if layer.layer == breaks.culprit), 0)
    start = max(0, min(start - PLOTTED // 3, len(shown) - PLOTTED))
    values: list[dict[str, Any]] = [
        {
            "layer": f"{layer.layer} {layer.kind}",
            "kind": layer.kind,
            "shape": " × ".join(map(str, layer.shape)),
            "error": None if layer.error is None else max(layer.error, 1e-17),
            "state": "no action" if layer.error is None else "kept" if layer.exact else "error",
        }
        for layer in shown[start : start + PLOTTED]
    ]
    order = [value["layer"] for value in values]
    x: dict[str, Any] = {"field": "layer", "type": "nominal", "sort": order, "title": None, "scale": {"domain": order}}
    x["axis"] = {"labelAngle": -45, "labelLimit": 170}
    y: dict[str, Any] = {
        "field": "error",
        "type": "quantitative",
        "title": "error / spread of the layer",
        "scale": {"type": "log"},
    }
    y["axis"] = {"format": ".0e", "tickCount": 5}
    color = {"field": "state", "type": "nominal", "title": None, "scale": {"domain": STATES, "range": STATE_COLORS}}
    tooltip = [{"field": name} for name in ("layer", "kind", "shape", "error", "state")]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": {"step": 16} if len(values) > 24 else "container",
        "height": 200,
        "data": {"values": values},
        "layer": [
            {"transform": [{"filter": "datum.error !== null"}], "mark": {"type": "point", "filled": True, "size": 60},
             "encoding": {"x": x, "y": y, "color": color, "tooltip": tooltip}},
            {"transform": [{"filter": "datum.error === null"}], "mark": {"type": "point", "shape": "cross", "size": 60, "y": 10},
             "encoding": {"x": x, "color": color, "tooltip": tooltip}},
        ],
    }  # fmt: skip
