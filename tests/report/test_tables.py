"""Tables as CSV, LaTeX and Markdown, and a run as Markdown."""

from __future__ import annotations

import csv
import re
import shutil
import string
import subprocess
import unicodedata
from pathlib import Path

import pytest

import erlangen
from erlangen.errors import ErlangenError
from erlangen.records.runs import Answer, Figure, Verdict
from erlangen.report.latex import in_latex
from erlangen.report.tables import csv_table, export_tables, render_table, verdict_table

TABLE = Figure(
    name="accuracy",
    title="Accuracy",
    caption="Percent, 10 seeds.",
    columns=("net", "test", "published"),
    rows=(("Net1 | valid", 0.09, None), ("Net2, “a_b” & 5 %", -89.123456789, "88.9 ± 0.7")),
)


def test_csv_keeps_every_digit():
    rows = list(csv.reader(render_table(TABLE, "csv").splitlines()))
    assert rows[0] == ["net", "test", "published mean", "published sd"]
    assert rows[1] == ["Net1 | valid", "0.09", "", ""]
    assert rows[2] == [TABLE.rows[1][0], "-89.123456789", "88.9", "0.7"]


def test_csv_has_numbers_where_a_table_has_means_with_their_deviations():
    """So that a program can plot them; a column that is anything else as well stays text."""
    rows = (("a", "100.0 ± 0.0", "–", "1 ± 2", 3), ("b", "−1.5 ± 0.25", "88.9 ± 0.7", "about 1 ± 2", 3))
    text = csv_table(("net", "test", "published", "other", "seeds"), rows)
    assert list(csv.reader(text.splitlines())) == [
        ["net", "test mean", "test sd", "published mean", "published sd", "other", "seeds"],
        ["a", "100.0", "0.0", "", "", "1 ± 2", "3"],
        ["b", "-1.5", "0.25", "88.9", "0.7", "about 1 ± 2", "3"],
    ]
    assert csv_table(("a", "b"), ()) == "a,b\n"
    assert csv_table(("a",), (("–",), (None,))) == 'a\n""\n""\n'


def test_markdown_escapes_bars_and_sets_numbers_flush_right():
    assert render_table(TABLE, "markdown") == (
        "| net | test | published |\n"
        "| --- | ---: | ---: |\n"
        "| Net1 \\| valid | 0.09 | – |\n"
        "| Net2, “a_b” & 5 % | −89.12 | 88.9 ± 0.7 |\n"
    )


def test_latex_escapes_its_special_characters():
    text = render_table(TABLE, "latex")
    assert r"Net1 \textbar{} valid & 0.09 & -- \\" in text
    assert r"a\_b'' \& 5 \% & $-$89.12 & 88.9 $\pm$ 0.7 \\" in text
    assert r"\begin{tabular}{lrr}" in text
    assert text.index(r"\begin{table}") < text.index(r"\caption{") < text.index(r"\label{tab:accuracy}")
    assert text.endswith("\\end{tabular}\n\\end{table}\n")
    assert in_latex("~^\\{}$#") == r"\textasciitilde{}\textasciicircum{}\textbackslash{}\{\}\$\#"
    assert in_latex("Aⁿ ≤ σ²") == r"A${}^{n}$ $\leq$ $\sigma{}^{2}$"
    assert in_latex("⌊x/2⌋ 10⁻¹ x₀") == r"$\lfloor$x/2$\rfloor$ 10${}^{-}{}^{1}$ x${}_{0}$"
    assert in_latex("5 $−1 Χ Ω ο é") == r"5 \$$-$1 X $\Omega$ o é"
    assert in_latex("🦊 ␣ ½ ⅸ") == "[U+1F98A] [U+2423] [U+00BD] ix"


def characters_of_the_package() -> str:
    """Whatever stands in the texts of the package, and so may stand in a table."""
    package = Path(erlangen.__file__).parent
    return "".join(sorted(set("".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py")))))


@pytest.mark.parametrize("text", [characters_of_the_package(), "".join(map(chr, range(32, 0x3000)))], ids=["package", "unicode"])
def test_latex_gets_nothing_that_its_default_fonts_lack(text: str):
    """ASCII, letters with a common accent, and commands that LaTeX has without a package; formulas are closed."""
    written = in_latex(text)
    left = {sign for sign in written if not sign.isascii()}
    bases = {unicodedata.normalize("NFD", sign)[0] for sign in left - set("ßæœøåÆŒØÅłŁ")}
    assert all(sign.isalpha() for sign in left)
    assert bases <= set(string.ascii_letters)
    assert set(re.findall(r"\\([A-Za-z]+)", written)) <= set(COMMANDS.split())
    assert len(re.findall(r"(?<!\\)\$", written)) % 2 == 0


COMMANDS = """
    textbackslash textasciitilde textasciicircum textbar ldots cdot pm times div leq geq neq approx equiv propto to
    leftarrow leftrightarrow Rightarrow surd infty lfloor rfloor lceil rceil langle rangle sum prod int partial nabla in
    notin subset subseteq cup cap emptyset forall exists neg circ odot otimes oplus ast sim ell bullet mathbf alpha beta
    gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma varsigma tau upsilon phi
    varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
"""  # of LaTeX itself, without a package


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
