"""`erlangen verdicts` and `erlangen report`: answers first, every verdict with its statement, tables and figures as files."""

from __future__ import annotations

import shutil
from csv import DictReader
from pathlib import Path

import pytest
from support.command import erlangen

TOY = "support.toy"
TINY = ("--set", "rows=Net1/valid", "--set", "epochs=1", "--set", "train=20", "--set", "validation=20", "--set", "test=20")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the toy, and what it printed in `printed`."""
    folder = tmp_path_factory.mktemp("finished")
    out = erlangen("run", TOY, "--out", "run", cwd=folder, variables={"COLUMNS": "80"})
    (folder / "printed").write_text(out.stdout)
    return folder


@pytest.fixture
def here(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_the_answer_comes_first_and_every_part_has_its_statement(here: Path):
    printed = (here / "printed").read_text()
    assert printed.startswith("X1  supported  One and one was two in 2 sums.\n\n  Stated by the report:\n")
    assert "  ✓ supported     One and one is two.\n" in printed
    assert "sum: 0 counterexamples, 2 cases; supported if none\n" in printed
    assert printed.endswith("\nReport: run/report.html\n")
    assert erlangen("verdicts", "run", cwd=here, variables={"COLUMNS": "80"}).stdout in printed


def test_claims_and_tables_as_markdown(here: Path):
    before = sorted(path.name for path in (here / "run").iterdir())
    text = erlangen("report", "run", "--markdown", cwd=here).stdout
    assert text.startswith("## X1: One and one is two.\n\n**Supported.** One and one was two in 2 sums.\n")
    assert "| supported | One and one is two. (sum) | the report | 0 counterexamples, 2 cases | none |  |" in text
    assert "### Sums\n\nBy seed.\n\n| seed | sum |\n| ---: | ---: |\n| 0 | 2 |\n" in text
    assert text.startswith(erlangen("verdicts", "run", "--markdown", cwd=here).stdout)
    assert sorted(path.name for path in (here / "run").iterdir()) == before


def test_verdicts_as_csv(here: Path):
    out = erlangen("verdicts", "run", "--csv", "-", cwd=here)
    (row,) = DictReader(out.stdout.splitlines())
    assert (row["claim"], row["part"], row["of"], row["verdict"]) == ("X1", "sum", "report", "supported")
    assert row["statement"] == "One and one is two."
    assert erlangen("verdicts", "run", "--csv", "v.csv", cwd=here).stdout != out.stdout
    assert (here / "v.csv").read_text() == out.stdout


def test_tables_on_request(here: Path):
    for format, ending in {"csv": "csv", "latex": "tex", "markdown": "md"}.items():
        out = erlangen("report", "run", "--tables", format, cwd=here)
        paths = ["run/report.html", f"run/tables/verdicts.{ending}  Verdicts", f"run/tables/sums.{ending}  Sums"]
        assert out.stdout.splitlines() == paths
    tables = here / "run" / "tables"
    assert (tables / "sums.csv").read_text() == "seed,sum\n0,2.0\n1,3.0\n"
    assert r"\toprule" in (tables / "sums.tex").read_text()
    assert "| X1 | supported | sum |" in (tables / "verdicts.md").read_text()
    out = erlangen("report", "run", "--tables", "xls", cwd=here)
    assert (out.returncode, out.stdout, out.stderr) == (2, "", "erlangen: --tables xls: choose csv, latex, markdown\n")


def test_figures_on_request(tmp_path: Path):
    erlangen("run", "padding", *TINY, "--seeds", "1", "--out", "run", cwd=tmp_path)
    for format, magic in (("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        out = erlangen("report", "run", "--figures", format, cwd=tmp_path)
        paths = [tmp_path / line for line in out.stdout.splitlines()[1:]]
        assert {path.stem for path in paths} >= {"seeds", "samples", "flips"}
        assert all(path.read_bytes().startswith(magic) for path in paths)
    assert erlangen("report", "run", "--figures", "bmp", cwd=tmp_path).returncode == 2
