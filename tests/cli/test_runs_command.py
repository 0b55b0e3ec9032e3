"""`erlangen run`, `verdicts` and `report`: one clear line for an error, the right exit code, nothing lost."""

from __future__ import annotations

import json
import resource
import signal
import time
from pathlib import Path

import pytest
from support.command import alive, erlangen, start, wait_for

TOY = "support.toy"


FAULTS = {
    "unknown experiment": (("run", "pading"), "did you mean 'padding'"),
    "no module": (("run", "no.such.module"), "no.such.module"),
    "a bad module name": (("run", "a..b"), "a..b"),
    "an empty name": (("run", ""), "''"),
    "a path": (("run", "./my_lab"), "./my_lab"),
    "a module that is no experiment": (("run", "json"), "json"),
    "an unknown claim": (("run", "C55"), "did you mean 'C5'"),
    "a misspelled topic": (("run", "grahps"), "did you mean 'graphs'"),
    "unknown key": (("run", "padding", "--set", "epoch=3"), "did you mean 'epochs'"),
    "no equals sign": (("run", "padding", "--set", "epochs"), "key=value"),
    "impossible value": (("run", "padding", "--set", "epochs=0"), "epochs=0"),
    "no number": (("run", "padding", "--set", "epochs=many"), "epochs=many"),
    "unknown row": (("run", "padding", "--set", "rows=Net3/valid"), "Net3/valid"),
    "no rows": (("run", "padding", "--set", "rows="), "rows"),
    "row twice": (("run", "padding", "--set", "rows=Net1/valid,Net1/valid"), "twice"),
    "zero seeds": (("run", "padding", "--seeds", "0"), "--seeds"),
    "unknown preset": (("run", "padding", "--preset", "slow"), "choose quick or standard"),
    "unknown preset of several": (("run", "padding", "graph-cost", "--preset", "full"), "padding: --preset full"),
    "unknown preset of one of two": (("run", "C5", "C9", "--preset", "full"), "`erlangen run rotation --preset full`"),
    "unknown key of one of two": (
        ("run", "C5", "--set", "rows=Net1/valid"),
        "C5 is judged by padding and padding-causes, and only padding has the key rows: `erlangen run padding --set rows=Net1",
    ),
    "unknown key of several": (("run", "C5", "--set", "tolerence=3"), "padding: --set tolerence"),
    "unknown precision": (("run", "padding", "--precision", "float8"), "choose float32, tf32 or bfloat16"),
    "unknown device": (("run", "padding", "--device", "tpu"), "tpu"),
    "zero workers": (("run", "padding", "--workers", "0"), "--workers"),
    "one folder for two": (("run", "padding", TOY, "--out", "x"), "--out"),
    "folder below a file": (("run", TOY, "--out", "/dev/null/x"), "/dev/null/x"),
    "unknown option": (("run", "padding", "--sedes", "3"), "--sedes"),
    "unknown command": (("rnu",), "rnu"),
    "no folder": (("verdicts", "nowhere"), "nowhere"),
    "no run folder": (("report", "."), "is not a run folder: it has no run.json"),
    "two on stdout": (("verdicts", ".", "--csv", "-", "--json", "-"), "both print to stdout"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_user_is_one_clear_line(name: str, tmp_path: Path):
    args, words = FAULTS[name]
    out = erlangen(*args, cwd=tmp_path)
    assert out.returncode == 2, out.stderr
    assert words in out.stderr
    assert out.stderr.count("\n") == 1, out.stderr
    assert out.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_results_on_stdout_progress_on_stderr(tmp_path: Path):
    out = erlangen("run", TOY, "--json", "-", cwd=tmp_path)
    assert out.returncode == 0
    assert json.loads(out.stdout)[0]["verdict"] == "supported"
    assert "2/2 jobs" in out.stderr


def test_a_run_folder_holds_what_it_should(tmp_path: Path):
    out = erlangen("run", TOY, cwd=tmp_path)
    folder = tmp_path / "runs" / f"{TOY}-quick"
    assert {path.name for path in folder.iterdir()} >= {"run.json", "jobs", "verdicts.json", "figures.json", "report.html"}
    job = json.loads(next((folder / "jobs").iterdir()).read_text())
    assert {"schema", "key", "experiment", "params", "seed", "precision", "device", "measurements"} <= job.keys()
    assert str(folder.relative_to(tmp_path) / "report.html") in out.stdout
    assert erlangen("verdicts", folder, cwd=tmp_path).returncode == 0
    assert "supported" in erlangen("verdicts", folder, "--json", "-", cwd=tmp_path).stdout


def test_a_second_run_computes_nothing_and_a_wider_one_only_what_is_new(tmp_path: Path):
    first = erlangen("run", TOY, "--out", "run", cwd=tmp_path)
    verdicts = (tmp_path / "run" / "verdicts.json").read_text()
    assert "all 2 jobs found" in erlangen("run", TOY, "--out", "run", cwd=tmp_path).stderr
    assert (tmp_path / "run" / "verdicts.json").read_text() == verdicts
    assert "2 of 5 found, running 3" in erlangen("run", TOY, "--out", "run", "--seeds", "5", cwd=tmp_path).stderr
    assert first.returncode == 0


def test_a_failed_job_is_code_4_with_its_traceback_kept_and_the_rest_measured(tmp_path: Path):
    out = erlangen("run", TOY, "--set", "tasks=add,fail", "--out", "run", cwd=tmp_path)
    assert out.returncode == 4
    assert "RuntimeError: seed 0 fails" in out.stderr
    assert len(list((tmp_path / "run" / "jobs").iterdir())) == 2
    assert "Traceback" in next((tmp_path / "run" / "failures").iterdir()).read_text()
    assert json.loads((tmp_path / "run" / "verdicts.json").read_text())[0]["verdict"] == "not measured"
    assert erlangen("verdicts", "run", cwd=tmp_path).returncode == 5


def test_strict_on_the_command_line(tmp_path: Path):
    args = ("run", "graph-algebra", "--seeds", "2", "--out", "run")
    assert erlangen(*args, cwd=tmp_path).returncode == 0
    assert erlangen(*args, "--strict", cwd=tmp_path).returncode == 1
    assert erlangen("verdicts", "run", cwd=tmp_path).returncode == 0
    assert erlangen("verdicts", "run", "--strict", cwd=tmp_path).returncode == 1


def test_another_recipe_replaces_nothing_without_force(tmp_path: Path):
    erlangen("run", TOY, "--out", "run", cwd=tmp_path)
    before = (tmp_path / "run" / "verdicts.json").read_bytes()
    other = ("run", TOY, "--out", "run", "--set", "tasks=add,wait")
    out = erlangen(*other, cwd=tmp_path)
    assert (out.returncode, out.stderr.count("\n")) == (2, 1)
    assert "--force" in out.stderr
    assert (tmp_path / "run" / "verdicts.json").read_bytes() == before
    assert erlangen(*other, "--force", cwd=tmp_path).returncode == 0
    assert (tmp_path / "run" / "verdicts.json").read_bytes() != before


def test_a_claim_asked_for_by_id_that_the_recipe_cannot_measure_is_code_5(tmp_path: Path):
    """Though one of its parts was judged."""
    sizes = ("train=20", "control_images=10", "validation=20", "test=20", "frame_train=10", "margins=0")
    tiny = [f"--set={key}" for key in ("arms=valid", "epochs=1", "frame_epochs=1", *sizes)]
    out = erlangen("run", "C6", *tiny, "--seeds", "1", cwd=tmp_path)
    assert out.returncode == 5
    printed = " ".join(out.stdout.split())
    assert "C6 not measured This run did not measure the claim: it needs the arms reflect, reflect rows" in printed
    out = erlangen("run", "C6", *tiny, "--seeds", "1", "--json", "-", cwd=tmp_path)
    assert (out.returncode, "padding-causes: this run did not measure C6\n" in out.stderr) == (5, True)
    assert erlangen("run", "padding-causes", *tiny, "--seeds", "1", cwd=tmp_path).returncode == 0


def test_the_page_names_what_was_changed_and_quotes_the_report(tmp_path: Path):
    tiny = [f"--set={key}" for key in ("rows=Net1/valid", "epochs=1", "train=20", "validation=20", "test=20")]
    assert erlangen("run", "padding", *tiny, "--seeds", "1", cwd=tmp_path).returncode == 0
    page = next((tmp_path / "runs").glob("padding-quick-*")) / "report.html"
    text = page.read_text(encoding="utf-8")
    assert "padding · quick, changed: rows, epochs, train, validation, test" in text
    assert "The report: “Maps after four layers are 2×2, 4×4, 6×6” … “output size" in text
    assert "Cite as: C4, “Four layers turn a 32×32 image into a map" in text


def test_fresh_computes_everything_again(tmp_path: Path):
    erlangen("run", TOY, "--out", "run", cwd=tmp_path)
    assert "all 2 jobs found" in erlangen("run", TOY, "--out", "run", cwd=tmp_path).stderr
    assert "running 2 jobs" in erlangen("run", TOY, "--out", "run", "--fresh", cwd=tmp_path).stderr


def test_damaged_files_are_named_set_aside_and_computed_again(tmp_path: Path):
    erlangen("run", TOY, "--seeds", "3", "--out", "run", cwd=tmp_path)
    verdicts = (tmp_path / "run" / "verdicts.json").read_text()
    truncated, edited, _ = sorted((tmp_path / "run" / "jobs").iterdir())
    truncated.write_text(truncated.read_text()[:40])
    edited.write_text(edited.read_text().replace('"unit": ""', '"unit": "apples"'))
    out = erlangen("run", TOY, "--seeds", "3", "--out", "run", cwd=tmp_path)
    assert out.returncode == 0
    assert truncated.name in out.stderr
    assert edited.name in out.stderr
    assert "1 of 3 found, running 2" in out.stderr
    assert len(list((tmp_path / "run" / "jobs").glob("*.damaged"))) == 2
    assert (tmp_path / "run" / "verdicts.json").read_text() == verdicts


def test_a_folder_of_a_newer_version_is_refused_by_name(tmp_path: Path):
    erlangen("run", TOY, "--out", "run", cwd=tmp_path)
    for name in ("run.json", "verdicts.json"):
        path = tmp_path / "run" / name
        path.write_text(path.read_text().replace('"schema": 2', '"schema": 7'))
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    for args in (("run", TOY, "--out", "run"), ("verdicts", "run"), ("report", "run")):
        out = erlangen(*args, cwd=tmp_path)
        assert out.returncode == 4
        assert "schema 7" in out.stderr
        assert "--out" not in out.stderr or args[0] == "run", "advice is about options that the command has"
    assert {path: path.read_bytes() for path in before} == before


def test_a_full_disk_is_one_clear_line_and_keeps_what_was_written(tmp_path: Path):
    erlangen("run", TOY, "--out", "run", cwd=tmp_path)
    kept = {path: path.read_bytes() for path in (tmp_path / "run" / "jobs").iterdir()}

    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))

    out = erlangen("run", TOY, "--seeds", "4", "--out", "run", cwd=tmp_path, preexec_fn=no_room)
    assert out.returncode == 2
    assert "cannot write" in out.stderr
    assert "Traceback" not in out.stderr
    assert {path: path.read_bytes() for path in kept} == kept
    assert erlangen("run", TOY, "--seeds", "4", "--out", "run", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(("signum", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")])
def test_a_signal_ends_with_its_code_and_keeps_finished_jobs(signum, code, word, tmp_path: Path):
    args = ("run", TOY, "--set", "tasks=add,wait", "--set", "wait=60", "--out", "run", "--seeds", "1", "--workers", "2")
    process = start(*args, cwd=tmp_path)
    wait_for(lambda: (tmp_path / "run" / "jobs").exists() and any((tmp_path / "run" / "jobs").glob("*.json")))
    process.send_signal(signum)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert f"{word}: every finished job is kept; run the same command again to resume" in err
    assert "Traceback" not in err
    assert len(list((tmp_path / "run" / "jobs").glob("*.json"))) == 1


def test_workers_do_not_outlive_a_killed_run(tmp_path: Path):
    """However long the job that they are at: nobody is left to take its result."""
    args = ("run", TOY, "--set", "tasks=hold", "--set", "wait=120", "--set", f"where={tmp_path}", "--seeds", "1")
    process = start(*args, cwd=tmp_path)
    worker = int(wait_for(lambda: (tmp_path / "hold-0").exists() and (tmp_path / "hold-0").read_text()))
    process.kill()
    process.wait()
    wait_for(lambda: not alive(worker), seconds=20)


def test_a_killed_run_resumes_to_the_same_verdicts(tmp_path: Path):
    args = ("run", TOY, "--set", "tasks=wait", "--set", "wait=0.3", "--seeds", "6")
    erlangen(*args, "--out", "whole", cwd=tmp_path)
    for _ in range(3):
        process = start(*args, "--out", "killed", cwd=tmp_path)
        time.sleep(2.5)
        process.kill()
        process.communicate()
    erlangen(*args, "--out", "killed", "--workers", "3", cwd=tmp_path)
    assert (tmp_path / "killed" / "verdicts.json").read_bytes() == (tmp_path / "whole" / "verdicts.json").read_bytes()


def test_a_worker_killed_by_the_system_loses_nothing(tmp_path: Path):
    out = erlangen("run", TOY, "--set", "tasks=die-once,add", "--set", f"where={tmp_path}", cwd=tmp_path)
    assert out.returncode == 0, out.stderr
