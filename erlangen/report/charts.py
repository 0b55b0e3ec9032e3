"""Vega-Lite specifications -> SVG, PNG, PDF, and the script that draws them on a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vl_convert

from erlangen.errors import ErlangenError
from erlangen.records.runs import Figures

FORMATS = ("svg", "png", "pdf")
PAPER_WIDTH = 620  # pixels, for specifications as wide as their container


def config(ink: str, faint: str) -> dict[str, Any]:
    """Look of every chart: `ink` for text and axes, `faint` for grid lines."""
    font = "system-ui, sans-serif"
    return {
        "background": "transparent",
        "font": font,
        "view": {"stroke": None},
        "axis": {
            "labelColor": ink, "titleColor": ink, "domainColor": faint, "tickColor": faint, "gridColor": faint,
            "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 220,
        },
        "legend": {
            "labelColor": ink, "titleColor": ink, "orient": "top", "labelFontSize": 12, "labelLimit": 320, "titleLimit": 320,
            "titleFontWeight": "normal",
        },
        "header": {"labelColor": ink, "titleColor": ink, "labelFontSize": 12},
        "range": {"category": ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"]},
    }  # fmt: skip


LIGHT = config("#1f2430", "#d6d9df")
DARK = config("#e6e8ee", "#444a57")


def script() -> str:
    """Vega, Vega-Lite and Vega-Embed in one piece of JavaScript, to be inlined: the page needs no network."""
    bundle: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub lacks the default
    return bundle.replace("</script", "<\\/script")


def export(figures: Figures, folder: Path, format: str) -> Iterator[Path]:
    """Write each drawn figure as `folder`/<name>.<format>, on white. Raises ErlangenError for a format it lacks."""
    if format not in FORMATS:
        raise ErlangenError(f"--figures {format}: choose {', '.join(FORMATS)}")
    for figure in figures.figures:
        if figure.spec is None:
            continue
        spec = {**figure.spec, "config": {**LIGHT, "background": "white"}, "title": figure.title}
        if spec.get("width") == "container":
            spec["width"] = PAPER_WIDTH
        path = folder / f"{figure.name}.{format}"
        convert = getattr(vl_convert, f"vegalite_to_{format}")
        picture = convert(spec, scale=2) if format == "png" else convert(spec)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture.encode() if isinstance(picture, str) else picture)
        except OSError as error:
            raise ErlangenError(f"cannot write {path}: {error.strerror}") from None
        yield path
