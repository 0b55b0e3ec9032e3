"""Claims of the user's own experiments are found in the working directory by their ids, without running anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import erlangen
from support.own import write_experiment

from erlangen.cli import targets
from erlangen.cli.own_claims import claim_ids, own_claims, own_experiments, own_judges
from erlangen.errors import ErlangenError

WIDE = {"init": ('id="N1"', 'id="WIDE"'), "judge": ('"N1"', '"WIDE"')}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_id_of_an_own_claim_runs_its_experiment_and_shows_it(tmp_path: Path):
    write_experiment(tmp_path, "wide_nets", **WIDE)
    for path in (tmp_path / "wide_nets").glob("judge.py"):
        path.write_text(path.read_text().replace('"N1"', '"WIDE"'))
    out = erlangen("run", "WIDE", "--json", "-", cwd=tmp_path)
    assert out.returncode == 0, out.stderr
    assert json.loads(out.stdout)[0]["claim"] == "WIDE"
    assert (tmp_path / "runs" / "wide_nets-quick" / "report.html").exists()
    assert "supported" in erlangen("show", "wide", cwd=tmp_path).stdout


def test_what_is_found_and_what_is_not(folder: Path):
    write_experiment(folder, "wide_nets", **WIDE)
    write_experiment(folder, "one_number")
    write_experiment(folder, "broken", init=("TITLE", "TITLE TITLE"))
    (folder / "data").mkdir()
    (folder / "notes.txt").touch()
    assert own_experiments() == {"broken": [], "one_number": ["N1"], "wide_nets": ["WIDE"]}
    assert own_claims() == ["N1", "WIDE"]
    assert own_judges("wide") == ["wide_nets"]
    assert targets.experiments_named(["wide", "N1", "C4"]) == ["wide_nets", "one_number", "padding"]
    assert targets.complete("WI") == ["wide_nets", "WIDE"]


def test_an_id_is_read_as_it_is_written_down(tmp_path: Path):
    file = tmp_path / "__init__.py"
    file.write_text("A, B = Claim(id='A1'), kit.Claim(statement='s', id='B1')\nC = Claim(id=name)\nD = Other(id='D1')\n")
    assert claim_ids(file) == ["A1", "B1"]
    assert claim_ids(tmp_path / "absent.py") == []


def test_nothing_of_theirs_runs_to_find_a_claim(folder: Path):
    write_experiment(folder, "one_number", init=("TITLE =", "raise SystemExit(9)\nTITLE ="))
    assert own_judges("N1") == ["one_number"]
    with pytest.raises(ErlangenError, match="no experiment or claim 'N2'; the experiments in this directory are one_number"):
        targets.experiments_named(["N2"])


def test_a_word_that_stands_for_nothing_names_what_there_is(folder: Path):
    with pytest.raises(ErlangenError, match="there is no experiment 'QQQQ'"):
        targets.experiments_named(["QQQQ"])
    write_experiment(folder, "one_number")
    with pytest.raises(ErlangenError, match="no experiment or claim 'QQQQ'; the experiments in this directory are one_number"):
        targets.experiments_named(["QQQQ"])


def test_an_own_experiment_never_stands_in_for_ours(folder: Path):
    """`run C4` runs no code of the directory that it happens to be typed in."""
    write_experiment(folder, "other", init=('id="N1"', 'id="C4"'))
    assert targets.experiments_named(["C4"]) == ["padding"]


def test_a_directory_that_is_gone_has_no_experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert own_experiments() == {}
