"""Tables as CSV, LaTeX and Markdown, and a run as Markdown."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import pytest

from erlangen.errors import ErlangenError
from erlangen.records.runs import Answer, Figure, Verdict
from erlangen.report.tables import export_tables, in_latex, render_table, verdict_table

TABLE = Figure(
    name="accuracy",
    title="Accuracy",
    caption="Percent, 10 seeds.",
    columns=("net", "test", "published"),
    rows=(("Net1 | valid", 0.09, None), ("Net2, “a_b” & 5 %", -89.123456789, "88.9 ± 0.7")),
)


def test_csv_keeps_every_digit():
    rows = list(csv.reader(render_table(TABLE, "csv").splitlines()))
    assert rows == [["net", "test", "published"], ["Net1 | valid", "0.09", ""], [TABLE.rows[1][0], "-89.123456789", "88.9 ± 0.7"]]


def test_markdown_escapes_bars_and_sets_numbers_flush_right():
    assert render_table(TABLE, "markdown") == (
        "| net | test | published |\n"
        "| --- | ---: | ---: |\n"
        "| Net1 \\| valid | 0.09 | – |\n"
        "| Net2, “a_b” & 5 % | −89.12 | 88.9 ± 0.7 |\n"
    )


def test_latex_escapes_its_special_characters():
    text = render_table(TABLE, "latex")
    assert r"Net1 | valid & 0.09 & -- \\" in text
    assert r"a\_b” \& 5 \% & $-$89.12 & 88.9 $\pm$ 0.7 \\" in text
    assert r"\begin{tabular}{lrr}" in text
    assert in_latex("~^\\{}$#") == r"\textasciitilde{}\textasciicircum{}\textbackslash{}\{\}\$\#"
    assert in_latex("Aⁿ ≤ σ²") == r"A$^n$ $\leq$ $\sigma$$^2$"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles(tmp_path: Path):
    body = render_table(TABLE, "latex")
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" + body + "\\end{document}\n", encoding="utf-8"
    )
    subprocess.run(["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, check=True, capture_output=True)


def test_one_file_per_table(tmp_path: Path):
    paths = list(export_tables([TABLE], tmp_path / "tables", "latex"))
    assert paths == [tmp_path / "tables" / "accuracy.tex"]
    assert paths[0].read_text(encoding="utf-8") == render_table(TABLE, "latex")
    with pytest.raises(ErlangenError, match="--tables pdf: choose csv, latex, markdown"):
        list(export_tables([TABLE], tmp_path, "pdf"))


def test_the_table_of_verdicts_shows_every_statement():
    part = Verdict(
        claim="C5", part="order", of="extension", kind="exact", statement="It rises.", verdict="refuted", effect=2.0,
        interval=(2.0, 2.0), region=(0.0, 0.0), n=5,
    )  # fmt: skip
    table = verdict_table([Answer(claim="C5", answer="partly", sentence="It depends.")], [part])
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["claim"], row["answer"], row["outcome"], row["statement"]) == ("C5", "partly", "does not hold", "It rises.")
    assert (row["effect"], row["n"], row["holds if"]) == (2.0, 5, "none")
