"""One self-contained page for a run folder: opens from disk, needs no network."""

from __future__ import annotations

import json
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from erlangen.records.files import Scalar, write_atomically
from erlangen.records.runs import Figure, Verdict
from erlangen.report import charts
from erlangen.report.folder import read_answers, read_figures, read_run, read_verdicts

MARKS = {"supported": "✓", "refuted": "✗", "inconclusive": "?", "not measured": "–"}


def write_page(folder: Path) -> Path:
    """Render report.html from run.json, verdicts.json and figures.json."""
    path = folder / "report.html"
    write_atomically(path, render(folder))
    return path


def render(folder: Path) -> str:
    """The page as text."""
    shown, run, verdicts = read_figures(folder), read_run(folder), read_verdicts(folder)
    counts = {outcome: sum(verdict.verdict == outcome for verdict in verdicts) for outcome in MARKS}
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            question=shown.question,
            figures=shown.figures,
            answers=read_answers(folder),
            verdicts=verdicts,
            counts={outcome: count for outcome, count in counts.items() if count},
            marks=MARKS,
            vega=Markup(charts.script()),
            specs={figure.name: figure.spec for figure in shown.figures if figure.spec is not None},
            light=charts.LIGHT,
            dark=charts.DARK,
            has_numbers=has_numbers,
        )
    )


def environment() -> Environment:
    """Templates that escape whatever they are given, with the filters that every page uses."""
    made = Environment(
        loader=PackageLoader("erlangen.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(number=number, interval=interval, cell=cell, inline_json=inline_json)
    return made


def number(value: float | None) -> str:
    """Four significant digits, no trailing zeros; an en dash where nothing was measured."""
    return "–" if value is None else f"{value:.4g}".replace("-", "−")


def interval(verdict: Verdict) -> str:
    """'−1.5 to 2'; '' where there is none or its ends are unknown."""
    if verdict.interval is None or None in verdict.interval:
        return ""
    return " to ".join(number(end) for end in verdict.interval)


def cell(value: Scalar) -> str:
    """A table's entry; numbers given as text keep their digits, with a real minus sign."""
    if isinstance(value, float):
        return number(value)
    text = "–" if value is None else str(value)
    return text.replace("-", "−") if text[:1] in "+-" and text[1:2].isdigit() else text


def has_numbers(figure: Figure, column: int) -> bool:
    """Whether a column is set flush right."""
    return all(isinstance(row[column], (int, float)) or str(row[column])[:1] in "+-−0123456789" for row in figure.rows)


def inline_json(data: object) -> Markup:
    """JSON inside a script element: no `<` survives, so nothing can end the element early."""
    return Markup(json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c"))
