"""Tables as CSV, LaTeX and Markdown: those behind the figures of a run, and its verdicts, a row for each part of a claim."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from erlangen.errors import ErlangenError
from erlangen.records.files import Scalar, write_atomically
from erlangen.records.runs import Answer, Figure, Verdict
from erlangen.report.latex import in_latex
from erlangen.report.numbers import MINUS, cell
from erlangen.report.wording import needed, outcome

NOTHING = ("–", "")
ENDINGS = {"csv": "csv", "latex": "tex", "markdown": "md"}
SPREAD = re.compile(r"([-−]?\d+(?:\.\d+)?) ± (\d+(?:\.\d+)?)")  # mean and standard deviation in one cell

COLUMNS = 6  # more than fit beside one another on a page
SENTENCE = 50  # characters, beyond which a cell is set as a paragraph


def verdict_table(answers: Sequence[Answer], verdicts: Sequence[Verdict]) -> Figure:
    """Every part of every claim with the statement that it judges, the claim's answer first."""
    answered = {answer.claim: answer.answer for answer in answers}
    columns = ("claim", "answer", "part", "of", "outcome", "statement", "effect", "low", "high", "unit", "n", "holds if")
    rows = tuple(
        (
            verdict.claim, answered.get(verdict.claim), verdict.part, verdict.of, outcome(verdict), verdict.statement,
            verdict.effect, *(verdict.interval or (None, None)), verdict.unit, verdict.n, needed(verdict),
        )
        for verdict in verdicts
    )  # fmt: skip
    return Figure(name="verdicts", title="Verdicts", caption="One row for each part of a claim.", columns=columns, rows=rows)


def export_tables(tables: Sequence[Figure], folder: Path, format: str) -> Iterator[Path]:
    """Write each table as `folder`/<name>.<ending>. Raises ErlangenError for an unknown format."""
    if format not in ENDINGS:
        raise ErlangenError(f"--tables {format}: choose {', '.join(ENDINGS)}")
    for figure in tables:
        path = folder / f"{figure.name}.{ENDINGS[format]}"
        write_atomically(path, render_table(figure, format))
        yield path


def render_table(figure: Figure, format: str) -> str:
    """The table of a figure as text: CSV with numbers as they are, LaTeX for booktabs, or Markdown."""
    if format == "csv":
        return csv_table(figure.columns, figure.rows)
    return latex_table(figure) if format == "latex" else markdown_table(figure.columns, figure.rows)


def csv_table(columns: Sequence[str], rows: Sequence[Sequence[Scalar]]) -> str:
    """Numbers with all their digits; nothing where nothing was measured.

    A column of "mean ± standard deviation" becomes two columns of numbers, which a program can plot; the number of seeds behind
    them stands in a column of its own wherever a table has one.
    """
    whole = [split_spread(name, [row[place] for row in rows]) for place, name in enumerate(columns)]
    parts = [column for group in whole for column in group]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(zip(*([name, *entries] for name, entries in parts), strict=True))
    return text.getvalue()


def split_spread(name: str, entries: Sequence[Scalar]) -> list[tuple[str, list[Scalar]]]:
    """A column as it is, or as `NAME mean` and `NAME sd` if its entries are "88.9 ± 0.7" or nothing."""
    texts = ["" if entry is None or entry in NOTHING else str(entry) for entry in entries]
    found = [SPREAD.fullmatch(text) for text in texts]
    if not any(found) or any(text and not match for text, match in zip(texts, found, strict=True)):
        return [(name, ["" if entry == "–" else entry for entry in entries])]
    pairs = [(match[1].replace(MINUS, "-"), match[2]) if match else (None, None) for match in found]
    return [(f"{name} mean", [mean for mean, _ in pairs]), (f"{name} sd", [sd for _, sd in pairs])]


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Scalar]]) -> str:
    """Numbers flush right."""
    aligned = ["---:" if numeric(rows, column) else "---" for column in range(len(columns))]
    lines = [columns, aligned, *([cell(value) for value in row] for row in rows)]
    return "".join("| " + " | ".join(entry.replace("|", r"\|").replace("\n", " ") for entry in line) + " |\n" for line in lines)


def latex_table(figure: Figure) -> str:
    """A table environment with caption and label, scaled to the width of the text if it is wide; a comment says what to load."""
    aligned = "".join(alignment(figure.rows, column) for column in range(len(figure.columns)))
    wide = len(figure.columns) > COLUMNS or "p{" in aligned
    head, *lines = (" & ".join(in_latex(cell(entry)) for entry in line) + r" \\" for line in [figure.columns, *figure.rows])
    caption = in_latex(f"{figure.title}. {figure.caption}".replace("\n", " "))
    return "\n".join(
        [
            r"% Needs \usepackage{booktabs,graphicx}." if wide else r"% Needs \usepackage{booktabs}.",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\label{{tab:{figure.name}}}",
            *([r"\resizebox{\textwidth}{!}{%"] if wide else []),
            rf"\begin{{tabular}}{{{aligned}}}",
            r"\toprule",
            head,
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}" + ("}" if wide else ""),
            r"\end{table}",
            "",
        ]
    )


def alignment(rows: Sequence[Sequence[Scalar]], column: int) -> str:
    """The letter of a column: numbers to the right, text to the left, sentences as paragraphs."""
    longest = max((len(str(row[column])) for row in rows if row[column] is not None), default=0)
    return "r" if numeric(rows, column) else r"p{0.3\textwidth}" if longest > SENTENCE else "l"


def numeric(rows: Sequence[Sequence[Scalar]], column: int) -> bool:
    """Whether a column holds numbers, as such or as text without letters."""
    values = [str(row[column]) for row in rows if row[column] is not None]
    return bool(values) and all(any(map(str.isdigit, value)) and not re.search("[a-df-zA-Z]", value) for value in values)
