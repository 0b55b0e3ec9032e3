"""An experiment of the user's own: found where they work, computed anew where their code changes, and theirs where it fails."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import traceback
import zlib
from pathlib import Path

import pytest
from support.own import write_experiment

import erlangen
from erlangen.errors import FAILED, ErlangenError, UserCodeError
from erlangen.experiments import imported, load, module_name, names, planned_jobs
from erlangen.experiments.user_code import user_code
from erlangen.sweep.local import compute


@pytest.fixture
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package name of its own for every test, in an empty working directory that is on no path yet."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(tmp_path))])
    monkeypatch.chdir(tmp_path)
    return f"own_{zlib.crc32(request.node.nodeid.encode())}"


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs without workers, where it is not they that matter: starting one takes seconds."""
    monkeypatch.setattr("erlangen.sweep.local.execute", lambda jobs, workers, timeout: (compute(job) for job in jobs))


@pytest.mark.parametrize("place", ["", "lab.", "lab.deep."])
def test_it_is_found_in_the_working_directory_by_the_workers_too(name: str, place: str, tmp_path: Path) -> None:
    """In a process that was started elsewhere, with nothing of it on the path: as the command runs it."""
    package = place + name
    write_experiment(tmp_path, package)
    code = f"import erlangen; run = erlangen.run({package!r}); print(run.verdicts[0].verdict, run.folder)"
    out = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert out.stdout == f"supported runs/{package}-quick\n", out.stderr


def test_a_plan_needs_no_torch(name: str, tmp_path: Path) -> None:
    write_experiment(tmp_path, name)
    code = f"""
        import sys
        from erlangen.experiments import load, planned_jobs
        print(planned_jobs({name!r}, load({name!r}).PRESETS["quick"])[0].label(), "torch" in sys.modules)
    """
    out = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert out.stdout == f"{name} measure seed 0 False\n", out.stderr


def test_what_is_not_an_experiment_is_said_so(name: str, tmp_path: Path) -> None:
    for absent in ("json", "nowhere", "nowhere.at.all", f"{name}.no", "", ".", "a..b"):
        with pytest.raises(ErlangenError, match="there is no experiment"):
            module_name(absent)
    (tmp_path / f"{name}.py").touch()
    with pytest.raises(ErlangenError, match="an experiment is a package"):
        module_name(name)
    (tmp_path / f"{name}_bare").mkdir()
    with pytest.raises(ErlangenError, match=r"a folder with an __init__\.py"):
        module_name(f"{name}_bare")
    write_experiment(tmp_path, f"{name}_untitled", init=("TITLE =", "SUBTITLE ="))
    with pytest.raises(ErlangenError, match="does not define TITLE"):
        load(f"{name}_untitled")


def test_their_helper_recomputes_and_its_docstring_does_not(name: str, tmp_path: Path) -> None:
    """The real thing: files are edited, and the same call is made again."""
    import_it = f"    from {name}_helper import number\n\n    return [Measurement('number', number())]"
    write_experiment(tmp_path, name, run=('    return [Measurement("number", 2.0)]', import_it))
    helper = tmp_path / f"{name}_helper.py"
    lines: list[str] = []

    def outcome(text: str) -> tuple[str, bool]:
        helper.write_text(text)
        run = erlangen.run(name, notify=lines.append)
        return run.verdicts[0].verdict, "running" in lines[-1]

    assert outcome('def number():\n    """Two."""\n    return 2.0\n') == ("supported", True)
    assert outcome('def number():\n    """The number."""\n    return 2.0  # still\n') == ("supported", False)
    assert outcome("def number():\n    return 3.0\n") == ("refuted", True)
    assert outcome("def number():\n    return 2.0\n") == ("supported", False)  # what was computed first is still there


@pytest.mark.usefixtures("in_process")
def test_data_files_do_not_count_and_fresh_recomputes(name: str, tmp_path: Path) -> None:
    write_experiment(tmp_path, name, run=("2.0)", 'float(open("number.txt").read()))'))
    data = tmp_path / "number.txt"
    data.write_text("2")
    assert erlangen.run(name).verdicts[0].verdict == "supported"
    data.write_text("3")
    assert erlangen.run(name).verdicts[0].verdict == "supported"
    assert erlangen.run(name, fresh=True).verdicts[0].verdict == "refuted"


# A file, what is changed in it, the line that is at fault, and the error.
FAULTS = {
    "init": ("init", ("MEMORY_MB = 300", "MEMORY_MB = 1 / 0"), "MEMORY_MB", "ZeroDivisionError: division by zero"),
    "missing package": (
        "init",
        ("import job\n", "import job\nimport not_installed\n"),
        "not_inst",
        "ModuleNotFoundError: No mod",
    ),
    "jobs": ("init", ("in range(recipe.seeds)]", "in range(recipe.sedes)]"), "recipe.sedes", "AttributeError: 'Recipe' object"),
    "recipe": (
        "init",
        (
            "    seeds: int = 1\n",
            "    seeds: int = 1\n\n    def __post_init__(self):\n        assert self.seeds < 9, 'too\\nmany'\n",
        ),
        "assert",
        "AssertionError: too many",
    ),
    "syntax": ("run", ("def run(job):", "def run(job:"), "def run", "SyntaxError: "),
    "judge": ("judge", ("count=sum(", "count=max(1, "), "count", "SyntaxError: "),
    "verdicts": ("judge", ("    part = Exact", "    numbers[7]\n    part = Exact"), "numbers[7]", "IndexError: list index"),
    "kit": ("judge", ("decide([part])", "decide([part, part])"), "decide(", "ValueError: two parts are called N1 number"),
    "answers": ("judge", ("    return [answer(", "    return [reply("), "reply", "NameError: name 'reply' is not defined"),
    "figures": ("figures", ("return []", "import sys; sys.exit(0)"), "sys.exit", "SystemExit: 0"),
}


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("what", FAULTS)
def test_an_error_in_their_code_is_theirs_with_its_file_and_line(what: str, name: str, tmp_path: Path) -> None:
    file, change, at_fault, words = FAULTS[what]
    home = write_experiment(tmp_path, name, **{file: change})
    path = home / ("__init__.py" if file == "init" else f"{file}.py")
    line = next(k for k, text in enumerate(path.read_text().splitlines(), 1) if at_fault in text)
    with pytest.raises(UserCodeError) as caught:
        erlangen.run(name, workers=1, seeds=10 if what == "recipe" else None)
    assert str(caught.value).startswith(f"{name}/{path.name}, line {line}: {words}")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == FAILED == 4
    assert at_fault in "".join(traceback.format_exception(caught.value))


WRONG_TYPES = {
    "no jobs": ("init", ("    return [job(", "    [job("), "TypeError: 'NoneType' object is not iterable"),
    "other jobs": ("init", ("    return [job(", "    return [str("), "TypeError: "),
    "text for jobs": ("init", ("return [job(Measure(), seed=seed)", "return ['job'"), "TypeError: jobs(recipe) gives a str"),
    "no verdicts": ("judge", ("return decide([part])", "decide([part])"), "TypeError: 'NoneType' object is not iterable"),
    "text for verdicts": ("judge", ("return decide([part])", "return ['yes']"), ""),
}


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("what", WRONG_TYPES)
def test_what_their_code_gives_is_theirs_too(what: str, name: str, tmp_path: Path) -> None:
    file, change, words = WRONG_TYPES[what]
    write_experiment(tmp_path, name, **{file: change})
    with pytest.raises(UserCodeError, match=name) as caught:
        erlangen.run(name, workers=1)
    assert words in str(caught.value)


@pytest.mark.usefixtures("in_process")
def test_a_ragged_figure_is_named(name: str, tmp_path: Path) -> None:
    figure = "Figure(name='f', title='t', caption='c', columns=('a', 'b'), rows=((1,),))"
    write_experiment(tmp_path, name, figures=("return []", f"from erlangen.records import Figure\n    return [{figure}]"))
    with pytest.raises(UserCodeError, match="ValueError: figure f: a row has 1 entries for 2 columns"):
        erlangen.run(name, workers=1)


def test_an_error_in_their_run_is_a_failed_job_with_its_traceback(name: str, tmp_path: Path) -> None:
    write_experiment(tmp_path, name, run=("from .tasks import Measure", "from .tasks import Measures"))
    run = erlangen.run(name, workers=1)
    assert [failed.job.label() for failed in run.failed] == [f"{name} measure seed 0"]
    assert run.failed[0].reason.startswith(f"{name}/run.py, line 4: ImportError: cannot import name 'Measures'")
    assert "Traceback" in run.failed[0].details
    assert "Traceback" in next((run.folder / "failures").iterdir()).read_text()
    assert run.verdicts[0].verdict == "not measured"


def test_a_line_for_the_user_passes_as_it_is(name: str, tmp_path: Path) -> None:
    """A file of theirs that is missing is no bug, and needs no traceback."""
    raising = "from erlangen.data import DataError\n    raise DataError('book.txt: not found')"
    write_experiment(tmp_path, name, init=("    return [job(", f"    {raising}\n    return [job("))
    with pytest.raises(ErlangenError, match=r"^book\.txt: not found$") as caught:
        erlangen.run(name)
    assert not isinstance(caught.value, UserCodeError)


@pytest.mark.parametrize("ours", names())
def test_errors_in_ours_stay_internal(ours: str) -> None:
    with pytest.raises(ZeroDivisionError), user_code(module_name(ours)):
        1 / 0  # noqa: B018
    with pytest.raises(ModuleNotFoundError):
        imported(ours, ".no_such_part")


@pytest.mark.parametrize("ours", names())
@pytest.mark.parametrize(
    ("option", "asked"), [("precision", "bfloat16"), ("device", "cuda"), ("device", "cuda:1"), ("device", "mps")]
)
def test_precision_and_device_are_honored_or_refused(ours: str, option: str, asked: str) -> None:
    """Never recorded without being so: either the jobs have them, all that can, or nothing starts."""
    experiment = load(ours)
    honored = getattr(experiment, "PRECISIONS" if option == "precision" else "DEVICES", ())
    for preset, recipe in experiment.PRESETS.items():
        if asked.split(":")[0] not in honored:
            with pytest.raises(ErlangenError, match=f"--{option} {asked.split(':')[0]}: the jobs of {ours} run") as caught:
                planned_jobs(ours, recipe, **{option: asked})
            assert caught.value.exit_code == 2
            continue
        jobs = planned_jobs(ours, recipe, **{option: asked})
        assert {getattr(job, option) for job in jobs if job.portable} == {asked}, preset
        assert {getattr(job, option) for job in jobs if not job.portable} <= {"float32", "cpu"}, preset


@pytest.mark.parametrize("ours", names())
def test_what_is_declared_is_honored_by_some_job(ours: str) -> None:
    experiment = load(ours)
    if hasattr(experiment, "PRECISIONS") or hasattr(experiment, "DEVICES"):
        assert any(job.portable for recipe in experiment.PRESETS.values() for job in planned_jobs(ours, recipe))
    else:
        assert not any(job.portable for recipe in experiment.PRESETS.values() for job in planned_jobs(ours, recipe))
