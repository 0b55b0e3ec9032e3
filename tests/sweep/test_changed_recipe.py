"""A changed recipe: a folder of its own, results that are not computed twice, verdicts that are replaced only with a word."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import pytest
from support.own import write_experiment

import erlangen
from erlangen.cli.terminal import report_error
from erlangen.errors import ErlangenError, UserCodeError
from erlangen.sweep.differences import folder_name
from erlangen.sweep.local import compute

EDGE = ("seeds: int = 1", "seeds: int = 1\n    edge: float = 2.0\n    steps: int = 1")
STEPS = ("class Measure:\n    pass", "class Measure:\n    steps: int")


@pytest.fixture
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An experiment whose recipe has an edge that no job knows; jobs run here, since starting a worker takes seconds."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(tmp_path))])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("erlangen.sweep.local.execute", lambda jobs, workers, timeout: (compute(job) for job in jobs))
    package = f"own_{zlib.crc32(request.node.nodeid.encode())}"
    home = write_experiment(tmp_path, package, init=EDGE, tasks=STEPS)
    file = home / "__init__.py"
    file.write_text(file.read_text().replace("job(Measure(), ", "job(Measure(steps=recipe.steps), "))
    return package


def test_a_changed_recipe_has_a_folder_of_its_own_and_computes_nothing_twice(name: str) -> None:
    lines: list[str] = []
    plain = erlangen.run(name)
    changed = erlangen.run(name, settings={"edge": -15}, notify=lines.append)
    assert (plain.folder, changed.folder) == (Path(f"runs/{name}-quick"), Path(f"runs/{name}-quick-edge-minus15"))
    assert f"{name}: results of 1 job copied from runs/{name}-quick" in lines
    assert any("all 1 jobs found" in line for line in lines)
    assert (plain.run.changed, changed.run.changed) == ({}, {"edge": -15.0})
    assert erlangen.run(name, settings={"edge": 2.0, "seeds": 2}).folder == plain.folder, "nothing but seeds has changed"
    assert erlangen.load(plain.folder).run.recipe["edge"] == 2.0


def test_fresh_copies_nothing(name: str) -> None:
    lines: list[str] = []
    erlangen.run(name)
    erlangen.run(name, settings={"edge": 3}, fresh=True, notify=lines.append)
    assert not any("copied" in line for line in lines)
    assert any("running 1 jobs" in line for line in lines)


def test_another_edge_in_one_folder_says_what_changes_and_another_job_is_refused(name: str) -> None:
    lines: list[str] = []
    erlangen.run(name, out="mine")
    erlangen.run(name, out="mine", settings={"edge": 5}, notify=lines.append)
    assert "mine: the same results are judged again, by a changed recipe (edge was 2.0, now 5.0)" in lines
    with pytest.raises(ErlangenError, match="another recipe"):
        erlangen.run(name, out="mine", settings={"edge": 5, "steps": 2})


def test_a_folders_name_tells_changes_apart() -> None:
    names = [
        folder_name("padding", "quick", changed)
        for changed in ({}, {"rows": ("Net1/valid",)}, {"edge": 15.0}, {"edge": -15.0}, {"epochs": 5, "fit": 80.5})
    ]
    assert names[:2] == ["padding-quick", "padding-quick-rows-Net1-valid"]
    assert names[2:] == ["padding-quick-edge-15", "padding-quick-edge-minus15", "padding-quick-epochs-5-fit-80.5"]
    long = [folder_name("padding", "quick", {"rows": ("Net1/valid", "Net1/sconv", "Net1/fconv", end)}) for end in ("a", "b")]
    assert all(name.startswith("padding-quick-rows-") and len(name) < 60 for name in long)
    assert long[0] != long[1]


def test_a_part_that_its_claim_does_not_declare_is_named_with_a_suggestion(name: str) -> None:
    judge = Path(name) / "judge.py"
    judge.write_text(judge.read_text().replace('part="number"', 'part="numbr"'))
    with pytest.raises(UserCodeError, match=r"judge\.py, line \d+.*names the part 'numbr', .*did you mean 'number'\?"):
        erlangen.run(name)
    init = Path(name) / "__init__.py"
    init.write_text(init.read_text().replace('parts={"number": "the number"}', "parts={}"))
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]
    assert erlangen.run(name).verdicts[0].part == "numbr"


def test_a_traceback_shows_the_users_lines_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    judge = Path(name) / "judge.py"
    judge.write_text(judge.read_text().replace('result.value("number")', 'result.value("nubmer")'))
    with pytest.raises(UserCodeError) as caught:
        erlangen.run(name)
    report_error(caught.value)
    text = capsys.readouterr().err
    assert text.splitlines()[-1].endswith("no job measured 'nubmer'; did you mean 'number'?")
    files = [line for line in text.splitlines() if line.startswith("  File ")]
    assert files, text
    assert all(f"{name}/judge.py" in line for line in files), text
