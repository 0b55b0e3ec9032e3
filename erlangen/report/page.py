"""One self-contained page for a run folder: it opens from disk and needs no network. Answers and verdicts come first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from erlangen.records.files import write_atomically
from erlangen.records.runs import Answer, Claim, Figure, Run, Verdict
from erlangen.report import charts
from erlangen.report.citation import citation, report_words
from erlangen.report.folder import read_answers, read_figures, read_run, read_verdicts
from erlangen.report.interval_plot import interval_plot
from erlangen.report.numbers import cell, interval, measured, number
from erlangen.report.wording import (
    BEYOND,
    MARKS,
    STATED,
    answered,
    authors,
    condition,
    counts,
    mark,
    outcome,
    sentence,
    simultaneous,
    word,
)

ANSWERS = {**MARKS, "partly": "±", BEYOND: "≠"}


@dataclass(frozen=True)
class Judged:
    """A claim with its answer, the parts that somebody stated, ours beside them, and the figure that shows the answer."""

    claim: Claim
    answer: Answer
    stated: tuple[Verdict, ...]
    beside: tuple[Verdict, ...]
    figure: Figure | None
    citation: str = ""

    @property
    def quoted(self) -> str:
        """The report's own words."""
        return report_words(self.claim.id, [*self.stated, *self.beside])

    @property
    def intervals(self) -> str:
        """At which level the intervals of its parts hold."""
        return simultaneous([*self.stated, *self.beside])


def write_page(folder: Path) -> Path:
    """Render report.html from run.json, verdicts.json, answers.json and figures.json."""
    path = folder / "report.html"
    write_atomically(path, render(folder))
    return path


def render(folder: Path) -> str:
    """The page as text."""
    shown, run, verdicts = read_figures(folder), read_run(folder), read_verdicts(folder)
    judged = by_claim(run, read_answers(folder), verdicts, shown.figures)
    placed = {entry.figure.name for entry in judged if entry.figure is not None}
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            question=shown.question,
            judged=judged,
            figures=[figure for figure in shown.figures if figure.name not in placed],
            counts=counts(verdicts),
            authors=authors(verdicts),
            marks=ANSWERS,
            vega=Markup(charts.script()),
            specs={figure.name: figure.spec for figure in shown.figures if figure.spec is not None},
            light=charts.LIGHT,
            dark=charts.DARK,
            has_numbers=has_numbers,
        )
    )


def by_claim(run: Run, answers: Sequence[Answer], verdicts: Sequence[Verdict], figures: Sequence[Figure]) -> list[Judged]:
    """The claims that the run judged, or says that it did not measure; each figure goes with the first answer that names it."""
    named = {figure.name: figure for figure in figures}
    by_id = {answer.claim: answer for answer in answers}
    judged = []
    for claim in run.claims:
        parts = [verdict for verdict in verdicts if verdict.claim == claim.id]
        if claim.id not in by_id:
            continue
        answer = by_id[claim.id]
        if not parts:
            judged.append(Judged(claim, answer, (), (), None))
            continue
        stated = tuple(verdict for verdict in parts if verdict.of in STATED)
        beside = tuple(verdict for verdict in parts if verdict.of not in STATED)
        judged.append(Judged(claim, answer, stated, beside, named.pop(answer.figure, None), citation(run, answer)))
    return judged


def environment() -> Environment:
    """Templates that escape whatever they are given, with the filters that every page uses."""
    made = Environment(
        loader=PackageLoader("erlangen.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(
        number=number, interval=interval, measured=measured, interval_plot=interval_plot, cell=cell, condition=condition,
        inline_json=inline_json, mark=mark, outcome=outcome, sentence=sentence, word=word, answered=answered,
    )  # fmt: skip
    return made


def has_numbers(figure: Figure, column: int) -> bool:
    """Whether a column is set flush right."""
    return all(isinstance(row[column], (int, float)) or str(row[column])[:1] in "+-−0123456789" for row in figure.rows)


def inline_json(data: object) -> Markup:
    """JSON inside a script element: no `<` survives, so nothing can end the element early."""
    return Markup(json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c"))
