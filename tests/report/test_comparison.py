"""Two runs side by side: what changed is listed, what did not is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.command import erlangen

from erlangen.errors import ErlangenError
from erlangen.records.runs import Answer, Figure, Figures, Run, Verdict
from erlangen.report.comparison import Change, compare, row_names
from erlangen.sweep.store import Store

RUN = Run(experiment="toy", preset="quick", recipe={"edge": 2.0}, precision="float32", device="cpu", workers=1, jobs=())
VERDICT = Verdict(
    claim="X1", part="sum", of="report", kind="statistical", statement="s", verdict="supported", effect=6.0, interval=(4.0, 8.0),
    region=(2.0, None), unit="points", n=5,
)  # fmt: skip
ANSWER = Answer(claim="X1", answer="supported", sentence="It is so.")
TABLE = Figure(name="table", title="Accuracy", caption="", columns=("net", "test"), rows=(("a", 81.0), ("b", 70.0)))


def finished(folder: Path, verdict: Verdict = VERDICT, table: Figure = TABLE, run: Run = RUN) -> Path:
    store = Store(folder)
    store.open(run).close()
    same = replace(VERDICT, part="other")
    store.conclude([verdict, same], [replace(ANSWER, answer=verdict.verdict)], Figures(question="?", figures=(table,)))
    return folder


def test_verdicts_and_tables_are_compared_value_by_value(tmp_path: Path) -> None:
    changed = replace(VERDICT, verdict="refuted", effect=1.0, interval=(0.5, 1.5))
    table = replace(TABLE, rows=(("a", 80.0), ("c", 70.0)))
    found = compare(finished(tmp_path / "a"), finished(tmp_path / "b", changed, table))
    assert found.changes == (
        Change("X1", "answer", "outcome", "supported", "refuted"),
        Change("X1", "sum", "outcome", "supported", "refuted"),
        Change("X1", "sum", "effect", "6 [4 to 8] points, n = 5", "1 [0.5 to 1.5] points, n = 5"),
        Change("Accuracy", "a", "test", "81", "80"),
        Change("Accuracy", "b", "net", "b", None),
        Change("Accuracy", "b", "test", "70", None),
        Change("Accuracy", "c", "net", None, "c"),
        Change("Accuracy", "c", "test", None, "70"),
    )
    assert found.same == 1
    assert compare(tmp_path / "a", tmp_path / "a").changes == ()


def test_rows_are_named_by_as_few_columns_as_tell_them_apart() -> None:
    assert row_names([("a", 1, 5), ("a", 2, 5)]) == ["a, 1", "a, 2"]
    assert row_names([("a", 1), ("b", 1)]) == ["a", "b"]
    assert row_names([]) == []


def test_runs_of_two_experiments_are_not_compared(tmp_path: Path) -> None:
    with pytest.raises(ErlangenError, match="compare two runs of one experiment"):
        compare(finished(tmp_path / "a"), finished(tmp_path / "b", run=replace(RUN, experiment="padding")))


def test_the_command_prints_text_csv_and_markdown(tmp_path: Path) -> None:
    edge = replace(VERDICT, region=(7.0, None), verdict="inconclusive")
    finished(tmp_path / "a")
    finished(tmp_path / "b", edge, run=replace(RUN, recipe={"edge": 7.0}))
    out = erlangen("compare", "a", "b", cwd=tmp_path).stdout
    assert out.startswith("Recipe: edge was 2.0, now 7.0.\n")
    assert "X1  sum\n    outcome: supported → inconclusive\n    region: > 2 → > 7\n" in out
    assert out.endswith("Unchanged parts and rows: 3.\n")
    assert "X1,sum,region,> 2,> 7\n" in erlangen("compare", "a", "b", "--csv", "-", cwd=tmp_path).stdout
    assert "| X1 | sum | region | > 2 | > 7 |\n" in erlangen("compare", "a", "b", "--markdown", cwd=tmp_path).stdout
    assert erlangen("compare", "a", "nowhere", cwd=tmp_path).returncode == 2
