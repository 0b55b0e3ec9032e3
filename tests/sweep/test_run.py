"""`erlangen.run` and `erlangen.load`: one function from a name to verdicts, and what it left read back."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from types import ModuleType, SimpleNamespace, TracebackType

import pytest
from support.command import environment
from support.own import write_experiment

import erlangen
from erlangen.errors import DamagedFileError, ErlangenError, NewerSchemaError, OlderSchemaError
from erlangen.records.files import SCHEMA
from erlangen.records.runs import Job, JobResult, Measurement
from erlangen.sweep.load import LoadedRun, measurement_rows
from erlangen.sweep.local import Failed
from erlangen.sweep.machine import memory_gib
from erlangen.train.precision import has_bfloat16

TOY = "support.toy"


class Watched:
    """Progress that remembers."""

    def __init__(self, jobs: Collection[Job], workers: int) -> None:
        self.asked, self.workers, self.ended, self.open = list(jobs), workers, [], False

    def __enter__(self) -> Watched:
        self.open = True
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.open = False

    def advance(self, job: Job) -> None:
        assert self.open
        self.ended.append(job)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """One run of the toy in which a job fails, and all that was told of it."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    lines: list[str] = []
    watched: list[Watched] = []

    def progress(jobs: Collection[Job], workers: int) -> Watched:
        watched.append(Watched(jobs, workers))
        return watched[0]

    settings = {"tasks": ("add", "fail"), "wait": 0}
    run = erlangen.run(TOY, seeds=2, settings=settings, out=folder, workers=2, notify=lines.append, progress=progress)
    return SimpleNamespace(run=run, folder=folder, lines=lines, progress=watched[0])


def test_a_run_gives_what_it_left_in_its_folder(finished: SimpleNamespace) -> None:
    run: LoadedRun = finished.run
    assert (run.run.experiment, run.run.preset, run.run.jobs) == (TOY, "quick", erlangen.load(finished.folder).run.jobs)
    assert [verdict.verdict for verdict in run.verdicts] == ["not measured"]
    assert [answer.claim for answer in run.answers] == ["X1"]
    assert [figure.name for figure in run.figures] == ["sums"]
    assert (finished.folder / "report.html").stat().st_size > 1000
    assert repr(run) == f"<{TOY}, preset quick, in {finished.folder}: 1 verdicts, 2 of 4 jobs measured>"


def test_it_tells_of_jobs_that_failed(finished: SimpleNamespace) -> None:
    assert all(isinstance(failed, Failed) for failed in finished.run.failed)
    assert sorted(failed.reason for failed in finished.run.failed) == [f"RuntimeError: seed {k} fails" for k in (0, 1)]
    (line,) = [line for line in finished.lines if line.startswith("failed: support.toy toy fail") and "seed 1 fails" in line]
    assert "seed 1 fails" in Path(line.partition("; details in ")[2]).read_text()
    assert erlangen.load(finished.folder).failed == ()
    assert len(list((finished.folder / "failures").iterdir())) == 2


def test_it_tells_of_every_job_that_has_ended(finished: SimpleNamespace) -> None:
    progress = finished.progress
    assert finished.lines[0].startswith(f"{TOY}: running 4 jobs on 2 workers")
    assert progress.workers == 2
    assert {id(job) for job in progress.asked} == {id(job) for job in progress.ended}
    assert len(progress.ended) == 4
    assert not progress.open


def test_a_run_from_python_records_the_command_that_does_the_same(finished: SimpleNamespace) -> None:
    command = "erlangen run support.toy --preset quick --seeds 2 --set tasks=add,fail --set wait=0 --out"
    assert finished.run.run.command == f"{command} {finished.folder}"


def test_measurements_as_rows(finished: SimpleNamespace) -> None:
    rows = erlangen.load(finished.folder).measurements
    assert rows[1] == {
        "experiment": TOY, "task": "toy", "what": "add", "wait": 0.0, "where": "", "seed": 1, "precision": "float32",
        "device": "cpu", "name": "sum", "value": 3.0, "unit": "",
    }  # fmt: skip
    assert rows.columns == list(rows[0])
    assert [dict(row) for row in csv.DictReader(io.StringIO(rows.to_csv()))] == [
        {name: str(value) for name, value in row.items()} for row in rows
    ]


def test_verdicts_as_rows(finished: SimpleNamespace) -> None:
    (row,) = erlangen.load(finished.folder).verdict_rows
    assert (row["experiment"], row["claim"], row["part"], row["of"], row["verdict"]) == (
        TOY,
        "X1",
        "sum",
        "report",
        "not measured",
    )
    assert (row["low"], row["high"], row["region_low"], row["region_high"]) == (None, None, 0.0, 0.0)
    assert all(value is None or isinstance(value, str | int | float) for value in row.values())


def test_rows_of_different_tasks_have_the_same_columns_and_long_values_one_row() -> None:
    def result(**params: object) -> JobResult:
        measured = (Measurement("losses", (1.0, None, 2.5), "nats"),)
        return JobResult(
            key="k", experiment="e", params=params, seed=0, precision="float32", device="cpu", measurements=measured  # type: ignore[arg-type]
        )  # fmt: skip

    rows = measurement_rows([result(task="a", depth=2), result(task="b", seed="own", rows=("x", "y"))])
    assert rows.columns == [
        "experiment",
        "task",
        "depth",
        "task_seed",
        "rows",
        "seed",
        "precision",
        "device",
        "name",
        "value",
        "unit",
    ]
    assert [row["depth"] for row in rows] == [2, None]
    assert rows[1]["task_seed"] == "own"
    lines = rows.to_csv().splitlines()
    assert lines[1] == 'e,a,2,,,0,float32,cpu,losses,"[1.0, null, 2.5]",nats'
    assert lines[2] == 'e,b,,own,"[""x"", ""y""]",0,float32,cpu,losses,"[1.0, null, 2.5]",nats'
    assert measurement_rows([]).to_csv() == ""


def test_rows_go_to_pandas_where_it_is(finished: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = ModuleType("pandas")
    pandas.DataFrame = lambda rows, columns: (type(rows), len(rows), columns)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    rows = finished.run.measurements
    assert rows.to_pandas() == (list, len(rows), rows.columns)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ErlangenError, match="pip install pandas"):
        rows.to_pandas()


def test_a_folder_that_is_not_a_finished_run(tmp_path: Path, finished: SimpleNamespace) -> None:
    with pytest.raises(ErlangenError, match="no such folder"):
        erlangen.load(tmp_path / "nowhere")
    with pytest.raises(ErlangenError, match=r"run\.json"):
        erlangen.load(tmp_path)
    (tmp_path / "run.json").write_text((finished.folder / "run.json").read_text())
    with pytest.raises(ErlangenError, match=r"not finished.*erlangen run support.toy"):
        erlangen.load(tmp_path)


@pytest.mark.parametrize("name", ["run.json", "verdicts.json", "answers.json", "figures.json", "jobs"])
@pytest.mark.parametrize(("schema", "error"), [(SCHEMA - 1, OlderSchemaError), (SCHEMA + 1, NewerSchemaError)])
def test_other_versions_are_refused_by_name(finished: SimpleNamespace, tmp_path: Path, name, schema, error) -> None:
    for path in finished.folder.rglob("*.json"):
        copied = tmp_path / path.relative_to(finished.folder)
        copied.parent.mkdir(exist_ok=True)
        text = path.read_text()
        copied.write_text(text.replace(f'"schema": {SCHEMA}', f'"schema": {schema}') if name in path.parts else text)
    with pytest.raises(error, match=f"schema {schema}") as caught:
        erlangen.load(tmp_path)
    assert name in str(caught.value)


def test_a_damaged_result_is_named_not_misread(finished: SimpleNamespace, tmp_path: Path) -> None:
    for path in finished.folder.rglob("*.json"):
        copied = tmp_path / path.relative_to(finished.folder)
        copied.parent.mkdir(exist_ok=True)
        copied.write_text(path.read_text().replace('"value": 3', '"value": 4'))
    with pytest.raises(DamagedFileError, match=r"jobs/.*edited"):
        erlangen.load(tmp_path)


REFUSED = {
    "experiment": (("suport.toy",), {}, "no experiment 'suport.toy'"),
    "preset": ((TOY,), {"preset": "slow"}, "--preset slow is unknown: choose quick or standard"),
    "key": ((TOY,), {"settings": {"tass": "add"}}, "did you mean 'tasks'"),
    "value": ((TOY,), {"settings": ["seeds=0"]}, "seeds=0"),
    "seeds": ((TOY,), {"seeds": 0}, "seeds=0"),
    "seeds twice": ((TOY,), {"seeds": 2, "settings": {"seeds": 3}}, "--seeds 2 and --set seeds=3"),
    "key twice": ((TOY,), {"settings": ["wait=1", "wait=2"]}, "--set wait: given twice"),
    "no equals sign": ((TOY,), {"settings": ["wait"]}, "key=value"),
    "precision": ((TOY,), {"precision": "float8"}, "choose float32, tf32 or bfloat16"),
    "precision that no job honors": ((TOY,), {"precision": "bfloat16"}, "no job of this recipe is portable"),
    "device that the experiment does not honor": (
        (TOY,),
        {"device": "cuda"},
        "--device cuda: the jobs of support.toy run on cpu only",
    ),
    "precision of ours": (("graph-algebra",), {"precision": "bfloat16"}, "run in float32 only"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_run_is_one_line_and_touches_nothing(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names, options, words = REFUSED[what]
    with pytest.raises(ErlangenError, match=words) as caught:
        erlangen.run(*names, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_run_resumes_widens_and_starts_afresh_on_request_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []

    def run(**options: object) -> LoadedRun:
        return erlangen.run(TOY, workers=1, notify=lines.append, **options)  # type: ignore[arg-type]

    first = run(seeds=1)
    assert first.folder == Path("runs") / f"{TOY}-quick"
    written = {path: path.stat().st_mtime_ns for path in (first.folder / "jobs").iterdir()}
    assert run(seeds=1).verdicts == first.verdicts
    assert lines[1] == f"{TOY}: all 1 jobs found, nothing to compute"

    run(seeds=2)
    assert lines[2].startswith(f"{TOY}: 1 of 2 found, running 1")
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())

    with pytest.raises(ErlangenError, match=r"seeds was 2, now 1.*--force"):
        run(seeds=1)
    assert len(erlangen.load(first.folder).run.jobs) == 2
    assert len(run(seeds=1, force=True).run.jobs) == 1

    run(seeds=1, fresh=True)
    assert lines[-1].startswith(f"{TOY}: running 1 jobs")
    assert all(path.stat().st_mtime_ns > time for path, time in written.items())


@pytest.mark.skipif(not has_bfloat16("cpu"), reason="no bfloat16 in hardware")
def test_run_json_says_what_the_jobs_had(tmp_path: Path) -> None:
    run = erlangen.run(TOY, seeds=1, settings={"portable": True}, precision="bfloat16", out=tmp_path / "run", workers=1)
    assert run.run.precision == "bfloat16"
    assert {row["precision"] for row in run.measurements} == {"bfloat16"}
    assert {result.device for result in run.results} == {run.run.device} == {"cpu"}


def test_what_fails_on_the_way_leaves_the_folder_free(tmp_path: Path) -> None:
    """A caller who catches the error keeps its frames alive, and with them the plan."""

    def broken(jobs: Collection[Job], workers: int) -> Watched:
        raise RuntimeError("no terminal")

    with pytest.raises(RuntimeError, match="no terminal") as caught:
        erlangen.run(TOY, seeds=1, out=tmp_path / "run", progress=broken)
    assert erlangen.run(TOY, seeds=1, out=tmp_path / "run", workers=1).verdicts[0].verdict == "supported"
    assert caught.tb is not None


def test_nothing_is_forgotten_before_all_that_can_be_refused_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`fresh` where the data are gone: the results that are there stay."""
    monkeypatch.chdir(tmp_path)
    init = write_experiment(tmp_path, "fetching") / "__init__.py"
    fetch = "\n\ndef fetch(recipe):\n    open('data').close()\n"
    init.write_text(init.read_text() + fetch)
    (tmp_path / "data").touch()
    first = erlangen.run("fetching", workers=1)
    (tmp_path / "data").unlink()
    with pytest.raises(ErlangenError, match=r"fetching/__init__.py, line \d+: FileNotFoundError"):
        erlangen.run("fetching", fresh=True)
    assert erlangen.run("fetching").results == first.results == erlangen.load(first.folder).results
    assert erlangen.load(first.folder).verdicts == first.verdicts


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    """Workers import nothing of the program that starts them: this script would else run in each of them."""
    script = tmp_path / "script.py"
    script.write_text(
        f"import erlangen\nprint('started')\nrun = erlangen.run({TOY!r}, workers=2)\nprint(run.verdicts[0].verdict)\n"
    )
    out = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120)
    assert out.stdout == "started\nsupported\n", out.stderr
    assert json.loads((tmp_path / "runs" / f"{TOY}-quick" / "run.json").read_text())["experiment"] == TOY


def test_all_memory_is_recorded() -> None:
    """Not what is free just now: that would differ from run to run."""
    gib = memory_gib()
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert gib == pytest.approx(int(lines["MemTotal"].split()[0]) / 2**20, abs=0.1)


@pytest.mark.parametrize(("best", "chosen"), [("cpu", "cpu"), ("cuda", "cpu")])
def test_auto_is_the_best_device_that_the_jobs_can_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, best: str, chosen: str
) -> None:
    monkeypatch.setattr("erlangen.train.precision.best_device", lambda: best)
    lines: list[str] = []
    erlangen.run(TOY, out=tmp_path, device="auto", notify=lines.append)
    assert f"device: {chosen}" in lines
