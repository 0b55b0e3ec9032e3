"""Slips in a judge of the user's are blamed on the judge, with the name that is wrong; jobs that failed name their files."""

from __future__ import annotations

import re
import sys
import zlib
from pathlib import Path

import pytest
from support.own import write_experiment

import erlangen
from erlangen.errors import UserCodeError
from erlangen.experiments.kit.compare import AGAIN
from erlangen.records.runs import Verdict
from erlangen.sweep.conclude import pointed
from erlangen.sweep.local import compute


@pytest.fixture
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package name of its own for every test, in an empty working directory; jobs run without workers."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(tmp_path))])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("erlangen.sweep.local.execute", lambda jobs, workers, timeout: (compute(job) for job in jobs))
    return f"own_{zlib.crc32(request.node.nodeid.encode())}"


FIGURE = (
    "from erlangen.records import Figure\n    return [Figure(name={!r}, title='t', caption='c', columns=('a',), rows=((1,),)){}]"
)
ARM = "    from erlangen.experiments.kit import Part, at_least, difference, mean\n    arm = evidence.arm(Measure)\n"
# A file, what is changed in it, the line that is at fault, and the error.
SLIPS = {
    "a mistyped measurement": (
        "judge",
        ('result.value("number")', 'result.value("nubmer")'),
        "nubmer",
        "ValueError: no job measured 'nubmer'; did you mean 'number'?",
    ),
    "a mistyped tuple of measurements": (
        "judge",
        ('result.value("number")', '(*result.values("losses"), 2.0)[0]'),
        "losses",
        "ValueError: no job measured 'losses'; they measured number",
    ),
    "a mistyped measurement of an arm": (
        "judge",
        ("    return decide([part])", ARM + "    mean(arm, 'nubmer')\n    return decide([part])"),
        "mean(arm",
        "ValueError: no job measured 'nubmer'; did you mean 'number'?",
    ),
    "a mistyped measurement in answers": (
        "judge",
        ('    return [answer("N1"', '    evidence.arm(Measure).below("fitt", 2)\n    return [answer("N1"'),
        "fitt",
        "ValueError: no job measured 'fitt'; they measured number",
    ),
    "a mistyped field": (
        "judge",
        ("evidence.of(Measure)", "evidence.of(Measure, widht=3)"),
        "widht",
        "ValueError: Measure has no field 'widht'; its fields are none",
    ),
    "whose sentence": (
        "judge",
        ('of="report"', 'of="ours"'),
        "part = Exact",
        "ValueError: part N1 number: of must be one of report, rival, claim, extension, control, not 'ours'",
    ),
    "whose sentence, in a verdict": (
        "judge",
        ("    return decide([part])", "    from dataclasses import replace\n    return [replace(decide([part])[0], of='ours')]"),
        "def verdicts",
        "ValueError: a Verdict that verdicts returns: of: Input should be 'report'",
    ),
    "one part twice, decided apart": (
        "judge",
        ("decide([part])", "decide([part]) + decide([part])"),
        "def verdicts",
        "ValueError: two parts are called N1 number",
    ),
    "an unknown claim": (
        "judge",
        ('claim="N1"', 'claim="N11"'),
        "def verdicts",
        "ValueError: verdicts names the claim 'N11', which does not exist; did you mean 'N1'?",
    ),
    "an answer to an unknown claim": (
        "judge",
        ('answer("N1"', 'answer("XY"'),
        "def answers",
        "ValueError: answers names the claim 'XY', which does not exist; there are N1",
    ),
    "an unknown figure": (
        "judge",
        ('"It is two.")', '"It is two.", figure="nubmers")'),
        "def answers",
        "ValueError: answers names the figure 'nubmers', which does not exist; there are none",
    ),
    "two figures of one name": (
        "figures",
        ("return []", FIGURE.format("f", "") + " * 2"),
        "def figures",
        "ValueError: two figures are called f",
    ),
    "a figure of another type": (
        "figures",
        ("return []", FIGURE.format("f", "").replace("'t'", "7")),
        "def figures",
        "ValueError: a Figure that figures returns: title: Input should be a valid string",
    ),
}


MORE_SLIPS = {
    "a claim of another type": (
        "init",
        ('parts={"number": "the number"}', 'parts=["number"]'),
        "ValueError: claim N1: parts: Input",
    ),
    "two claims of one name": ("init", ('the number"}),)', 'the number"}),) * 2'), "ValueError: two claims are called N1"),
    "text for a claim": ("init", ("CLAIMS = (", "CLAIMS = ('N1', "), "ValueError: CLAIMS has a str where a Claim belongs"),
    "a parameter without a key": ("tasks", ("    pass", "    a: object = object"), "TypeError: Object of type type is not JSON"),
}


@pytest.mark.parametrize("what", MORE_SLIPS)
def test_a_slip_in_claims_or_tasks_is_theirs_before_anything_is_computed(what: str, name: str, tmp_path: Path) -> None:
    file, change, words = MORE_SLIPS[what]
    write_experiment(tmp_path, name, **{file: change})
    with pytest.raises(UserCodeError, match=words):
        erlangen.run(name, workers=1)
    assert not list(tmp_path.glob("runs/*/jobs/*"))


def test_a_unit_that_is_no_text_is_a_failed_job_with_its_reason(name: str, tmp_path: Path) -> None:
    """Not a file that cannot be read, computed anew in every run."""
    write_experiment(tmp_path, name, run=("2.0)", "2.0, 5)"))
    (failed,) = erlangen.run(name, workers=1).failed
    assert failed.reason == "its run() gives a measurement named 'number' in 5: name and unit are text"


@pytest.mark.parametrize("what", SLIPS)
def test_a_slip_is_blamed_on_the_file_that_made_it(what: str, name: str, tmp_path: Path) -> None:
    file, change, at_fault, words = SLIPS[what]
    path = write_experiment(tmp_path, name, **{file: change}) / f"{file}.py"
    line = next(k for k, text in enumerate(path.read_text().splitlines(), 1) if at_fault in text)
    with pytest.raises(UserCodeError) as caught:
        erlangen.run(name, workers=1)
    assert str(caught.value).startswith(f"{name}/{file}.py, line {line}: {words}")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("runs/*/verdicts.json")), "what cannot be read is not written"


def test_a_figure_that_exists_is_found(name: str, tmp_path: Path) -> None:
    change = {
        "figures": ("return []", FIGURE.format("numbers", "")),
        "judge": ('"It is two.")', '"It is two.", figure="numbers")'),
    }
    write_experiment(tmp_path, name, **change)
    assert erlangen.run(name, workers=1).answers[0].figure == "numbers"


def test_a_figure_may_be_left_out_where_numbers_are_lacking(name: str, tmp_path: Path) -> None:
    change = {"run": ("2.0)", "float('nan'))"), "judge": ('"It is two.")', '"It is two.", figure="numbers")')}
    write_experiment(tmp_path, name, **change)
    assert erlangen.run(name, workers=1).answers[0].claim == "N1"


def test_names_are_not_checked_where_the_jobs_that_have_them_failed(name: str, tmp_path: Path) -> None:
    write_experiment(
        tmp_path, name, run=("    return [Meas", "    1 / 0\n    return [Meas"), judge=('value("number")', 'value("x")')
    )
    assert erlangen.run(name, workers=1).verdicts[0].verdict == "not measured"


def test_a_job_that_failed_names_its_file_and_the_file_goes_when_it_succeeds(name: str, tmp_path: Path) -> None:
    home = write_experiment(tmp_path, name, run=("    return [Meas", "    1 / 0\n    return [Meas"))
    run = erlangen.run(name, workers=1)
    (file,) = (run.folder / "failures").iterdir()
    assert run.verdicts[0].next_step == f"no result of {name} measure seed 0: the job failed, see failures/{file.name}"
    assert f"failures/{file.name}" in run.answers[0].sentence
    assert "ZeroDivisionError" in file.read_text()
    code = (home / "run.py").read_text()
    (home / "run.py").write_text(code.replace("    1 / 0\n", ""))  # another key
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]
    assert erlangen.run(name, workers=1).verdicts[0].verdict == "supported"
    assert not (run.folder / "failures").exists()


def test_a_failure_that_stays_keeps_its_file(name: str, tmp_path: Path) -> None:
    write_experiment(tmp_path, name, run=("    return [Meas", "    1 / 0\n    return [Meas"))
    folder = erlangen.run(name, workers=1).folder
    assert erlangen.run(name, workers=1, seeds=2).folder == folder
    assert len(list((folder / "failures").iterdir())) == 2


def waiting(next_step: str) -> Verdict:
    return Verdict(
        claim="X", part="p", of="report", kind="exact", statement="s", verdict="not measured", next_step=next_step
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        ("toy seed 1", "no result of toy seed 1: the job failed, see failures/a.txt"),
        ("toy seed 10", "no result of toy seed 10: the job failed, see failures/b.txt"),
        (
            "toy seed 1; toy seed 10",
            "no result of toy seed 1; toy seed 10: the jobs failed, see failures/a.txt and those beside it",
        ),
        ("toy seed 2", f"no result of toy seed 2{AGAIN}"),
    ],
)
def test_the_file_is_that_of_the_job_that_is_lacking(lacking: str, expected: str) -> None:
    files = {"toy seed 1": "failures/a.txt", "toy seed 10": "failures/b.txt"}
    assert pointed(waiting(f"no result of {lacking}{AGAIN}"), files).next_step == expected
    other = waiting(f"a check failed: {lacking}")
    assert pointed(other, files) == other


def test_the_advice_that_is_replaced_is_the_one_that_is_given() -> None:
    assert re.fullmatch(r": run the same command again\b.*", AGAIN)
