"""An audit as one self-contained page: the judgments first, then each check with its curve, its layers and its worst pairs."""

from __future__ import annotations

import html
import json
import math
from pathlib import Path
from typing import Any

from markupsafe import Markup

from erlangen.errors import ErlangenError
from erlangen.records.audit import AuditRecord, Checked
from erlangen.records.files import finite, to_json, write_atomically
from erlangen.report import charts
from erlangen.report.audit_charts import SHIFTS, curve_spec, layers_spec, plotted_layers, size_title
from erlangen.report.audit_text import MARKS, describe_outputs, describe_twin, judgments_of, lacks_twin, reason_of
from erlangen.report.page import environment

ORDER = ("broken", "undecided", "not measured", "holds", "exact")  # what a reader has to look at comes first
COLORS = {
    "exact": "supported",
    "holds": "supported",
    "broken": "refuted",
    "undecided": "inconclusive",
    "not measured": "not-measured",
}
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def save(audit: AuditRecord, path: Path) -> Path:
    """Write the page (.html) or the record (.json), atomically."""
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
        if check.breaks is not None and plotted_layers(check.breaks):
            specs[f"layers-{place}"] = layers_spec(check.breaks)
    asked = [check for check in audit.checks if not check.informational]
    named = {judgment: [check.name for check in asked if check.judgment == judgment] for judgment in ORDER}
    named = {judgment: names for judgment, names in named.items() if names}
    aside = [check.name for check in audit.checks if check.informational and check.judgment == "broken"]
    lead = [f"{judgment.capitalize()}: {', '.join(names)}." for judgment, names in named.items()]
    lead += [f"Broken, but informational: {', '.join(aside)}."] if aside else []
    numbered = sorted(enumerate(audit.checks), key=lambda entry: (entry[1].informational, ORDER.index(entry[1].judgment)))
    pages = environment()
    pages.filters.update(brief=brief, percent=percent, reason=reason_of, by_output=judgments_of, outputs=describe_outputs)
    pages.filters.update(size_title=size_title)
    return pages.get_template("audit.html.j2").render(
        audit=audit,
        summary=" ".join(lead),
        counts={judgment: len(names) for judgment, names in named.items()},
        marks=MARKS,
        colors=COLORS,
        informational=len(audit.checks) - len(asked),
        detailed=[(place, check) for place, check in numbered if check.judgment != "exact"],
        exact=[(place, check) for place, check in numbered if check.judgment == "exact"],
        twin=describe_twin(audit),
        lacks_twin=lacks_twin(audit),
        shifts=SHIFTS,
        lost=[lost_at(check) for check in audit.checks],
        shown_layers={
            place: len(plotted_layers(check.breaks)) for place, check in enumerate(audit.checks) if check.breaks is not None
        },
        vega=Markup(charts.script()),
        specs=finite(specs),  # with a single infinity in it, no browser would read any of it
        light=charts.LIGHT,
        dark=charts.DARK,
    )


def notebook_html(audit: AuditRecord) -> str:
    """The page in a frame of its own, so that its style and scripts do not reach the notebook around it."""
    page = html.escape(audit_html(audit), quote=True)
    look = "width: 100%; height: 40rem; border: 1px solid #8886; border-radius: 6px; resize: vertical"
    return f'<iframe title="erlangen audit" sandbox="allow-scripts" style="{look}" srcdoc="{page}"></iframe>'


def brief(value: float | None) -> str:
    """Three significant digits, two if tiny or huge: `0.572`, `1.8·10⁻⁷`; an en dash if nothing was measured."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.3g}".replace("-", "−")
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}·10{str(int(exponent)).translate(SUPERSCRIPTS)}".replace("-", "−")


def percent(share: float | None) -> str:
    """`15.6`"""
    return "–" if share is None else f"{100 * share:.1f}"


def lost_at(check: Checked) -> str:
    """`conv1 (Conv2d)`, the first layer that breaks the symmetry; '' if it is not known."""
    if check.breaks is None:
        return ""
    return next((f"{row.layer} ({row.kind})" for row in check.breaks.layers if row.layer == check.breaks.culprit), "")
