"""An experiment of the user's own on the command line: a bug in it is theirs, and is shown with its traceback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.command import TESTS, erlangen

TOY = "support.toy"


def broken_lab(folder: Path, file: str, function: str) -> str:
    """The toy as the user's `my_lab`, with a bug at the top of a function."""
    shutil.copytree(TESTS / "support" / "toy", folder / "my_lab", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder / "my_lab").glob("*.py"):
        path.write_text(path.read_text().replace(TOY, "my_lab"))
    lines = (folder / "my_lab" / file).read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(function))
    lines.insert(at + 1, "    1 / 0")
    (folder / "my_lab" / file).write_text("\n".join(lines) + "\n")
    return "my_lab"


@pytest.mark.parametrize(
    ("file", "function"),
    [("judge.py", "def verdicts"), ("judge.py", "def answers"), ("figures.py", "def figures"), ("__init__.py", "def jobs")],
)
def test_a_bug_in_the_users_experiment_is_code_4_with_its_traceback(file: str, function: str, tmp_path: Path):
    out = erlangen("run", broken_lab(tmp_path, file, function), cwd=tmp_path)
    assert out.returncode == 4
    assert f"erlangen: my_lab/{file}, line" in out.stderr
    assert "ZeroDivisionError: division by zero" in out.stderr
    assert "    1 / 0\n" in out.stderr
    assert "internal error" not in out.stderr
    assert "site-packages" not in out.stderr
    assert "erlangen/sweep" not in out.stderr, "the traceback begins with the user's code"


def test_a_package_that_cannot_be_imported_is_code_4(tmp_path: Path):
    (tmp_path / "my_lab").mkdir()
    (tmp_path / "my_lab" / "__init__.py").write_text("import no_such_package\n")
    for command in ("run", "show"):
        out = erlangen(command, "my_lab", cwd=tmp_path)
        assert out.returncode == 4
        assert out.stderr.endswith("my_lab/__init__.py, line 1: ModuleNotFoundError: No module named 'no_such_package'\n")
        assert "internal error" not in out.stderr


def test_several_experiments_of_which_one_fails(tmp_path: Path):
    """The others run all the same, and what went wrong decides the exit code."""
    lab = broken_lab(tmp_path, "judge.py", "def verdicts(recipe")
    out = erlangen("run", lab, "G1", "--seeds", "2", "--json", "all.json", cwd=tmp_path)
    assert out.returncode == 4
    assert "erlangen: my_lab: my_lab/judge.py, line" in out.stderr
    assert "G1  partly" in out.stdout
    assert {entry["claim"] for entry in json.loads((tmp_path / "all.json").read_text())} == {"G1", "G2"}
