"""Several experiments as one pool of jobs: the longest first, judged as they end, and none ends another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import erlangen as command
from support.executors import Here
from support.own import write_experiment

from erlangen.errors import ErlangenError, UserCodeError
from erlangen.sweep.load import LoadedRun
from erlangen.sweep.request import Request
from erlangen.sweep.run import run_all

TOY = "support.toy"


@pytest.fixture(autouse=True)
def experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three packages: one with long jobs, one whose judge raises an error, one that cannot be planned."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    write_experiment(tmp_path, "long_ones", init=("job(Measure(), seed=seed)", "job(Measure(), seed=seed, seconds=60 - seed)"))
    write_experiment(tmp_path, "unjudged", judge=("return decide([part])", "raise KeyError('of the judge')"))
    write_experiment(tmp_path, "unplanned", init=("[job(Measure(), seed=seed)", "[job(Nothing(), seed=seed)"))


def test_all_jobs_are_one_pool_the_longest_first(tmp_path: Path) -> None:
    executor, lines = Here(), list[str]()
    results = run_all([TOY, "long_ones"], Request(seeds=3), executor=executor, notify=lines.append)
    seconds = [job.seconds for job in executor.asked]
    assert seconds == sorted(seconds, reverse=True)
    assert [job.experiment for job in executor.asked] == ["long_ones"] * 3 + [TOY] * 3
    assert list(results) == [TOY, "long_ones"], "in the order in which they were asked for"
    assert [len(result.results) for result in results.values() if isinstance(result, LoadedRun)] == [3, 3]
    assert lines[0].startswith("2 experiments: running 6 jobs on 2 workers; about 89 s")
    assert lines[1:] == ["long_ones: judged", f"{TOY}: judged"]


def test_what_ends_one_experiment_ends_no_other() -> None:
    results = run_all(["unplanned", "unjudged", TOY], Request(seeds=1), executor=Here())
    assert isinstance(results["unplanned"], UserCodeError)
    assert isinstance(results["unjudged"], UserCodeError)
    assert "of the judge" in str(results["unjudged"])
    assert isinstance(results[TOY], LoadedRun)
    assert results[TOY].verdicts[0].verdict == "supported"


def test_jobs_that_failed_are_counted_for_their_own_experiment() -> None:
    results = run_all([TOY, "long_ones"], Request(seeds=2, force=True), executor=Here())
    assert not any(result.failed for result in results.values() if isinstance(result, LoadedRun))
    write_experiment(Path.cwd(), "failing", run=('Measurement("number", 2.0)', "1 / 0"))
    results = run_all(["failing", "long_ones"], Request(seeds=2), executor=Here())
    assert {name: len(result.failed) for name, result in results.items() if isinstance(result, LoadedRun)} == {
        "failing": 2,
        "long_ones": 0,
    }


def test_a_folder_in_use_is_named_and_the_others_run() -> None:
    from erlangen.sweep.lock import lock

    with lock(Path("runs") / f"{TOY}-quick" / "run.lock"):
        results = run_all([TOY, "long_ones"], Request(seeds=1), executor=Here())
    assert isinstance(results[TOY], ErlangenError)
    assert "another run" in str(results[TOY])
    assert isinstance(results["long_ones"], LoadedRun)
    assert isinstance(run_all([TOY], Request(seeds=1), executor=Here())[TOY], LoadedRun), "all folders are free again"


def test_the_command_prints_every_claim_and_one_table(tmp_path: Path) -> None:
    out = command("run", TOY, "unjudged", "long_ones", "--seeds", "1", "--json", "all.json", cwd=tmp_path, paths=(tmp_path,))
    assert out.returncode == 4, out.stderr
    assert "3 experiments: running 3 jobs" in out.stderr
    assert "3/3 jobs" in out.stderr
    table = [line.split() for line in out.stdout.splitlines()[-4:]]
    assert table[0] == ["experiment", "answers", "jobs", "report"]
    assert table[1] == [TOY, "X1", "supported", "1", "of", "1", f"runs/{TOY}-quick/report.html"]
    assert table[2][:2] == ["unjudged", "error:"]
    assert table[3] == ["long_ones", "N1", "supported", "1", "of", "1", "runs/long_ones-quick/report.html"]
    assert "unjudged: unjudged/judge.py, line" in out.stderr
    assert [verdict["claim"] for verdict in json.loads((tmp_path / "all.json").read_text())] == ["X1", "N1"]
