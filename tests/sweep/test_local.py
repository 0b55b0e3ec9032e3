"""The executor: the same numbers however many work, and nothing lost when one dies."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import torch
from support.toy import Recipe

from erlangen.experiments import planned_jobs
from erlangen.records.runs import Job
from erlangen.sweep.local import Done, Failed, execute


@pytest.fixture(autouse=True)
def toy_on_path(monkeypatch):
    """Workers are processes of their own: they need the path too."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


def jobs(recipe: Recipe) -> list[Job]:
    return planned_jobs("support.toy", recipe)


def run(recipe: Recipe, workers: int = 2, timeout: float | None = None) -> tuple[list[Done], list[Failed]]:
    outcomes = list(execute(jobs(recipe), workers, timeout))
    return [o for o in outcomes if isinstance(o, Done)], [o for o in outcomes if isinstance(o, Failed)]


def by_job(done: list[Done]) -> dict[str, object]:
    return {outcome.job.label(): outcome.measurements for outcome in done}


def test_the_number_of_workers_changes_no_number():
    recipe = Recipe(seeds=5)
    (one, _), (three, _) = run(recipe, workers=1), run(recipe, workers=3)
    assert by_job(one) == by_job(three)
    assert len(one) == 5


def test_an_outcome_carries_the_very_job_it_was_asked_for():
    asked = jobs(Recipe(seeds=3))
    assert {id(outcome.job) for outcome in execute(asked, 2)} == {id(job) for job in asked}


def test_a_failing_job_takes_no_other_with_it():
    done, failed = run(Recipe(tasks=("fail", "add"), seeds=2))
    assert len(done) == 2
    assert {outcome.reason for outcome in failed} == {"RuntimeError: seed 0 fails", "RuntimeError: seed 1 fails"}
    assert "Traceback" in failed[0].details


def test_two_measurements_of_one_name_are_a_failure():
    """A reader that looks one up by its name would get either."""
    done, failed = run(Recipe(tasks=("add", "repeat"), seeds=1))
    assert [outcome.job.params["what"] for outcome in done] == ["add"]
    assert "two measurements one name, 'sum'" in failed[0].reason


def test_a_killed_worker_is_replaced_and_its_job_tried_again(tmp_path: Path):
    done, failed = run(Recipe(tasks=("die-once", "add"), seeds=2, where=str(tmp_path)))
    assert len(done) == 4
    assert not failed


def test_a_job_that_kills_its_worker_every_time_fails_with_the_cause():
    done, failed = run(Recipe(tasks=("die", "add"), seeds=1))
    assert len(done) == 1
    assert "SIGKILL" in failed[0].reason


def test_a_job_past_its_time_is_ended():
    start = time.monotonic()
    done, failed = run(Recipe(tasks=("wait",), seeds=1, wait=60), timeout=4)
    assert not done
    assert "--job-timeout 4" in failed[0].reason
    assert time.monotonic() - start < 30


def test_exclusive_jobs_run_alone_each_in_a_fresh_process(tmp_path: Path):
    run(Recipe(tasks=("note-alone", "note"), seeds=3, where=str(tmp_path)), workers=2)
    runs = {path.name: [float(part) for part in path.read_text().split()] for path in tmp_path.iterdir()}
    assert len(runs) == 6
    alone = sorted((notes for name, notes in runs.items() if name.startswith("note-alone")), key=lambda notes: notes[1])
    assert len({notes[0] for notes in alone}) == 3
    for index, (_, start, end) in enumerate(alone):
        others = [notes for notes in runs.values() if notes is not alone[index]]
        assert all(other[2] <= start or other[1] >= end for other in others)


def test_closing_ends_the_workers(tmp_path: Path):
    asked: list[Job] = jobs(Recipe(tasks=("note",), seeds=2, wait=0.1, where=str(tmp_path)))
    asked += jobs(Recipe(tasks=("wait",), seeds=2, wait=60))
    outcomes = execute(asked, 2)
    next(outcomes)
    outcomes.close()
    pid = int(float(next(tmp_path.iterdir()).read_text().split()[0]))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_no_jobs_no_outcomes():
    assert run(Recipe(tasks=())) == ([], [])


def test_a_value_that_is_no_number_is_named():
    from erlangen.sweep.local import is_number

    assert all(map(is_number, (1, 2.5, None, (1.0, None), ())))
    assert not any(map(is_number, (torch.tensor(1.0), "1", [1.0], (torch.tensor(1.0),))))
